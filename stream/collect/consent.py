"""Whether a customer has refused that an event is kept, as consent managers write it."""

from collections.abc import Set
from typing import Any

from stream.collect.calls import Call, dictionary


def denied(call: Call, categories: Set[str]) -> bool:
    """Whether one of `categories` is refused in the call's context.

    Segment: `context.consent.categoryPreferences`, category → whether allowed. RudderStack:
    `context.consentManagement.deniedConsentIds`. What is not mentioned is not refused.
    """
    context = dictionary(call.context, "context")
    preferences = _inner(context, "consent", "categoryPreferences")
    if isinstance(preferences, dict) and any(preferences.get(c) is False for c in categories):
        return True
    ids = _inner(context, "consentManagement", "deniedConsentIds")
    return isinstance(ids, list) and any(c in ids for c in categories)


def _inner(context: Any, outer: str, inner: str) -> Any:
    found = context.get(outer)
    return found.get(inner) if isinstance(found, dict) else None
