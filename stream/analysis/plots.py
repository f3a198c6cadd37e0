"""Findings as pictures (PNG). Needs matplotlib: the extra `analyze`."""

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream.analysis.effects import Effect
from stream.analysis.survey import OUTCOMES
from stream.analysis.verdicts import SMALL, STRONG, Finding

_COLOURS = {"spend": "#0072b2", "conversion": "#d55e00", "repeat": "#009e73"}
_GREY = "#777777"
#: Facts of the overview.
_MOST = 25


def draw(findings: Sequence[Finding], folder: Path) -> list[Path]:
    """Write an overview and one picture of each fact with an effect; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = [finding for finding in findings if finding.effects]
    written = []
    if judged:
        written.append(_save(_overview(judged[:_MOST]), folder / "effects.png"))
    names: set[str] = set()
    for finding in judged:
        name = _file_name(finding.fact.name, names)
        written.append(_save(_one(finding), folder / name))
    return written


def _file_name(fact: str, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", fact.lower()).strip("-") or "fact"
    name, number = plain, 2
    while name in taken or name == "effects":
        name, number = f"{plain}-{number}", number + 1
    taken.add(name)
    return f"{name}.png"


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="png")
    return path


def _overview(findings: Sequence[Finding]) -> Figure:
    """Effects with their intervals, the first fact on top."""
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(findings)), layout="constrained")
    axes = figure.subplots()
    for row, finding in enumerate(reversed(findings)):
        for offset, (name, colour) in zip((0.22, 0.0, -0.22), _COLOURS.items(), strict=True):
            effect = finding.effects.get(name)
            if effect is not None:
                _interval(axes, effect, row + offset, colour)
    for limit in (SMALL, STRONG):
        axes.axvline(limit, color=_GREY, linewidth=0.8, linestyle=":")
    names = [_plain(finding.fact.name) for finding in reversed(findings)]
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 1)
    axes.set_xlabel("effect: share of rank variance, square root, with 95 % interval")
    for name, colour in _COLOURS.items():
        axes.plot([], [], "o", color=colour, label=OUTCOMES[name])
    axes.legend(loc="lower right", frameon=False)
    _plain_frame(axes)
    return figure


def _interval(axes: Axes, effect: Effect, height: float, colour: str) -> None:
    axes.plot([effect.low, effect.high], [height, height], color=colour, linewidth=2)
    axes.plot([effect.size], [height], "o", color=colour, markersize=4)


def _one(finding: Finding) -> Figure:
    """How many customers each group has, and what they did."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    labels = [_plain(group.label) for group in finding.groups]
    places = range(len(labels))
    left.barh(places, [group.customers for group in finding.groups], color=_GREY)
    left.set_title(f"customers ({finding.coverage:.0%} known)", fontsize=9)
    left.set_yticks(places, labels)
    for shift, name in ((0.2, "conversion"), (-0.2, "repeat")):
        rates = [getattr(group, name) for group in finding.groups]
        errors = [_error(r, g.customers) for r, g in zip(rates, finding.groups, strict=True)]
        heights = [place + shift for place in places]
        middle.barh(heights, rates, 0.36, color=_COLOURS[name], label=name, xerr=errors)
    middle.set_title("share who bought, and bought again", fontsize=9)
    middle.set_xlim(left=0)
    middle.legend(frameon=False, fontsize=8)
    right.barh(places, [group.mean_spend for group in finding.groups], color=_COLOURS["spend"])
    right.set_title("mean spend", fontsize=9)
    for axes in (middle, right):
        axes.set_yticks(places, [""] * len(labels))
    for axes in (left, middle, right):
        axes.invert_yaxis()
        _plain_frame(axes)
    figure.suptitle(f"{_plain(finding.fact.name)}: {_plain(finding.verdict)}", fontsize=10)
    return figure


def _error(rate: float, customers: int) -> float:
    """Half of a 95 % interval of a rate."""
    return float(1.96 * (rate * (1 - rate) / max(customers, 1)) ** 0.5)


def _plain_frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _plain(text: str) -> str:
    """Text as it is: `$` would begin a formula."""
    return text.replace("$", r"\$")
