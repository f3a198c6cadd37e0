"""Modules that need an extra of the package, loaded where a setting asks for them."""

from importlib import import_module
from typing import Any

from stream.errors import ConfigurationError

_OPTIONAL = ("opentelemetry", "prometheus_client")


def optional(module: str, variable: str, extra: str) -> Any:
    """A module that a setting asks for and that needs an extra.

    Raises
    ------
    ConfigurationError
        If the extra is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OPTIONAL:
            raise
        raise ConfigurationError(
            f"{variable} needs {error.name}, which is not installed: pip install 'agos[{extra}]'"
        ) from None
