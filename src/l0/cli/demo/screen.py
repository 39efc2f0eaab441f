"""The screen of the demo, drawn by rich: the same tables during the run, at the end, and as SVG."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .demo_state import Demo
from .judge import AnswerVerdict, Result, VerdictCounts, differs, percentile
from .plan import APIS, SDKS

WIDTH = 108
_LABELS = {
    "chat": "openai chat",
    "responses": "openai responses",
    "completions": "openai completions",
    "messages": "anthropic messages",
}
_SHARES = (0.5, 0.95, 0.99)
_EVIDENCE = 5
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def live(demo: Demo, console: Console, *, plain: bool) -> AbstractContextManager[object]:
    """Return a context that draws the screen four times a second. With ``plain``, it draws nothing."""
    if plain:
        return nullcontext()
    return Live(get_renderable=lambda: picture(demo), console=console, refresh_per_second=4, transient=True)


def console(*, plain: bool) -> Console:
    """Create the console for the screen; with ``plain``, without colour."""
    if plain:
        return Console(no_color=True, highlight=False, width=WIDTH, force_terminal=False)
    return Console(highlight=False)


def save_svg(demo: Demo, path: Path) -> None:
    """Save the final screen as SVG. Raises `OSError`."""
    recording = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    recording.print(picture(demo))
    # Font URLs would make every viewer of the image download fonts. The fallback is monospace, too.
    path.write_text(_FONTS.sub("", recording.export_svg(title="l0 demo")), encoding="utf-8")


def picture(demo: Demo, *, plain: bool = False) -> RenderableType:
    """Return the complete screen with the current figures."""
    with demo.lock:
        style = box.ASCII if plain else box.ROUNDED
        parts: list[RenderableType] = [_heading(demo), _received(demo, style), _behind(demo, style), *_ending(demo)]
    return Group(*parts)


def _heading(demo: Demo) -> Text:
    options = demo.options
    text = Text()
    text.append("l0 demo", style="bold")
    text.append(
        f"  {options.calls} streaming calls, made twice, to a simulated provider that breaks {options.fault_share:.0%} "
        f"of the requests.\n{demo.source}, seed {options.seed}, {options.concurrency} concurrent calls, "
        "half in threads, half in asyncio, all in this process."
    )
    return text


def _received(demo: Demo, style: box.Box) -> Table:
    table = Table(
        box=style, title="What the application received", title_justify="left", title_style="bold", expand=True
    )
    table.add_column("")
    table.add_column("calls", justify="right")
    for who in ("bare", "l0"):
        table.add_column(f"{who}:\ncomplete", justify="right", style="green")
        table.add_column(f"{who}:\nerror", justify="right", style="yellow")
        table.add_column(f"{who}: broken,\nno error", justify="right")
    for api in APIS:
        table.add_row(_LABELS[api], *_verdicts(demo.bare.tallies[api], demo.covered.tallies[api]))
    table.add_section()
    table.add_row("all", *_verdicts(demo.bare.total, demo.covered.total), style="bold")
    return table


def _verdicts(bare: VerdictCounts, covered: VerdictCounts) -> list[str | Text]:
    cells: list[str | Text] = [str(max(bare.calls, covered.calls))]
    for tally in (bare, covered):
        wrong = tally.verdicts[AnswerVerdict.SILENT] + tally.verdicts[AnswerVerdict.FOREIGN]
        cells += [str(tally.verdicts[AnswerVerdict.WHOLE]), str(tally.verdicts[AnswerVerdict.ERROR])]
        cells.append(Text(str(wrong), style="bold red" if wrong else "green"))
    return cells


def _behind(demo: Demo, style: box.Box) -> Table:
    table = Table(box=style, title="Faults, retries and latency", title_justify="left", title_style="bold", expand=True)
    table.add_column("")
    sdks = sorted(set(SDKS.values()), reverse=True)
    for sdk in sdks:
        table.add_column(sdk, ratio=1)
    attempts, failed, retried = demo.attempts.snapshot()
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("faults served", lambda sdk: _counts(demo.covered.broken.get(sdk, {}))),
        ("failures seen by l0", lambda sdk: f"{_counts(failed.get(sdk, {}))}\nof {attempts.get(sdk, 0)} attempts"),
        ("retries by l0", lambda sdk: _counts(retried.get(sdk, {}))),
        ("first token, bare", lambda sdk: _times(demo.bare.of(sdk).firsts)),
        ("first token, l0", lambda sdk: _times(demo.covered.of(sdk).firsts)),
        ("gaps, bare", lambda sdk: _times(demo.bare.of(sdk).gaps)),
        ("gaps, l0", lambda sdk: _times(demo.covered.of(sdk).gaps)),
    ]
    for label, of in rows:
        table.add_row(label, *(of(sdk) for sdk in sdks))
    return table


def _counts(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    named = ", ".join(f"{name} {count}" for name, count in Counter(counts).most_common())
    return f"{total}: {named}" if total else "0"


def _times(seconds: Sequence[float]) -> str:
    found = [percentile(seconds, share) for share in _SHARES]
    shown = (
        f"p{share * 100:.0f} {value * 1000:.0f} ms"
        for share, value in zip(_SHARES, found, strict=True)
        if value is not None
    )
    return "   ".join(shown) or "-"


def _ending(demo: Demo) -> Iterable[Text]:
    calls = demo.options.calls
    for run in (demo.bare, demo.covered):
        if run.total.calls < calls:
            yield Text(
                f"{'bare SDK' if run is demo.bare else 'with l0'}: {run.total.calls} of {calls} calls ...", style="dim"
            )
            return
    yield _comparison(demo)
    yield Text(f"Telemetry: {demo.telemetry}.")


def _comparison(demo: Demo) -> Text:
    bare, covered = demo.bare.total.verdicts, demo.covered.total.verdicts
    text = Text()
    text.append("Bare: ", style="bold")
    text.append(f"{bare[AnswerVerdict.SILENT]} broken answers delivered without an error", style="bold red")
    text.append(f", {bare[AnswerVerdict.ERROR]} errors, {bare[AnswerVerdict.WHOLE]} complete.\n")
    text.append("With l0.instrument(): ", style="bold")
    wrong = covered[AnswerVerdict.SILENT] + covered[AnswerVerdict.FOREIGN]
    text.append(f"{wrong} broken answers delivered without an error", style="bold red" if wrong else "bold green")
    text.append(f", {covered[AnswerVerdict.ERROR]} errors, {covered[AnswerVerdict.WHOLE]} complete.\n")
    warm_up = demo.covered.warm_up.calls
    text.append(
        "After text is delivered a retry would be visible, so l0 raises an error. Faults that were scheduled after the "
        "end of an answer had no effect. "
        f"Duration: {demo.bare.seconds:.1f} s bare, {demo.covered.seconds:.1f} s with l0. "
        f"Not counted: {warm_up} healthy calls before each run, from which l0 learns that this origin ends its streams "
        "with a terminal event; for the providers' own hosts it knows this.",
        style="dim",
    )
    return text


def evidence(wrong: Sequence[Result]) -> str:
    """Describe the first answers that l0 delivered wrong, for debugging."""
    lines = []
    for result in wrong[:_EVIDENCE]:
        if result.error is not None:
            what = repr(result.error)
        else:
            what = f"{differs(result.call.answer.content, result.content)}, {len(result.content)} characters"
        lines.append(f"wrong: call {result.call.number} ({result.call.api}, {result.call.concurrent}): {what}")
        lines.append(f"       {result.call.script}")
    return "\n".join(lines)
