"""The figures as tables for people."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benches.throughput import WORKER


@dataclass(frozen=True, slots=True)
class Section:
    """One table: the first column is what, the others are figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def sections(figures: Mapping[str, Any]) -> list[Section]:
    """A table for each part that was measured; before them, what they were measured on."""
    made: Mapping[str, Callable[[Any], Section]] = {
        "throughput": _throughput,
        "latency": _latency,
        "reading": _reading,
        "growth": _growth,
        "rebalance": _rebalance,
        "scale": _scale,
        "collect": _collect,
        "definitions": _definitions,
        "idle": _idle,
        "dashboard": _dashboard,
        "soak": _soak,
    }
    machines: list[Section] = []
    parts: list[Section] = []
    for name, part in figures.items():
        machine = _machine(part["machine"])
        if machine not in machines:
            machines.append(machine)
        parts.append(made[name](part["figures"]))
    return [*machines, *parts]


def show(figures: Mapping[str, Any]) -> None:
    """Print every table."""
    console = Console()
    for section in sections(figures):
        table = Table(title=section.title, title_justify="left", title_style="bold")
        for i, column in enumerate(section.columns):
            table.add_column(column, justify="right" if i else "left")
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def _machine(part: Mapping[str, Any]) -> Section:
    shown = {name: value for name, value in part.items() if name != "versions"}
    rows = [(name.replace("_", " "), str(value)) for name, value in shown.items()]
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in part.get("versions", {}).items())))
    return Section("machine", ("", ""), rows)


def _throughput(part: Mapping[str, Any]) -> Section:
    ratios, runs = part["times_as_fast_as"], part["runs"]
    rows = []
    for name, rate in part["events_per_second"].items():
        ratio = "" if name == WORKER else f"{ratios[name]:.2f}"
        rows.append((name, f"{rate:,}", " ".join(f"{r:,}" for r in runs[name]), ratio))
    rows += [(name, why, "", "") for name, why in part["missing"].items()]
    title = (
        f"throughput: {part['events']:,} waiting events of {part['customers']:,} customers, "
        f"{part['broker']} broker, seeds {part['seeds']}"
    )
    return Section(title, ("", "events/s, median", "runs", "Agos is so many times as fast"), rows)


def _latency(part: Sequence[Mapping[str, Any]]) -> Section:
    rows = []
    for at in part:
        ours, bare = at["to_redis_ms"], at["bare_round_trip_ms"]
        rate = f"{at['events_per_second']:,}"
        for name in (quantile for quantile in ours if quantile.startswith("p")):
            ratio = ours[name] / bare[name] if bare[name] else 0.0
            rows.append((f"{name} at {rate}/s", str(ours[name]), str(bare[name]), f"{ratio:.2f}"))
    return Section(
        "latency: event sent until readable in Redis",
        ("", "ms", "bare round trip, ms", "ratio"),
        rows,
    )


def _reading(part: Mapping[str, Any]) -> Section:
    rows = []
    for name, us in part["us"].items():
        ratios = part["times_a_get"].get(name, {})
        rows += [(f"{name} {at}", str(us[at]), str(ratios.get(at, ""))) for at in us]
    title = f"reading: {part['customers']:,} customers, {part['samples']:,} calls of each, in turns"
    return Section(title, ("", "µs", "times a GET"), rows)


def _growth(part: Sequence[Mapping[str, Any]]) -> Section:
    rows = []
    first = part[0]
    for size in part:
        figures = [f"{size['customers']:,}"]
        for name in ("active_customers", "all_customers"):
            rate, base = size[name]["events_per_second"], first[name]["events_per_second"]
            figures.append(f"{rate:,} ({rate / base:.2f})")
        parts = size["bytes_per_customer"]
        figures += [str(parts["sum_of_parts"]), str(parts["by_total"]), str(size["worker_mb"])]
        rows.append(figures)
    return Section(
        f"growth: events/s and (share of that at {first['customers']:,}); bytes per customer",
        (
            "customers", "events of the same 10,000", "events of all", "Redis, sum of parts",
            "Redis, by total", "worker MB",
        ),
        rows,
    )  # fmt: skip


def _rebalance(part: Sequence[Mapping[str, Any]]) -> Section:
    rows = [
        (f"{at['customers']:,}", str(at["first_ms"]), str(at["last_ms"]), str(at["stood_ms"]))
        for at in part
    ]
    return Section(
        f"rebalance: a worker joins at {part[0]['events_per_second']:,} events/s; the slowest of "
        f"{len(part[0]['joins'])} joins, ms",
        (
            "customers", "assignment to first batch", "to the last partition's first",
            "a partition stood at most",
        ),
        rows,
    )  # fmt: skip


