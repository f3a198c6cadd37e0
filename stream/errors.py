"""The errors that Agos raises; every message gives the key, the value and what was expected."""


class AgosError(Exception):
    """Root of all errors raised by Agos."""


class ConfigurationError(AgosError):
    """A setting, a file or a server's configuration is not as it must be."""


class InvalidEvent(AgosError):
    """A record cannot become an event.

    Parameters
    ----------
    reason
        Short stable code, used as a counter's label (`not-json`, `timestamp-in-future`, …).
    detail
        One sentence: what was found, where, and what was expected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class OffsetError(AgosError):
    """A stored offset does not fit the topic: it was recreated, truncated or has expired."""


class StalledError(AgosError):
    """The worker makes no progress, or needs too much; another start is the cure."""


class StoreError(AgosError):
    """Redis cannot be used as it is (eviction policy, version, permissions)."""
