"""Who may look: a token, a cookie made of it, or what a reverse proxy says. Pure."""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from stream.errors import ConfigurationError
from stream.settings import Settings

COOKIE = "agos_dashboard"
SESSION_SECONDS = 12 * 3600
_SHORTEST_TOKEN = 16
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """The rules of one dashboard."""

    token: str = ""
    user_header: str = ""
    proxies: frozenset[str] = frozenset()

    @property
    def open(self) -> bool:
        """Nobody has to log in; only for a dashboard that this machine alone can reach."""
        return not self.token and not self.user_header

    def is_token(self, given: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        return bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())

    def session(self, now_s: int) -> str:
        """Value of the cookie for who has the token; another token makes it invalid."""
        until = str(now_s + SESSION_SECONDS)
        return f"{until}.{self._signed(until)}"

    def is_session(self, cookies: str, now_s: int) -> bool:
        """Whether the header `Cookie` has a session that is valid."""
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        until, _, signature = (found.value if found else "").partition(".")
        if not self.token or not until.isdecimal() or len(until) > 12 or int(until) < now_s:
            return False
        return hmac.compare_digest(signature.encode(), self._signed(until).encode())

    def _signed(self, until: str) -> str:
        return hmac.new(self.token.encode(), until.encode(), hashlib.sha256).hexdigest()


def access(settings: Settings, host: str) -> Access:
    """The rules that the settings ask for.

    Raises
    ------
    ConfigurationError
        If others could look without logging in.
    """
    token = settings.dashboard_token.get_secret_value()
    if token and len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError(
            f"AGOS_DASHBOARD_TOKEN has {len(token)} characters, expected {_SHORTEST_TOKEN} at "
            "least; `openssl rand -hex 16` makes one"
        )
    rules = Access(
        token,
        settings.dashboard_user_header.lower(),
        frozenset(filter(None, (p.strip() for p in settings.dashboard_proxies.split(",")))),
    )
    if rules.open and not is_loopback(host):
        raise ConfigurationError(
            f"AGOS_DASHBOARD: others can reach {host!r}, expected AGOS_DASHBOARD_TOKEN (or "
            "AGOS_DASHBOARD_USER_HEADER behind a reverse proxy) with it"
        )
    return rules


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this host."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """Host of a header `Host`, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header


def safe_next(path: str) -> str:
    """Where to go after the login: a place of ours, whatever was asked for."""
    outside = not path.startswith("/") or path.startswith(("//", "/\\"))
    return "/" if outside or any(ord(char) < 33 for char in path) else path
