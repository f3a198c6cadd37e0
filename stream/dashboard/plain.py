"""Pages that need no script: the login, and what says that something went wrong."""

import html
import logging

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

log = logging.getLogger(__name__)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} | Agos</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/assets/dashboard.css"></head>
<body class="login"><main><h1>{heading}</h1>
{body}</main></body></html>"""
_BACK = '<p>{said}</p><p><a href="/">To the page Now</a></p>'
_SAID = {
    404: ("No such page", "The pages are Now, Segments, Flows, Clusters, Customers, Dead letters "
          "and Alerts."),
    500: ("Something went wrong", "This page could not be made. Load it again; if it stays so, the "
          "dashboard's log says why."),
}  # fmt: skip


def plain(title: str, body: str, status: int = 200, heading: str = "") -> Response:
    """A page around `body`, which is HTML."""
    page = _PAGE.format(title=html.escape(title), heading=html.escape(heading or title), body=body)
    return HTMLResponse(page, status, {"cache-control": "no-store"})


def tell_plainly(app: FastAPI) -> None:
    """Errors of these pages say what to do. Those of the framework repeat what went wrong to
    whoever asked, and keep something for each."""

    async def missing(_: Request, error: Exception) -> Response:
        return _told(error.status_code if isinstance(error, HTTPException) else 404)

    async def failed(request: Request, error: Exception) -> Response:
        log.error("%s: a bug, please report it", request.url.path, exc_info=error)
        return _told(500)

    app.add_exception_handler(404, missing)
    app.add_exception_handler(Exception, failed)


def _told(status: int) -> Response:
    title, said = _SAID.get(status, _SAID[500])
    return plain(title, _BACK.format(said=said), status)
