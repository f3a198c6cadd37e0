"""Names of a hundred letters push no number out of sight, on a desk or in a hand."""

import pytest
from redis import Redis

from scripts.screenshots_parts.chromium import Tab
from tests.dashboard.conftest import PARTITIONS
from tests.dashboard.served import ReportingWorker, Served, change, describe, join
from tests.dashboard.test_pages import worker_seen

pytestmark = pytest.mark.slow

WORD = "W" * 130
_TOO_WIDE = """
[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)
  .map(box => box.getAttribute('aria-label'))
"""


def crowd(redis: Redis) -> None:
    """200 segments, some of them with names and ids of one long word, and moves between them."""
    pipe = redis.pipeline(transaction=False)
    for number in range(200):
        kind = "discovered" if number % 3 == 0 else "defined"
        name = f"{WORD}{number}" if number % 5 == 0 else f"Segment {number}"
        place = f"{'i' * 110}{number}" if number % 7 == 0 else f"s{number}"
        describe(pipe, place, name, origin=kind)
        join(pipe, place, *(f"{'c' * 120}{n}" for n in range(1 + number % 4)))
        change(pipe, f"c{number}", "s1", "left", change_id=f"{number}-left")
        change(pipe, f"c{number}", "s2" if number % 2 else "s4", change_id=f"{number}-entered")
    pipe.hset("agos:{0}:counters", mapping={"applied": 9_876_543_210, f"rejected:{'r' * 120}": 7})
    pipe.execute()


@pytest.mark.parametrize("width", [1400, 390])
def test_numbers_stay_in_sight(served: Served, redis: Redis, tab: Tab, width: int):
    everywhere = list(range(PARTITIONS))
    with ReportingWorker(redis, "w" * 60, everywhere, host="h" * 120):
        crowd(redis)
        tab.size(width, 900, mobile=width < 600)
        for page, there in (("/", "Counters"), ("/segments", "Segment 199"), ("/flows", "Flows")):
            tab.open(served.url + page)
            worker_seen(tab)
            tab.wait(f"document.body.innerText.includes({there!r})")
            tab.wait("document.querySelector('.chart svg path')")
            assert tab.run("document.documentElement.scrollWidth") <= width, page
            if width > 600:
                assert tab.run(_TOO_WIDE) == [], page
