"""Members of a segment as CSV, page by page: however many there are, little memory is needed."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from stream.dashboard.live import Live
from stream.errors import StoreError
from stream.store.lookup import Lookup
from stream.store.records import Member

#: A table calculation takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_ID = 256


def export_routes(live: Live) -> APIRouter:
    """`/segment.csv`."""
    routes = APIRouter()

    @routes.get("/segment.csv")
    def members(id: str) -> Response:
        known = live.moment is not None and any(s.id == id for s in live.moment.segments)
        if not known or len(id) > _LONGEST_ID:
            return PlainTextResponse("there is no such segment\n", 404)
        return StreamingResponse(
            lines(live.lookup, id),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="members.csv"'},
        )

    return routes


def lines(lookup: Lookup, segment: str) -> Iterator[str]:
    """CSV of everybody who is in the segment all the while."""
    yield "customer,entered_ms,entered\r\n"
    try:
        for page in lookup.members_by_entry(segment):
            yield _page(page)
    except StoreError as error:
        # Half a file must not be taken for a whole one.
        raise RuntimeError(f"the export broke off: {error}") from error


def _page(page: list[Member]) -> str:
    written = io.StringIO()
    rows = csv.writer(written)
    for member in page:
        at = datetime.fromtimestamp(member.entered_ms / 1000, UTC)
        name = member.customer_id
        safe = f"'{name}" if name.startswith(_FORMULA) else name
        rows.writerow([safe, member.entered_ms, at.isoformat(timespec="milliseconds")])
    return written.getvalue()
