"""One sentence about the whole: what is wrong, how much, and what to do."""

from types import SimpleNamespace
from typing import Any

import pytest

from stream.dashboard.alerts import Alert
from stream.dashboard.figures import DEFAULTS
from stream.dashboard.frame import standing
from tests.dashboard.test_alerts import moment


def told(
    one: Any, problem: str = "", alerts: tuple[Alert, ...] = (), past: str = ""
) -> tuple[str, str]:
    live = SimpleNamespace(
        moment=one, problem=problem, limits=DEFAULTS, alerts=SimpleNamespace(active=alerts),
        past_problem=past,
    )  # fmt: skip
    return standing(live)  # type: ignore[arg-type]


def test_all_is_well():
    assert told(moment(0)) == ("fine", "Running.")


def test_a_figure_to_act_on_is_told_with_its_value_and_what_to_do():
    state, said = told(moment(0, lag=120_000.0, redis_share=0.95))
    assert state == "act"
    assert said == (
        "Lag is 120,000: start more workers. "
        "Redis memory is 95 %: give Redis more memory, or remove idle customers."
    )


@pytest.mark.parametrize(("count", "rest"), [(3, ""), (5, "; 2 more on the page Alerts")])
def test_of_many_alerts_the_urgent_come_first_and_the_rest_is_counted(count: int, rest: str):
    some = [Alert("size_jump", f"s{n}", "watch", f"s{n} jumped", n) for n in range(count - 1)]
    urgent = Alert("no_progress", "", "act", "7 events wait", 99)
    state, said = told(moment(0), alerts=(*some, urgent))
    assert state == "act"
    assert said == f"7 events wait; s0 jumped; s1 jumped{rest}."


def test_a_past_that_is_not_there_is_told_where_nothing_else_is():
    state, said = told(moment(0), past="Prometheus answers with status 503")
    assert state == "watch"
    assert "status 503" in said
    assert "AGOS_PROMETHEUS" in said
