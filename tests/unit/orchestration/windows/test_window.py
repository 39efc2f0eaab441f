"""`Window`: documents, chunks, validation, processing and restoring."""

import asyncio
import io
import tracemalloc

import pytest

import l0
from l0.model.errors import StreamInterrupted, fill
from l0.model.policy import PolicyError
from l0.orchestration.results import BranchStatus
from l0.orchestration.windows.chunks import Chunk, merge
from l0.orchestration.windows.context_retry import Restore
from l0.orchestration.windows.window import Window

DOCUMENT = "one two three four five six seven eight nine ten"


def window(document=DOCUMENT, **options):
    return Window.create(document, **({"size": 4, "overlap": 1, "tokenizer": str.split} | options))


def empty(text=""):
    return fill(StreamInterrupted("nothing came"), {"reason": "empty", "partial_text": text})


async def shout(chunk: Chunk) -> str:
    return chunk.content.upper()


def test_chunk_offsets():
    chunks = list(window())
    assert [chunk.index for chunk in chunks] == [0, 1, 2]
    assert [chunk.content for chunk in chunks] == [
        "one two three four ",
        "four five six seven ",
        "seven eight nine ten",
    ]
    assert [(chunk.first, chunk.last) for chunk in chunks] == [(True, False), (False, False), (False, True)]
    assert all(DOCUMENT[chunk.start : chunk.end] == chunk.content for chunk in chunks)
    assert chunks[1].before == "one two three "
    assert chunks[1].after == "eight nine ten"
    assert merge(chunks) == DOCUMENT


def test_merge_rejects_a_missing_window():
    chunks = list(window())
    with pytest.raises(PolicyError, match="gap of 9"):
        merge([chunks[0], chunks[2]])


@pytest.mark.parametrize("document", [DOCUMENT, io.StringIO(DOCUMENT), iter(DOCUMENT), [DOCUMENT[:9], DOCUMENT[9:]]])
def test_window_accepts_all_document_types(document):
    assert merge(window(document)) == DOCUMENT


def test_window_of_an_iterator_can_be_read_once():
    once = window(iter([DOCUMENT]))
    assert len(list(once)) == 3
    with pytest.raises(RuntimeError, match="cannot be read again"):
        list(once)


@pytest.mark.parametrize("document", [io.BytesIO(b"bytes"), [b"bytes"], [1, 2]])
def test_window_rejects_pieces_that_are_not_text(document):
    with pytest.raises(PolicyError, match="pieces of text"):
        list(window(document))


def test_window_of_an_empty_document_has_no_chunks():
    assert list(window("")) == []
    results = asyncio.run(window("").process_all(shout))
    assert (len(results), results.stats.success_rate) == (0, 100.0)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("Window.size", {"size": 0}),
        ("Window.size", {"size": 2.5}),
        ("Window.overlap", {"overlap": 4}),
        ("Window.overlap", {"overlap": -1}),
        ("Window.strategy", {"strategy": "page"}),
        ("Window.document", {"document": b"bytes"}),
        ("Window.document", {"document": 7}),
        ("Window.document", {"document": {"stream": "x"}}),
    ],
)
def test_window_rejects_invalid_arguments(field, options):
    with pytest.raises(PolicyError, match=field):
        window(**options)


@pytest.mark.parametrize(("preset", "size"), [(Window.small, 1000), (Window.medium, 2000), (Window.large, 4000)])
def test_window_presets_overlap_by_a_tenth(preset, size):
    made = preset(DOCUMENT, strategy="char")
    assert (made.size, made.overlap, made.count("abc")) == (size, size // 10, 3)


def test_process_all_processes_every_window():
    results = asyncio.run(window().process_all(shout, concurrency=2))
    assert results.values == [chunk.content.upper() for chunk in window()]
    assert results.merge("|").startswith("ONE TWO THREE FOUR |FOUR")
    assert (results.stats.count, results.stats.success_rate) == (3, 100.0)
    assert results.stats.total_duration_ms > 0


def test_process_all_respects_the_concurrency_limit():
    under_way: list[int] = []
    most: list[int] = []

    async def work(chunk):
        under_way.append(chunk.index)
        await asyncio.sleep(0)
        most.append(len(under_way))
        under_way.remove(chunk.index)

    asyncio.run(window("word " * 100).process_all(work, concurrency=3))
    assert max(most) == 3


def test_process_all_continues_after_a_failure():
    async def work(chunk):
        if chunk.index == 1:
            raise ConnectionError("gone")
        return chunk.index

    results = asyncio.run(window().process_all(work))
    assert [branch.status for branch in results] == [BranchStatus.OK, BranchStatus.FAILED, BranchStatus.OK]
    assert results.succeeded == [0, 2]
    assert results.stats.success_rate == pytest.approx(66.67, abs=0.01)
    with pytest.raises(ExceptionGroup, match="1 of 3 tasks failed"):
        results.merge()


def test_process_all_accepts_l0_options():
    def answering(chunk):
        async def words():
            for word in chunk.content.split():
                yield word[0]

        return {"stream": words}

    assert asyncio.run(window().process_all(answering)).values == ["ottf", "ffss", "sent"]


def test_process_sequential_passes_the_previous_answer():
    async def work(chunk, before):
        return [*(before or []), chunk.index]

    assert asyncio.run(window().process_sequential(work)).values == [[0], [0, 1], [0, 1, 2]]


def test_process_sequential_raises_the_first_failure():
    async def work(chunk, before):
        raise ConnectionError(f"gone at {chunk.index}")

    with pytest.raises(ConnectionError, match="gone at 0"):
        asyncio.run(window().process_sequential(work))


def test_restore_retries_with_more_context():
    seen: list[str] = []

    async def work(chunk):
        seen.append(chunk.content)
        if len(chunk.content) < 30:
            raise empty()
        return "fine"

    results = asyncio.run(window().process_all(work, concurrency=1, restore=Restore(attempts=2, share=0.5)))
    assert results.values == ["fine"] * 3
    assert seen[:3] == [DOCUMENT[:19], DOCUMENT[:29], DOCUMENT[:34]]
    assert seen[3:5] == [DOCUMENT[14:34], DOCUMENT[4:44]]


@pytest.mark.parametrize(("error", "tries"), [(empty(), 2), (ConnectionError("gone"), 1), (ValueError("other"), 1)])
def test_restore_retries_content_failures_only(error, tries):
    seen = []

    async def work(chunk):
        seen.append(chunk)
        raise error

    results = asyncio.run(window("short").process_all(work, restore=Restore()))
    assert len(seen) == tries
    assert results.errors == [error]


@pytest.mark.parametrize("options", [{"attempts": 0}, {"share": 0}, {"share": 1.5}])
def test_restore_rejects_invalid_settings(options):
    with pytest.raises(PolicyError, match="Restore"):
        Restore(**options)


def test_window_memory_does_not_grow_with_the_document():
    async def work(chunk):
        return chunk.content

    def peak(blocks):
        pieces = ("many words make a long document. " * 100 for _ in range(blocks))
        tracemalloc.start()
        results = asyncio.run(window(pieces, size=500, tokenizer="estimate").process_all(work, keep=False))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest, results.stats.count

    peak(10)  # warm up: modules and caches that are loaded once
    (small, few), (large, many) = peak(30), peak(600)
    assert many > 15 * few
    assert large < small + 200_000


def test_window_is_exported_by_l0():
    assert l0.Window is Window
