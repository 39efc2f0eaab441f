"""The screen of the demo, drawn by rich: 80 columns and 23 lines, the same during the run, at its end and as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..output_console import OutputConsole
from .demo_state import Demo, DemoRun
from .details import details
from .judge import AnswerVerdict, Result, differs, judge
from .next_steps import Commands

WIDTH = 80
_MAX_EVIDENCE = 5
"""Wrong answers that are described."""
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def live(demo: Demo, console: Console, commands: Commands, *, plain: bool) -> AbstractContextManager[object]:
    """Return a context that draws the screen four times a second. With ``plain``, it draws nothing."""
    if plain:
        return nullcontext()
    return Live(get_renderable=lambda: picture(demo, commands), console=console, refresh_per_second=4, transient=True)


def console(*, plain: bool) -> Console:
    """Create the console for the screen; with ``plain``, without colour."""
    if plain:
        return OutputConsole(no_color=True, highlight=False, width=WIDTH, force_terminal=False)
    created = OutputConsole(highlight=False)
    created.width = min(created.width, WIDTH)
    return created


def save_svg(demo: Demo, path: Path) -> None:
    """Save the final screen as SVG. Raises `OSError`."""
    recording = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    recording.print(picture(demo, Commands(program="l0", viewer=True, export=True)))
    # With the font URLs, every viewer of the image would download fonts. The fallback font is monospace, too.
    path.write_text(_FONTS.sub("", recording.export_svg(title="l0 demo")), encoding="utf-8")


def picture(demo: Demo, commands: Commands, *, plain: bool = False, with_details: bool = False) -> RenderableType:
    """Return the complete screen with the current figures."""
    return Group(opening(demo, plain=plain), closing(demo, commands, plain=plain, with_details=with_details))


def opening(demo: Demo, *, plain: bool) -> RenderableType:
    """Return the heading and the example call."""
    heading = Text()
    heading.append("l0 demo", style="bold")
    heading.append(": a simulated provider, which breaks answers. No key, no network.")
    return Group(heading, _example(demo.runs, box.ASCII if plain else box.ROUNDED))


def closing(demo: Demo, commands: Commands, *, plain: bool, with_details: bool) -> RenderableType:
    """Return the table of the runs, and the commands to try next."""
    with demo.lock:
        parts: list[RenderableType] = [Text(), *_load(demo)]
        if with_details:
            parts += [Text(), *details(demo, box.ASCII if plain else box.ROUNDED)]
    if demo.options.otlp is not None:
        parts.append(Text(f"Telemetry: {demo.telemetry}."))
    return Group(
        *parts, Text(f"Next, with a program of yours{commands.terminal_hint}:", style="bold"), *commands.lines()
    )


def _example(runs: Sequence[DemoRun], style: box.Box) -> Table:
    table = Table(
        box=style,
        title="One answer that breaks off, as your program receives it:",
        title_justify="left",
        title_style="none",
        width=WIDTH,
    )
    for run in runs:
        table.add_column(run.label, header_style="bold", ratio=1)
    table.add_row(*("" if run.example is None else run.example.content.rstrip() for run in runs), end_section=True)
    table.add_row(*map(_outcome, runs))
    return table


def _outcome(run: DemoRun) -> Text:
    result = run.example
    if result is None:
        return Text()
    if result.error is not None:
        reason = getattr(result.error, "reason", None)
        kind = "StreamInterrupted" if reason else type(result.error).__name__
        return Text(f"error: {reason or kind}\n({kind})", style="yellow")
    if judge(result) is AnswerVerdict.SILENT:
        return Text(f"silent: {differs(result.call.answer.content, result.content)}\n(no error)", style="bold red")
    return Text(f"complete\n(attempt {run.example_requests} was whole)", style="green")


def _load(demo: Demo) -> Iterable[RenderableType]:
    options = demo.options
    yield Text(
        f"The same {options.calls} calls in each run; {options.fault_share:.0%} of the requests break "
        f"(seed {options.seed}):"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1), width=WIDTH)
    table.add_column("")
    for name in ("silent", "errors", "complete", "requests"):
        table.add_column(name, justify="right", header_style="bold")
    table.add_column("", min_width=24)
    for run in demo.runs:
        table.add_row(*_row(run, options.calls))
    yield table


def _row(run: DemoRun, calls: int) -> list[str | Text]:
    total = run.total
    if not total.calls:
        return [run.label, *["-"] * 4, ""]
    silent = total.verdicts[AnswerVerdict.SILENT] + total.verdicts[AnswerVerdict.FOREIGN]
    errors = total.verdicts[AnswerVerdict.ERROR]
    return [
        Text(run.label, style="bold"),
        Text(str(silent), style="bold red" if silent else "bold green"),
        Text(str(errors), style="yellow" if errors else "bold green"),
        Text(str(total.verdicts[AnswerVerdict.WHOLE]), style="green"),
        str(sum(run.requests.values())) if run.requests else "-",
        Text(run.note if total.calls == calls else f"{total.calls} of {calls} calls", style="dim"),
    ]


def evidence(wrong: Sequence[Result]) -> str:
    """Describe the first answers that l0 delivered wrong, for debugging."""
    lines = []
    for result in wrong[:_MAX_EVIDENCE]:
        if result.error is not None:
            what = repr(result.error)
        else:
            what = f"{differs(result.call.answer.content, result.content)}, {len(result.content)} characters"
        lines.append(f"wrong: call {result.call.number} ({result.call.api}, {result.call.concurrent}): {what}")
        lines.append(f"       {result.call.script}")
    return "\n".join(lines)
