"""One moment as a picture: pure, from a history and the size of the terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stream.store.records import Change, Segment
from stream.watch.history import History, moves, sparkline
from stream.watch.times import span, when

#: From this width on, changes stand beside the segments.
_WIDE = 110
#: From this width on, a change shows both where from and where to.
_BOTH = 70
_HEAD_LINES = 4
_SPARK_WIDE, _SPARK_NARROW = 20, 10


def view(
    history: History, width: int, height: int, note: str = "", news: str = ""
) -> RenderableType:
    """The whole screen. `note` says where the events come from, `news` what just happened."""
    now = history.now
    head = _head(history, note, news, width)
    room = max(height - _HEAD_LINES, 6)
    layout = Layout()
    if width >= _WIDE:
        body = Layout(name="body")
        body.split_row(
            Layout(_segments(history, room - 2, _SPARK_WIDE, width * 3 // 5), ratio=3),
            Layout(_changes(history, now.changes, room - 2, width * 2 // 5), ratio=2),
        )
    else:
        rows = min(max(room - 5, 8), len(now.segments) + 5)
        body = Layout(name="body")
        body.split_column(
            Layout(_segments(history, rows - 2, _SPARK_NARROW, width), size=rows),
            Layout(_changes(history, now.changes, room - rows - 2, width)),
        )
    layout.split_column(Layout(head, size=_HEAD_LINES), body)
    return layout


def _head(history: History, note: str, news: str, width: int) -> RenderableType:
    now = history.now
    facts = Text(no_wrap=True, overflow="ellipsis")
    _fact(facts, f"{history.rate:,.0f}", "events/s", "bold green" if history.rate else "dim")
    _fact(facts, f"{now.counters.get('applied', 0):,}", "events")
    _fact(facts, f"{now.lag:,}", "lag", "bold yellow" if now.lag > 1_000 else "bold")
    count = len(now.workers)
    _fact(facts, str(count), "worker" if count == 1 else "workers", "bold" if count else "bold red")
    rejected = "bold yellow" if now.rejected else "bold"
    _fact(facts, f"{now.rejected:,}", "dead letters", rejected)
    _fact(facts, str(now.model_version or "none"), "model")
    title = f"[bold]Agos[/] {note}".strip() if width >= 60 else "[bold]Agos[/]"
    lines = [facts]
    if news:
        lines.append(Text(news, "yellow", no_wrap=True, overflow="ellipsis"))
    elif not count:
        lines.append(Text("no worker reports: start one with `agos worker`", "red"))
    else:
        lines.append(Text(_second_line(history), "dim", no_wrap=True, overflow="ellipsis"))
    return Panel(Group(*lines), title=title, title_align="left", box=box.ROUNDED)


def _second_line(history: History) -> str:
    now = history.now
    parts = [f"watched for {span(history.watched_ms)}", f"{now.changes_kept:,} changes kept"]
    duplicates = now.counters.get("duplicates", 0)
    if duplicates:
        parts.append(f"{duplicates:,} duplicates dropped")
    if now.counters.get("misplaced"):
        parts.append(f"{now.counters['misplaced']:,} forwarded to their partition")
    return "; ".join(parts)


def _fact(facts: Text, value: str, what: str, style: str = "bold") -> None:
    if facts:
        facts.append("   ")
    facts.append(value, style)
    facts.append(f" {what}", "dim")


def _segments(history: History, rows: int, spark: int, width: int) -> RenderableType:
    table = Table(box=None, expand=True, pad_edge=False, show_header=False)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, min_width=6)
    if width >= 50:
        table.add_column(no_wrap=True, width=spark)
    now = history.now
    groups = [
        ("Defined", [s for s in now.segments if not s.discovered]),
        ("Discovered", [s for s in now.segments if s.discovered and (s.size or not s.retired)]),
    ]
    left = rows
    for title, chosen in groups:
        if not chosen or left < 2:
            continue
        table.add_row(Text(title, "bold cyan"))
        left -= 1
        left -= _add_rows(table, history, chosen, left, spark, width)
    if not now.segments:
        table.add_row(Text("none yet: the model needs some customers first", "dim"))
    return Panel(table, title="Segments", title_align="left", box=box.ROUNDED)


def _add_rows(
    table: Table, history: History, chosen: Sequence[Segment], left: int, spark: int, width: int
) -> int:
    """Add as many segments as fit into `left` lines; the lines used."""
    shown = chosen if len(chosen) <= left else chosen[: max(left - 1, 0)]
    for segment in shown:
        sizes = history.sizes[segment.id]
        name = Text(f" {segment.name}" + (" (ending)" if segment.retired else ""))
        name.stylize("dim" if segment.retired else "")
        cells: list[Any] = [name, f"{segment.size:,}", _trend(sizes.trend())]
        if width >= 50:
            cells.append(Text(sparkline(sizes.sizes, spark), "cyan"))
        table.add_row(*cells)
    hidden = len(chosen) - len(shown)
    if hidden:
        table.add_row(Text(f" and {hidden} more: `agos segments`", "dim"))
    return len(shown) + bool(hidden)


def _trend(difference: int) -> Text:
    if difference > 0:
        return Text(f"▲{difference:,}", "green")
    if difference < 0:
        return Text(f"▼{-difference:,}", "red")
    return Text("·", "dim")


def _changes(history: History, changes: Sequence[Change], rows: int, width: int) -> RenderableType:
    """Latest moves: from where to where; on a narrow panel only to where."""
    table = Table(box=None, expand=True, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width // 6, 8))
    if width >= _BOTH:
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for move in moves(changes)[: max(rows, 0)]:
        cells = [Text(when(move.at_ms, history.now.at_ms)), Text(move.customer_id)]
        entered = history.name(move.entered) if move.entered else ""
        left = history.name(move.left) if move.left else ""
        if width >= _BOTH:
            cells += [Text(left), Text("→", "green" if entered else "red"), Text(entered)]
        else:
            cells += [Text("→", "green") if entered else Text("←", "red"), Text(entered or left)]
        table.add_row(*cells)
    if not changes:
        table.add_row(Text("none yet", "dim"))
    return Panel(table, title="Latest changes", title_align="left", box=box.ROUNDED)
