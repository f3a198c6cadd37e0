"""Stands before everything: logs people in, and tells browsers to load nothing from elsewhere."""

import asyncio
import html
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from stream.dashboard.access import (
    COOKIE,
    SESSION_SECONDS,
    Access,
    host_of,
    is_loopback,
    safe_next,
)
from stream.dashboard.plain import plain

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

#: Anybody may ask for these: they say nothing about customers.
_OPEN = ("/health/", "/assets/", "/login", "/favicon.ico")
_WRONG_TOKEN_SECONDS = 1.0
_LARGEST_FORM_BYTES = 4_096
#: Scripts of the page's own framework are inline and compile templates.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Without any referrer a browser sends forms of our own with the origin "null".
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
}
_FORM = """<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="token">Token (the value of AGOS_DASHBOARD_TOKEN)</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
{problem}<button type="submit">Log in</button></form>"""
_WRONG = '<p role="alert" class="problem">That is not the token.</p>'


class Guard:
    """ASGI layer around the dashboard."""

    def __init__(self, app: Any, rules: Access) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = self._is_here(headers) and self._same_origin(scope, headers)
        if scope["type"] == "websocket":
            if allowed and self._is_known(scope, headers):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        answer = await self._answer(scope, receive, headers, allowed)
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        else:
            await answer(scope, receive, _with_headers(send))

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Headers, allowed: bool
    ) -> Response | None:
        """What is answered here; None for what goes on to the pages."""
        path: str = scope["path"]
        if not allowed:
            return PlainTextResponse("this host or origin is not served here\n", 403)
        if path == "/login":
            return await self._login(Request(scope, receive), headers)
        if path.startswith(_OPEN) or self._is_known(scope, headers):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            wanted = quote(path) + (f"?{query}" if query else "")
            return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)
        return PlainTextResponse(
            "log in at /login, or send the token as Authorization: Bearer\n", 401
        )

    def _is_here(self, headers: Headers) -> bool:
        """Without a login, only names of this machine: a page from elsewhere may have its own
        name point here."""
        return not self._rules.open or is_loopback(host_of(headers.get("host", "")))

    def _same_origin(self, scope: Scope, headers: Headers) -> bool:
        """Other sites may neither open our sockets nor send our forms."""
        origin = headers.get("origin")
        if origin is None or (scope["type"] == "http" and scope["method"] in ("GET", "HEAD")):
            return True
        return urlsplit(origin).netloc == headers.get("host", "")

    def _is_known(self, scope: Scope, headers: Headers) -> bool:
        rules = self._rules
        if rules.open or rules.is_session(headers.get("cookie", ""), int(time.time())):
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and rules.is_token(given.strip()):
            return True
        client = (scope.get("client") or ("", 0))[0]
        return bool(
            rules.user_header and client in rules.proxies and headers.get(rules.user_header)
        )

    async def _login(self, request: Request, headers: Headers) -> Response:
        if request.method != "POST":
            return _form(request.query_params.get("next", "/"), "")
        if int(headers.get("content-length") or 0) > _LARGEST_FORM_BYTES:
            return PlainTextResponse("too large\n", 413)
        fields = parse_qs((await request.body())[:_LARGEST_FORM_BYTES].decode(errors="replace"))
        wanted = safe_next(fields.get("next", ["/"])[0])
        if not self._rules.is_token(fields.get("token", [""])[0]):
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
            return _form(wanted, _WRONG, 401)
        answer = RedirectResponse(wanted, 303)
        answer.set_cookie(
            COOKIE,
            self._rules.session(int(time.time())),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https" or headers.get("x-forwarded-proto", "") == "https",
        )
        return answer


def _form(wanted: str, problem: str, status: int = 200) -> Response:
    body = _FORM.format(next=html.escape(safe_next(wanted), quote=True), problem=problem)
    return plain("Log in", body, status, heading="Agos")


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
