"""The `Window` class: split a long document into windows that fit a model, and process all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Unpack, cast, get_args

from l0.migration import WindowAliases
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError

from .. import tasks
from ..checks import check_count, check_function
from ..fan_out import ResultHandler, RunOptions, collect
from ..results import Results
from . import context_retry
from .chunks import Chunk
from .context_retry import Restore
from .splitting import Strategy, cut
from .text_measures import CharacterMeasure, Measure, Tokenizer, measure

_BLOCK = 65_536
"""Characters that are read from a document at once."""
SIZE: Final = 2000
Document = str | Iterable[str]
"""A text, or an iterable of its pieces: a text file, a generator."""


@refuses_unknown_options
class Window(WindowAliases):
    """An iterator over the overlapping chunks of a document.

    It creates chunks on demand. A document that is a file or an iterator is never completely in memory, and can be
    iterated only once.
    """

    def __init__(self, document: Document, *, size: int, overlap: int, strategy: Strategy, unit: Measure) -> None:
        self._document = document
        self._unit = unit
        self._spent = False
        self.size = size
        self.overlap = overlap
        self.strategy: Strategy = strategy

    @classmethod
    def create(
        cls,
        document: Document,
        *,
        size: int = SIZE,
        overlap: int | None = None,
        strategy: Strategy = "token",
        tokenizer: Tokenizer | str | None = None,
    ) -> Window:
        """Create windows of at most ``size`` units that begin with the last ``overlap`` units of the previous window.

        ``overlap``: ``None`` means a tenth of the size. ``strategy``: ``"char"`` measures in characters and cuts
        anywhere; the others measure in tokens and cut between words (``"token"``), after a sentence (``"sentence"``)
        or after a paragraph (``"paragraph"``); a paragraph or sentence that is longer than a window is cut at the next
        finer boundary. ``tokenizer``: a function from a text to its tokens or their number, the name of an OpenAI
        vocabulary, or ``"estimate"`` (a quarter of the UTF-8 bytes); by default today's OpenAI vocabulary if the extra
        ``text`` is installed, else the estimate.

        Raises `PolicyError` for an invalid argument, and `ImportError` for a vocabulary without the extra ``text``.
        """
        if isinstance(document, (bytes, Mapping)) or not isinstance(document, Iterable):
            raise PolicyError("Window.document", type(document).__name__, "a text, a text file, an iterator of texts")
        check_count("Window.size", size)
        if strategy not in get_args(Strategy):
            raise PolicyError("Window.strategy", strategy, "one of " + ", ".join(get_args(Strategy)))
        overlap = size // 10 if overlap is None else overlap
        if not isinstance(overlap, int) or isinstance(overlap, bool) or not 0 <= overlap < size:
            raise PolicyError("Window.overlap", overlap, f"a whole number from 0 to less than the size, {size}")
        unit = CharacterMeasure() if strategy == "char" else measure(tokenizer)
        return cls(document, size=size, overlap=overlap, strategy=strategy, unit=unit)

    @classmethod
    def small(cls, document: Document, *, strategy: Strategy = "token") -> Window:
        """Create windows of 1,000 units with an overlap of 100: more precise, at more calls."""
        return cls.create(document, size=1000, strategy=strategy)

    @classmethod
    def medium(cls, document: Document, *, strategy: Strategy = "token") -> Window:
        """Create windows of 2,000 units with an overlap of 200."""
        return cls.create(document, size=SIZE, strategy=strategy)

    @classmethod
    def large(cls, document: Document, *, strategy: Strategy = "token") -> Window:
        """Create windows of 4,000 units with an overlap of 400: for models with a large context, at fewer calls."""
        return cls.create(document, size=4000, strategy=strategy)

    def count(self, text: str) -> int:
        """Return the length of a text, in the unit of ``size``."""
        return self._unit.count(text)

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the windows in order, on demand. Raises `RuntimeError` if an iterator was already read."""
        before: tuple[int, str] | None = None
        current: tuple[int, str] | None = None
        index = 0
        for following in cut(self._pieces(), self.strategy, self.size, self.overlap, self._unit):
            if current is not None:
                yield _chunk(index, before, current, following)
                index += 1
            before, current = current, following
        if current is not None:
            yield _chunk(index, before, current, None)

    def _pieces(self) -> Iterable[str]:
        document = self._document
        if isinstance(document, str):
            return (document[at : at + _BLOCK] for at in range(0, len(document), _BLOCK))
        if not isinstance(document, Iterator):
            return document
        if self._spent:
            raise RuntimeError("the document is an iterator that was already read, and cannot be read again")
        self._spent = True
        # A file is read in blocks: iterating over it would yield lines, and a line may be the complete document.
        read = getattr(document, "read", None)
        return iter(cast(Callable[[], str], partial(read, _BLOCK)), "") if callable(read) else document

    async def process_all(
        self,
        function: Callable[[Chunk], Any],
        *,
        concurrency: int = 5,
        restore: Restore | None = None,
        **options: Unpack[RunOptions],
    ) -> Results[Any]:
        """Process every window, ``concurrency`` at a time, and return the results in the order of the document.

        ``function``: function of a `Chunk` that returns anything a task may return: options of ``l0(...)``, an
        awaitable, a stream or an answer. A failure is part of the results, and does not end the other tasks.
        ``restore``: retry with a wider window. Other options are those of `parallel`; ``keep=False`` is for documents
        larger than memory. Raises `PolicyError` for an invalid argument.
        """
        check_function("process_all.function", function, "a window", optional=False)
        check_count("process_all.concurrency", concurrency)
        if restore is not None and not isinstance(restore, Restore):
            raise PolicyError("process_all.restore", restore, "a Restore, or None")
        jobs = (partial(context_retry.answer, function, chunk, restore) for chunk in self)
        with ResultHandler.of("process_all", options, None, "concurrency", "restore") as result_handler:
            return await collect(jobs, result_handler, concurrency=concurrency, kind="windows")

    async def process_sequential(
        self, function: Callable[[Chunk, Any], Any], **options: Unpack[RunOptions]
    ) -> Results[Any]:
        """Process the windows one after the other. ``function`` also gets the previous answer (``None`` at first).

        Raises the first failure, since the next window would lack its answer.
        """
        check_function("process_sequential.function", function, "a window and the answer before it", optional=False)
        latest: Any = None

        async def job(chunk: Chunk) -> Any:
            nonlocal latest
            latest = await tasks.answer(partial(function, chunk, latest))
            return latest

        fail_fast: RunOptions = {**options, "fail_fast": True}
        with ResultHandler.of("process_sequential", fail_fast, None) as result_handler:
            return await collect((partial(job, chunk) for chunk in self), result_handler, concurrency=1, kind="windows")


def _chunk(
    index: int, before: tuple[int, str] | None, current: tuple[int, str], following: tuple[int, str] | None
) -> Chunk:
    """Return a chunk of a window and its neighbours, each as (offset, text)."""
    start, content = current
    return Chunk(
        index=index,
        content=content,
        start=start,
        last=following is None,
        before=before[1][: start - before[0]] if before is not None else "",
        after=following[1][start + len(content) - following[0] :] if following is not None else "",
    )
