"""The Lua scripts, with the names of keys that they build as `stream.store.keys` has them."""

from importlib import resources
from string import Template

from stream.store import keys


def script(name: str) -> str:
    """Text of `name`.lua."""
    text = (resources.files("stream.store") / f"{name}.lua").read_text()
    return Template(text).substitute(
        link=keys.LINK_PREFIX,
        customer=keys.CUSTOMER_PREFIX,
        segment=keys.SEGMENT_PREFIX,
        members=keys.MEMBERS_SUFFIX,
    )
