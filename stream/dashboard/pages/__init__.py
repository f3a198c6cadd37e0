"""The pages; each draws what `live` has, and is told when there is something new."""

from stream.dashboard.live import Live
from stream.dashboard.pages.now import now_page
from stream.dashboard.pages.segments import segments_page


def add_pages(live: Live) -> None:
    """Make every page known."""
    now_page(live)
    segments_page(live)
