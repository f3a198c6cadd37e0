"""The pages; each draws what `live` has, and is told when there is something new."""

from stream.dashboard.live import Live
from stream.dashboard.pages.alerts import alerts_page
from stream.dashboard.pages.clusters import clusters_page
from stream.dashboard.pages.customers import customers_page
from stream.dashboard.pages.dead_letters import dead_letters_page
from stream.dashboard.pages.flows import flows_page
from stream.dashboard.pages.now import now_page
from stream.dashboard.pages.segment import segment_page
from stream.dashboard.pages.segments import segments_page


def add_pages(live: Live) -> None:
    """Make every page known."""
    for add in (
        now_page,
        segments_page,
        segment_page,
        flows_page,
        clusters_page,
        customers_page,
        dead_letters_page,
        alerts_page,
    ):
        add(live)
