"""The report as a table, and seeds that failed as files."""

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.fault_parts.run import Plan


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    console = Console()
    table = Table("what", "figure", title="Exactly once in effect, under faults")
    plan = found["plan"]
    asked = ("seed", "broker", "events", "customers", "workers")
    table.add_row("plan", ", ".join(f"{name} {plan[name]}" for name in asked if name in plan))
    table.add_row("machine", f"{platform.machine()}, Python {platform.python_version()}")
    for name, value in found["figures"].items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    table.add_section()
    for kind, count in found.get("faults", {}).items():
        table.add_row(f"fault: {kind}", str(count))
    table.add_row("faults in all", str(found.get("faults in all", 0)))
    for kind in found.get("not possible here", []):
        table.add_row(f"not asked for, or not possible here: {kind}", "-")
    table.add_section()
    for reason, count in found.get("workers ended by themselves", {}).items():
        table.add_row(f"worker ended by itself: {reason}", str(count))
    table.add_row("seconds", str(found["seconds"]))
    console.print(table)
    for kind, count in found["deviations"].items():
        console.print(f"[red]{kind}: {count}[/red]")
        for example in found["examples"][kind]:
            console.print(f"    {example}", markup=False)
    console.print("clean" if found["clean"] else "[red]DEVIATIONS[/red]")


def keep(directory: Path, plan: Plan) -> Path:
    """Write down a plan that failed, for the regression test."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{plan.broker}-{plan.events}-{plan.faults}-{plan.seed}.json"
    fields = {name: value for name, value in asdict(plan).items() if name != "logs"}
    path.write_text(json.dumps(fields, indent=2) + "\n")
    return path
