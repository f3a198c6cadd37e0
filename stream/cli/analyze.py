"""`agos analyze`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from stream.analysis import OUTCOMES, Effect, Finding, Survey, analyse
from stream.cli.common import (
    AsJson,
    Partitions,
    Redis,
    UsageError,
    drawing,
    new_app,
    out,
    plural,
    settings_of,
)
from stream.cli.scanning import Clock, scanned
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.scan import StateScan

app = new_app()
#: Narrower than this a table of findings cannot be read.
_TABLE_COLUMNS = 150


@app.command()
def analyze(
    plots: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw the findings there (PNG).")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every fact, not only those that can be judged.")
    ] = False,
    as_json: AsJson = False,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """Which facts are worth segmenting by: how known, how spread, and what they separate.

    Effects are from 0 (none) over 0.1 (small) and 0.3 (medium) to 1, with 95 % intervals; a fact
    is worth it if its interval begins above 0.1 and chance is ruled out, with all questions asked
    at once taken into account. What goes together need not be the cause of each other.
    """
    settings = settings_of(redis=redis, partitions=partitions)
    if plots is not None and plots.exists() and not plots.is_dir():
        raise UsageError(f"--plots is {str(plots)!r}, which is a file; expected a folder")
    pictures = drawing("stream.analysis.plots") if plots is not None else None
    survey = _survey(settings)
    if not len(survey):
        out.print("No customers yet.")
        return
    findings = analyse(survey, _names(settings, survey), settings.seed)
    written = pictures.draw(findings, plots) if pictures is not None else []
    if as_json:
        record = {"customers": len(survey), "facts": [_record(finding) for finding in findings]}
        print(json.dumps(record, ensure_ascii=False))
        return
    _show(findings, len(survey), every)
    if written:
        out.print(f"\n{plural(len(written), 'picture')} in {escape(str(plots))}")


def _survey(settings: Settings) -> Survey:
    survey = Survey()
    with StateScan(settings) as scan:
        clock = Clock(settings, scan)
        for batch in scanned(scan, "customers"):
            for now_ms, customers in clock.split(batch):
                survey.add(customers, now_ms)
    return survey


def _names(settings: Settings, survey: Survey) -> dict[int, str]:
    """Names of the frequent categories; each partition knows those of its customers."""
    names: dict[int, str] = {}
    with Reader(settings) as reader:
        for partition in range(settings.partitions):
            wanted = [code for code in survey.frequent_categories() if code not in names]
            names |= reader.categories(partition, wanted)
    return names


def _record(finding: Finding) -> dict[str, Any]:
    fact = finding.fact
    return {
        "name": fact.name,
        "kind": fact.kind,
        "meaning": fact.meaning,
        "worth": finding.worth,
        "verdict": finding.verdict,
        "known": len(fact.who),
        "coverage": finding.coverage,
        "top_share": finding.top_share,
        **asdict(fact.spread),
        "groups": [asdict(group) for group in finding.groups],
        "effects": {name: asdict(effect) for name, effect in finding.effects.items()},
        "overlaps": [{"segment": name, "size": size} for name, size in finding.overlaps],
    }


def _show(findings: list[Finding], customers: int, every: bool) -> None:
    out.print(f"{plural(customers, 'customer')}; effects on {', '.join(OUTCOMES.values())}")
    shown = [f for f in findings if every or not f.fact.circular]
    if out.width < _TABLE_COLUMNS:
        _show_one_by_one(shown)
    else:
        _show_table(shown)
    hidden = len(findings) - len(shown)
    if hidden:
        out.print(f"[dim]{plural(hidden, 'measure')} made of orders left out (--all).[/]")


def _show_one_by_one(shown: list[Finding]) -> None:
    for finding in shown:
        fact, effects = finding.fact, finding.effects
        sizes = (f"{name} {_effect(effects[name])}" for name in OUTCOMES if name in effects)
        out.print(f"[dim]{fact.kind}[/] [bold]{escape(fact.name)}[/], known {finding.coverage:.0%}")
        out.print(f"  {_verdict(finding)}")
        for line in filter(None, (escape(_spread(finding)), ", ".join(sizes))):
            out.print(f"  {line}")


def _show_table(shown: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("fact", no_wrap=True)
    table.add_column("known", justify="right")
    table.add_column("spread", ratio=2)
    for name in OUTCOMES:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", ratio=3)
    for finding in shown:
        table.add_row(
            f"[dim]{finding.fact.kind}[/] {escape(finding.fact.name)}",
            f"{finding.coverage:.0%}",
            escape(_spread(finding)),
            *(_effect(finding.effects.get(name)) for name in OUTCOMES),
            _verdict(finding),
        )
    out.print(table)


def _verdict(finding: Finding) -> str:
    return f"[green]{escape(finding.verdict)}[/]" if finding.worth else escape(finding.verdict)


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return ""
    return f"{effect.size:.2f} [dim]{effect.low:.2f}-{effect.high:.2f}[/]"


def _spread(finding: Finding) -> str:
    spread = finding.fact.spread
    if spread.quantiles:
        low, _, middle, _, high = spread.quantiles
        said = f"{low:.3g} to {high:.3g}, median {middle:.3g}"
        return said if spread.gini is None else f"{said}, Gini {spread.gini:.2f}"
    known = max(len(finding.fact.who), 1)
    top = ", ".join(f"{value} {count / known:.0%}" for value, count in spread.top[:3])
    return top if spread.distinct <= 3 else f"{top}, … ({spread.distinct:,} values)"
