"""The tracking routes in the OpenAPI document: they are no routes that FastAPI could describe."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from stream.collect.body import MAX_BATCH_EVENTS, MAX_BODY_BYTES, MAX_EVENT_BYTES
from stream.collect.calls import BATCH, CLOUDEVENTS, KINDS, METRICS, ROUTES

_ID = {"type": ["string", "integer", "null"]}
_OBJECT = {"type": ["object", "null"]}
_COMMON: Mapping[str, Any] = {
    "messageId": {**_ID, "description": "the same id again is the same event, sent again"},
    "userId": _ID,
    "anonymousId": _ID,
    "timestamp": {"type": ["string", "number", "null"], "description": "when it happened"},
    "sentAt": {"type": ["string", "number", "null"], "description": "corrects the device's clock"},
    "context": _OBJECT,
    "writeKey": {"type": ["string", "null"]},
}
_OWN: Mapping[str, Mapping[str, Any]] = {
    "track": {"event": {"type": "string", "minLength": 1, "maxLength": 256}, "properties": _OBJECT},
    "page": {"name": {"type": ["string", "null"]}, "properties": _OBJECT},
    "screen": {"name": {"type": ["string", "null"]}, "properties": _OBJECT},
    "identify": {"traits": _OBJECT},
    "group": {"groupId": _ID, "traits": _OBJECT},
    "alias": {"previousId": _ID},
}
_REQUIRED: Mapping[str, list[str]] = {
    "track": ["event"],
    "group": ["groupId"],
    "alias": ["userId"],
}
_REFUSALS = {
    "400": "not as it must be",
    "401": "write key missing or not valid",
    "403": "event or website not allowed for this key",
    "405": "not POST",
    "408": "body too slow",
    "413": "too large",
    "429": "too many events of this key",
    "503": "Kafka is slow or away",
}


def describe(app: FastAPI) -> None:
    """Let the application's document have the tracking routes too."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generated()
            paths = document.setdefault("paths", {})
            for operation in (operation for path in paths.values() for operation in path.values()):
                # FastAPI's own answer to a wrong parameter, which is a 400 here.
                operation["responses"].pop("422", None)
            paths.update(_paths())
            parts = document.setdefault("components", {})
            for name in ("HTTPValidationError", "ValidationError"):
                parts.get("schemas", {}).pop(name, None)
            parts.setdefault("schemas", {}).update(_schemas())
            parts["securitySchemes"] = {
                **parts.get("securitySchemes", {}),
                "writeKey": {"type": "http", "scheme": "basic", "description": "key as the user"},
            }
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]


def _schemas() -> dict[str, Any]:
    calls = {
        kind.capitalize(): {
            "type": "object",
            "properties": {**_COMMON, **_OWN[kind]},
            "required": _REQUIRED.get(kind, []),
        }
        for kind in KINDS
    }
    batched = [
        {
            "allOf": [
                {"$ref": f"#/components/schemas/{kind.capitalize()}"},
                {
                    "type": "object",
                    "properties": {"type": {"const": kind}},
                    "required": ["type"],
                },
            ]
        }
        for kind in KINDS
    ]
    return {
        **calls,
        "Batch": {
            "type": "object",
            "properties": {
                "batch": {
                    "type": "array",
                    "maxItems": MAX_BATCH_EVENTS,
                    "items": {"anyOf": batched},
                },
                "sentAt": _COMMON["sentAt"],
                "context": _OBJECT,
                "writeKey": _COMMON["writeKey"],
            },
            "required": ["batch"],
        },
        "Cloudevent": {
            "type": "object",
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "minLength": 1},
                "source": {"type": "string", "minLength": 1},
                "type": {"type": "string", "minLength": 1, "maxLength": 256},
                "subject": {**_ID, "description": "the customer"},
                "time": {"type": ["string", "null"]},
                "data": _OBJECT,
            },
            "required": ["specversion", "id", "source", "type", "subject"],
        },
        "Taken": {
            "type": "object",
            "properties": {"success": {"const": True}},
            "required": ["success"],
        },
        "Refusal": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        },
    }


def _paths() -> dict[str, Any]:
    return {path: {"post": _operation(path, kind)} for path, kind in ROUTES.items()}


def _operation(path: str, kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = (
        {} if kind == METRICS else {"$ref": f"#/components/schemas/{kind.capitalize()}"}
    )
    if kind == CLOUDEVENTS:
        one = {"$ref": "#/components/schemas/Cloudevent"}
        schema = {"anyOf": [one, {"type": "array", "items": one}]}
    size = MAX_BODY_BYTES if kind in (BATCH, CLOUDEVENTS) else MAX_EVENT_BYTES
    standard = "CloudEvents 1.0" if kind == CLOUDEVENTS else "Segment's HTTP tracking API"
    refusals = {
        status: {"description": text, "content": _json({"$ref": "#/components/schemas/Refusal"})}
        for status, text in _REFUSALS.items()
    }
    operation: dict[str, Any] = {
        "tags": ["tracking"],
        "summary": f"{kind}, as in {standard}",
        "description": f"JSON of at most {size} bytes whatever the Content-Type; may be gzip.",
        "operationId": "post" + path.replace("/", "_"),
        "requestBody": {"required": True, "content": _json(schema)},
        "responses": {
            "200": {
                "description": "every event is in Kafka",
                "content": _json({"$ref": "#/components/schemas/Taken"}),
            },
            **refusals,
        },
        "security": [{"writeKey": []}, {}],
    }
    return operation


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
