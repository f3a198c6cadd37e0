"""Why a request was not taken: a status, a stable code and a sentence without its content."""

from stream.errors import AgosError


class Refusal(AgosError):
    """Answered as `{"code": …, "message": …}`; nothing of the request is kept.

    The message never repeats what the request held: it may be shown in a browser.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        retry_after_seconds: int | None = None,
        *,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.allow = allow

    @property
    def content(self) -> dict[str, str]:
        """What is answered as JSON."""
        return {"code": self.code, "message": self.message}

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        seconds = self.retry_after_seconds
        waits = {} if seconds is None else {"retry-after": str(seconds)}
        return waits if self.allow is None else {**waits, "allow": self.allow}


def invalid(message: str) -> Refusal:
    """400: the same request will never be taken."""
    return Refusal(400, "invalid_request", message)


def too_large(message: str) -> Refusal:
    """413: over a limit of size."""
    return Refusal(413, "too_large", message)


def later(message: str, seconds: int = 5) -> Refusal:
    """503: try the same again after `seconds`."""
    return Refusal(503, "unavailable", message, seconds)