def _scale(part: Mapping[str, Any]) -> Section:
    rows = []
    for workers, runs in part["runs"].items():
        cost = part["per_event"][workers]
        rows.append(
            (workers, " ".join(f"{r:,}" for r in runs), str(cost["worker_cpu_us"]),
             str(cost["redis_cpu_us"]))
        )  # fmt: skip
    ratios = " ".join(map(str, part["two_to_one"]))
    title = f"scale: {part['events']:,} events; two workers to one: {ratios}"
    return Section(
        title, ("workers", "events/s", "worker CPU µs/event", "Redis CPU µs/event"), rows
    )


def _definitions(part: Mapping[str, Any]) -> Section:
    rows = []
    for name in ("conditions", "worker", "worker_event_by_event"):
        figures = part[name]
        times = [f"{figures['us_per_event'][count]:.1f}" for count in ("10", "100")]
        changes = [f"{figures['changes_per_event'][count]:.2f}" for count in ("10", "100")]
        runs = " ".join(f"{ratio:.2f}" for ratio in figures["ratios"])
        rows.append(
            (name.replace("_", " "), *times, " → ".join(changes), f"{figures['ratio']:.2f}", runs)
        )
    title = (
        f"definitions: CPU per event, {part['events']:,} events of {part['customers']:,} customers"
    )
    head = ("", "10: us", "100: us", "changes per event", "ratio", "runs")
    return Section(title, head, rows)


def _idle(part: Mapping[str, Any]) -> Section:
    late = part["exit_late_ms"]
    rows = [
        ("worker, share of a core", f"{part['core']:.1%}"),
        *((f"exit after its moment, ms: {name}", f"{ms:,.0f}") for name, ms in late.items()),
    ]
    title = f"idle: {part['customers']:,} customers, {part['broker']} broker"
    return Section(title, ("", ""), rows)


def _dashboard(part: Mapping[str, Any]) -> Section:
    added = part["redis_added"]
    rows = [
        (
            name,
            f"{100 * row['dashboard_core']:.1f} %" if name in added else "",
            f"{100 * row['redis_core']:.2f} %",
            f"{row['redis_commands_per_second']:.0f}",
            f"{100 * added[name]:.2f} %" if name in added else "",
        )
        for name, row in part["rows"].items()
    ]
    title = (
        f"dashboard: {part['segments']} segments, {part['broker']} broker; a worker's events cost "
        f"Redis {part['redis_cpu_us_per_event']} µs each, at 20,000/s "
        f"{100 * part['redis_core_at_20000']:.0f} % of a core"
    )
    columns = ("", "dashboard, of a core", "Redis, of a core", "commands/s", "added to that load")
    return Section(title, columns, rows)


def _soak(part: Any) -> Section:
    title = (
        f"soak: one worker, {part['events_per_second']:,} events/s, {part['minutes']:g} minutes, "
        f"{part['broker']} broker"
    )
    rows = [
        ("worker's memory, MB, begun", str(part["worker_mb"]["begun"])),
        ("and ended", str(part["worker_mb"]["ended"])),
        ("Redis' memory, MB, begun", str(part["redis_mb"]["begun"])),
        ("and ended", str(part["redis_mb"]["ended"])),
        ("customers", f"{part['customers']:,}"),
        ("events sent", f"{part['sent']:,}"),
        ("events counted", f"{part['counted']:,}"),
        ("stopped after, s", str(part["stop_seconds"])),
        ("with", str(part["exit_code"])),
    ]
    return Section(title, ("", ""), rows)


def _collect(part: Mapping[str, Any]) -> Section:
    rows = []
    for server in ("bare uvicorn", "collector"):
        for name, run in part[server].items():
            figures = [run["requests_per_s"], run["events_per_s"], run["events_per_core_s"]]
            rows.append(
                (f"{server}, {name}", *(f"{figure:,}" for figure in figures),
                 str(run["core_used"]), str(run["p50_ms"]), str(run["p99_ms"]))
            )  # fmt: skip
    title = (
        f"collect: HTTP to Kafka ({part['broker']} broker), single calls and batches of "
        f"{part['events_per_batch']}; the server on one core, all else on another, which may "
        "bound events/s; per core: by the CPU seconds of the server's process"
    )
    columns = ("requests/s", "events/s", "events per core and s", "core used", "p50 ms", "p99 ms")
    return Section(title, ("", *columns), rows)
