"""Who may look, and from where: the guard before an application that answers everybody."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from stream.dashboard import guard as guards
from stream.dashboard.access import Access, access, host_of, is_loopback, safe_next
from stream.dashboard.guard import Guard
from stream.errors import ConfigurationError
from stream.settings import Settings

TOKEN = "0123456789abcdef"
NOW_S = 1_795_219_200


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """An application that is reached by whoever passes."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


async def ask(
    rules: Access,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    client: str = "127.0.0.1",
    kind: str = "http",
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; of a socket 101 or 403."""
    path, _, query = path.partition("?")
    given = {"host": "127.0.0.1:8090", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": kind, "method": method, "path": path, "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()],
        "client": (client, 1), "scheme": "http", "server": ("127.0.0.1", 8090),
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await Guard(inner, rules)(scope, receive, send)
    if kind == "websocket":
        return (101 if sent[0]["type"] == "websocket.accept" else 403), {}, b""
    found = {k.decode().lower(): v.decode("latin-1") for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_WRONG_TOKEN_SECONDS", 0.0)


CLOSED = Access(token=TOKEN)
PROXIED = Access(user_header="x-user", proxies=frozenset({"10.0.0.1"}))


async def test_without_a_token_this_machine_may_look():
    assert (await ask(Access()))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example"])
async def test_a_name_that_points_here_is_not_this_machine(host: str):
    assert (await ask(Access(), headers={"host": host}))[0] == 403
    assert (await ask(Access(), headers={"host": host}, kind="websocket"))[0] == 403


async def test_with_a_token_pages_lead_to_the_login():
    status, headers, _ = await ask(CLOSED, "/segment?id=a b", {"accept": "text/html"})
    assert status == 303
    assert headers["location"] == "/login?next=%2Fsegment%3Fid%3Da%20b"


@pytest.mark.parametrize("path", ["/metrics", "/segment.csv?id=a", "/_nicegui_ws/socket.io/"])
async def test_programs_are_told_to_bring_the_token(path: str):
    assert (await ask(CLOSED, path))[0] == 401
    assert (await ask(CLOSED, path, {"authorization": "Bearer wrong"}))[0] == 401
    assert (await ask(CLOSED, path, {"authorization": f"Bearer {TOKEN}"}))[0] == 200


async def test_sockets_need_the_token_too():
    assert (await ask(CLOSED, kind="websocket"))[0] == 403
    cookie = f"agos_dashboard={CLOSED.session(2_000_000_000)}"
    assert (await ask(CLOSED, headers={"cookie": cookie}, kind="websocket"))[0] == 101


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_other_sites_cannot_use_the_session(kind: str):
    cookie = f"agos_dashboard={CLOSED.session(2_000_000_000)}"
    foreign = {"cookie": cookie, "origin": "https://evil.example"}
    assert (await ask(CLOSED, headers=foreign, method="POST", kind=kind))[0] == 403
    own = {"cookie": cookie, "origin": "http://127.0.0.1:8090"}
    assert (await ask(CLOSED, headers=own, method="POST", kind=kind))[0] in (101, 200)


async def test_the_login_gives_a_session_and_goes_on():
    body = urlencode({"token": TOKEN, "next": "/segments?period=day"}).encode()
    status, headers, _ = await ask(CLOSED, "/login", method="POST", body=body)
    assert (status, headers["location"]) == (303, "/segments?period=day")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    value = cookie.partition(";")[0]
    assert (await ask(CLOSED, headers={"cookie": value}))[0] == 200
    assert (await ask(Access(token="another-token-1234"), headers={"cookie": value}))[0] == 401


async def test_a_wrong_token_gives_nothing():
    body = urlencode({"token": TOKEN + "x", "next": '"><script>'}).encode()
    status, headers, page = await ask(CLOSED, "/login", method="POST", body=body)
    assert status == 401
    assert "set-cookie" not in headers
    assert b"That is not the token" in page
    assert b"<script>" not in page


async def test_the_form_repeats_nothing_as_markup():
    _, _, page = await ask(CLOSED, '/login?next=/"><script>alert(1)</script>')
    assert b"<script" not in page


async def test_large_forms_are_refused():
    assert (await ask(CLOSED, "/login", method="POST", body=b"x" * 5_000))[0] == 413


async def test_a_proxy_says_who_it_is_and_nobody_else():
    assert (await ask(PROXIED, headers={"x-user": "ada"}, client="10.0.0.1"))[0] == 200
    assert (await ask(PROXIED, headers={"x-user": "ada"}, client="10.0.0.2"))[0] == 401
    assert (await ask(PROXIED, headers={"x-user": ""}, client="10.0.0.1"))[0] == 401


@pytest.mark.parametrize("path", ["/", "/login", "/health/live"])
async def test_browsers_are_told_to_load_nothing_from_elsewhere(path: str):
    _, headers, _ = await ask(Access(), path)
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_health_needs_no_token():
    assert (await ask(CLOSED, "/health/live"))[0] == 200
    assert (await ask(CLOSED, "/healthy"))[0] == 401


def test_sessions_end():
    session = CLOSED.session(NOW_S)
    assert CLOSED.is_session(f"agos_dashboard={session}", NOW_S + 11 * 3600)
    assert not CLOSED.is_session(f"agos_dashboard={session}", NOW_S + 13 * 3600)


@pytest.mark.parametrize(
    "value", ["", ".", "9999999999.", "9999999999.00", "x.y", "99999999999999999999.a", "\x00"]
)
def test_forged_sessions_are_none(value: str):
    assert not CLOSED.is_session(f"agos_dashboard={value}", NOW_S)


def test_who_changes_the_end_of_a_session_has_none():
    until, _, signature = CLOSED.session(NOW_S).partition(".")
    assert not CLOSED.is_session(f"agos_dashboard={int(until) + 1}.{signature}", NOW_S)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/segments?id=a", "/segments?id=a"), ("https://evil.example", "/"), ("//evil", "/"),
        ("/\\evil", "/"), ("", "/"), ("/a\r\nset-cookie: b", "/"),
    ],
)  # fmt: skip
def test_after_the_login_one_stays_here(asked: str, path: str):
    assert safe_next(asked) == path


def test_what_others_can_reach_needs_a_token():
    with pytest.raises(ConfigurationError, match="AGOS_DASHBOARD_TOKEN"):
        access(Settings(), "0.0.0.0")
    with pytest.raises(ConfigurationError, match="16"):
        access(Settings(dashboard_token=SecretStr("short")), "0.0.0.0")
    assert not access(Settings(dashboard_token=SecretStr(TOKEN)), "0.0.0.0").open
    assert access(Settings(), "127.0.0.1").open
    assert not access(Settings(dashboard_user_header="X-User"), "0.0.0.0").open


def test_hosts():
    assert [host_of(text) for text in ("a:1", "a", "[::1]:80", "[::1]")] == ["a", "a", "::1", "::1"]
    assert [is_loopback(h) for h in ("127.8.8.8", "::1", "localhost")] == [True] * 3
    assert [is_loopback(h) for h in ("0.0.0.0", "10.0.0.1", "evil", "")] == [False] * 4
