"""`--at TIME`: who was where then, as far as the change records reach back."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.markup import escape
from rich.table import Table

from stream.asof import Reach, WalkBack
from stream.cli.common import out, plural
from stream.cli.moments import parse_moment
from stream.errors import AgosError
from stream.settings import Settings
from stream.store.past import Kept, Past
from stream.store.records import Change
from stream.watch.times import ago, moment


def parsed(text: str) -> int:
    """Epoch ms of what was typed."""
    return parse_moment(text, time.time_ns() // 1_000_000)


def walk(
    past: Past,
    settings: Settings,
    back: WalkBack,
    enough: Callable[[WalkBack], bool] = lambda back: True,
    until: str = "+",
) -> WalkBack:
    """Go back to the moment, and on until it is `enough`.

    Raises
    ------
    AgosError
        If the moment lies before what is kept.
    """
    replayed = settings.clock == "events"
    if not replayed:
        _refuse_unless_kept(past.kept(), back.at_ms, None)
    reach = Reach(settings.partitions)
    for i, change in enumerate(past.changes(until)):
        back.add(change)
        reach.add(change)
        if i % 1_000 == 0 and back.passed(change.position) and enough(back):
            break
    # Asked again: changes may have been taken off while they were walked.
    _refuse_unless_kept(past.kept(), back.at_ms, reach.back_to_ms() if replayed else None)
    return back


def _refuse_unless_kept(kept: Kept, at_ms: int, replayed_from_ms: int | None) -> None:
    if kept.whole or at_ms >= kept.first_ms:
        return
    from_ms = kept.first_ms if replayed_from_ms is None else replayed_from_ms
    if at_ms >= from_ms:
        return
    raise AgosError(
        f"--at is {moment(at_ms)}, and agos:changes reaches back to {moment(from_ms)} "
        f"({plural(kept.entries, 'change')}): who was where before that is no longer known. "
        "AGOS_CHANGES says how many changes are kept"
    )


def show_customer(settings: Settings, customer_id: str, text: str, as_json: bool) -> None:
    """Segments of one customer then."""
    at_ms = parsed(text)
    with Past(settings) as past:
        _, known, _ = past.sizes(at_ms)
        back = WalkBack(at_ms, lambda change: change.customer_id == customer_id)
        public = [name for name in known if not known[name].get("shadow")]
        now = past.since(customer_id, public)
        stayed = {name: since for name, since in now.items() if since <= at_ms}

        def members(back: WalkBack) -> list[str]:
            left = {segment for _, segment in back.left_since()}
            entered = {segment for _, segment in back.entered_since()}
            return sorted((stayed.keys() - entered) | left)

        def enough(back: WalkBack) -> bool:
            return all(back.entry(customer_id, name) for name in members(back))

        walk(past, settings, back, enough)
        found = members(back)
    entries = {name: back.entry(customer_id, name) for name in found}
    names = {name: str(known.get(name, {}).get("name") or name) for name in found}
    if as_json:
        segments = [_record(name, names[name], entries[name], stayed.get(name)) for name in found]
        record = {"customer_id": customer_id, "at_ms": at_ms, "segments": segments}
        print(json.dumps(record, ensure_ascii=False))
        return
    out.print(f"[bold]{escape(customer_id)}[/]  as of {moment(at_ms)} ({ago(at_ms)})")
    if not found:
        out.print("In no segment then.")
    for name in found:
        show_entry(name, names[name], entries[name], stayed.get(name))
    out.print("[dim]Totals and traits are known as of now only: `agos customer ID`.[/]")


def _record(name: str, title: str, entry: Change | None, since: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "name": title,
        "since_ms": entry.at_ms if entry and since is None else since,
        "cause": entry.cause if entry else None,
        "reason": entry.reason if entry else None,
        "due_at_ms": entry.due_at_ms if entry else None,
    }


def show_entry(
    name: str, title: str, entry: Change | None, since_ms: int | None, sure: str = ""
) -> None:
    """A segment that a customer is or was in: since when, why, and until when."""
    since_ms = entry.at_ms if entry and since_ms is None else since_ms
    when = f"since {moment(since_ms)} ({ago(since_ms)})" if since_ms is not None else ""
    cause = f"[dim]({entry.cause})[/]" if entry else ""
    said = "  ".join(filter(None, (f"[bold]{escape(title)}[/] [dim]{name}[/]", when, sure, cause)))
    out.print(f"  {said}")
    if entry and entry.reason:
        out.print(f"      [dim]{escape(entry.reason)}[/]")
    if entry and entry.due_at_ms:
        until = f"{moment(entry.due_at_ms)} ({ago(entry.due_at_ms)})"
        out.print(f"      [dim]if nothing happened, until {until}[/]")


def show_segments(settings: Settings, text: str, as_json: bool) -> None:
    """How many were in each segment then, and are now."""
    at_ms = parsed(text)
    with Past(settings) as past:
        stayed, known, until = past.sizes(at_ms)
        back = walk(past, settings, WalkBack(at_ms), until=until)
    sizes = Counter(stayed) + Counter(segment for _, segment in back.left_since())
    shadows = [name for name, said in known.items() if said.get("shadow")]
    rows = [
        {"id": name, "name": known.get(name, {}).get("name") or name, "size": sizes[name]}
        for name in sorted({*known, *sizes} - {*shadows}, key=lambda name: (-sizes[name], name))
    ]
    if as_json:
        print(json.dumps({"at_ms": at_ms, "segments": rows}, ensure_ascii=False))
        return
    out.print(f"As of {moment(at_ms)} ({ago(at_ms)})")
    table = Table(box=None, pad_edge=False)
    table.add_column("id", style="dim", no_wrap=True)
    table.add_column("customers", justify="right")
    table.add_column("name")
    for row in rows:
        table.add_row(str(row["id"]), f"{row['size']:,}", escape(str(row["name"])))
    out.print(table)
    if shadows:
        out.print(f"[dim]Unknown, as changes of a shadow are not recorded: {', '.join(shadows)}[/]")


def show_segment(settings: Settings, segment: str, text: str, members: int, as_json: bool) -> None:
    """Who was in one segment then."""
    at_ms = parsed(text)
    with Past(settings) as past:
        # Before the sizes: who leaves in between is found among those who left.
        listed = past.stayed(segment, at_ms, members)
        stayed, known, until = past.sizes(at_ms)
        if known.get(segment, {}).get("shadow"):
            raise AgosError(f"segment {segment!r} is a shadow: its changes are not recorded")
        back = WalkBack(at_ms, lambda change: change.segment == segment)

        def enough(back: WalkBack) -> bool:
            return all(back.entry(*pair) for pair in back.left_since())

        walk(past, settings, back, enough, until)
    left = back.left_since()
    if segment not in known and not left:
        expected = ", ".join(known) or "(there are none yet)"
        raise AgosError(f"segment is {segment!r}, expected one of {expected}")
    size = stayed.get(segment, 0) + len(left)
    since = {member.customer_id: member.entered_ms for member in listed}
    for customer_id, _ in left:
        entry = back.entry(customer_id, segment)
        since[customer_id] = entry.at_ms if entry else 0
    newest = sorted(since.items(), key=lambda pair: (-pair[1], pair[0]))[:members]
    name = str(known.get(segment, {}).get("name") or segment)
    if as_json:
        found = [{"customer_id": c, "entered_ms": at or None} for c, at in newest]
        record = {"at_ms": at_ms, "id": segment, "name": name, "size": size, "members": found}
        print(json.dumps(record, ensure_ascii=False))
        return
    out.print(f"[bold]{escape(name)}[/]  [dim]{segment}[/]  as of {moment(at_ms)} ({ago(at_ms)})")
    out.print(plural(size, "customer"))
    table = Table.grid(padding=(0, 2))
    for customer_id, entered_ms in newest:
        when = f"since {moment(entered_ms)}" if entered_ms else "since before what is kept"
        table.add_row("", escape(customer_id), when)
    out.print(table)
