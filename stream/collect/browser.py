"""What browser SDKs ask for before they send: their settings, so that a page names one address."""

import json
import re
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stream.collect.answers import cors, preflight
from stream.collect.keyring import Keyring
from stream.collect.refusal import Refusal
from stream.collect.tracking import key_of

_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")


def browser_routes(keyring: Keyring) -> list[BaseRoute]:
    """`/v1/projects/KEY/settings` of Segment's bundle, `/sourceConfig` of RudderStack's."""

    async def segment(request: Request) -> Response:
        return _answer(request, keyring, request.path_params["key"], _segment)

    async def rudderstack(request: Request) -> Response:
        return _answer(request, keyring, key_of(request.scope), _rudderstack)

    methods = ["GET", "OPTIONS"]
    return [
        Route("/v1/projects/{key}/settings", segment, methods=methods),
        Route("/sourceConfig", rudderstack, methods=methods),
        Route("/sourceConfig/", rudderstack, methods=methods),
    ]


def _answer(request: Request, keyring: Keyring, key: str | None, build: Any) -> Response:
    allowed = keyring.origins
    if request.method == "OPTIONS":
        return _response(204, None, preflight(request.scope, allowed))
    headers = cors(request.scope, allowed)
    try:
        source = keyring.find(key, time.time())
    except Refusal as refusal:
        return _response(refusal.status, refusal.content, headers)
    return _response(200, build(request, key, source.name), headers)


def _segment(request: Request, key: str, source: str) -> dict[str, Any]:
    own: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": True}
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host):
        own |= {"apiHost": f"{host}/v1", "protocol": request.url.scheme}
    return {
        "integrations": {"Segment.io": own},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "remotePlugins": [],
    }


def _rudderstack(request: Request, key: str, source: str) -> dict[str, Any]:
    off = {"enabled": False}
    return {
        "source": {
            "id": source,
            "name": source,
            "writeKey": key,
            "enabled": True,
            "config": {"statsCollection": {"errors": off, "metrics": off}},
            "destinations": [],
            "connections": [],
        }
    }


def _response(status: int, content: Any, headers: list[tuple[bytes, bytes]]) -> Response:
    body = b"" if content is None else json.dumps(content).encode()
    response = Response(body, status, media_type="application/json" if body else None)
    response.raw_headers += headers
    return response
