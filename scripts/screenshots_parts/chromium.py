"""A real Chromium, steered by its DevTools protocol; no driver has to be installed."""

import base64
import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stream.local import Process, ProcessError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LARGEST_MESSAGE = 64 * 2**20
_START_SECONDS = 60.0
#: Nobody waits so long but where something is wrong: a busy machine is no fault of the page.
_PATIENCE_SECONDS = 60.0


def browser() -> str | None:
    """Path of a Chromium, None where there is none (on Debian: apt install chromium)."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


class Chromium:
    """A browser without a window; use it as a context manager."""

    def __init__(self, path: str) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="agos-chromium-")
        self._profile = Path(self._place.name, "profile")
        command = [
            path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-background-networking", "--no-first-run", "--hide-scrollbars",
            f"--user-data-dir={self._profile}", "--remote-debugging-port=0", "about:blank",
        ]  # fmt: skip
        self._process = Process("chromium", command, Path(self._place.name, "log"))

    def __enter__(self) -> Self:
        self._process.start()
        self._process.wait_until((self._profile / "DevToolsActivePort").exists, _START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._place.cleanup()

    def tab(self, width: int = 1400, height: int = 900) -> "Tab":
        """A new tab."""
        port = (self._profile / "DevToolsActivePort").read_text().split()[0]
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/json/new", method="PUT")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return Tab(json.load(answer)["webSocketDebuggerUrl"], width, height)


class Tab:
    """One page, and what it said and asked for.

    Attributes
    ----------
    problems
        Errors of its console, and exceptions that nobody caught.
    requests
        Address of everything that was asked for.
    """

    def __init__(self, address: str, width: int, height: int) -> None:
        self._held = ExitStack()
        self._socket: ClientConnection = self._held.enter_context(
            connect(address, max_size=_LARGEST_MESSAGE, ping_interval=None)
        )
        self._number = 0
        self._loaded = False
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        # A tab in the background draws nothing.
        self.call("Page.bringToFront")
        self.size(width, height)

    def close(self) -> None:
        """Close the tab."""
        try:
            self.call("Page.close")
        except ConnectionClosed:
            pass
        finally:
            self._held.close()

    def size(self, width: int, height: int, mobile: bool = False, scale: float = 1.0) -> None:
        """Size of the page in CSS pixels, each of which is so many of a picture's."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=scale, mobile=mobile,
        )  # fmt: skip

    def scheme(self, name: str) -> None:
        """`dark` or `light`, as the system would have it."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str, timeout_seconds: float = _PATIENCE_SECONDS) -> None:
        """Go there, and wait until it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + timeout_seconds
        while not self._loaded:
            if time.monotonic() > deadline:
                raise ProcessError(f"{url} was not loaded within {timeout_seconds:g} s")
            self._take(0.2)

    def run(self, script: str) -> Any:
        """Value of a script's last expression; it may be awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise ProcessError(f"{script[:200]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script: str, timeout_seconds: float = _PATIENCE_SECONDS) -> Any:
        """Value of an expression as soon as it is true; true for a part of the page."""
        deadline = time.monotonic() + timeout_seconds
        asked = f"(v => v instanceof Node ? true : v)({script})"
        while not (value := self.run(asked)):
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"not within {timeout_seconds:g} s: {script}; the page says: "
                    f"{self.run('document.body.innerText')[:1500]}"
                )
            time.sleep(0.05)
        return value

    def text(self, selector: str) -> str:
        """What stands in an element, as it is seen; empty where there is none."""
        found = self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return str(found)

    def type(self, words: str) -> None:
        """Type where the focus is."""
        self.call("Input.insertText", text=words)

    def key(self, name: str) -> None:
        """Press a key, as `Tab` or `Enter`."""
        more = {"text": "\r"} if name == "Enter" else {}
        code = {"Enter": 13, "Tab": 9}[name]
        for kind in ("keyDown", "keyUp"):
            given = more if kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name,
                windowsVirtualKeyCode=code, **given,
            )  # fmt: skip

    def end_of(self, selector: str) -> int:
        """How far down an element reaches, in pixels from the page's beginning."""
        asked = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().bottom"
        return int(self.run(f"{asked} + window.scrollY"))

    def picture(self, path: Path) -> None:
        """Write what is seen as PNG."""
        answer = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def call(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """Call the protocol; events that come meanwhile are noted."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._take(_PATIENCE_SECONDS)
            if message is None:
                raise ProcessError(f"the browser did not answer {method}")
            if message.get("id") == number:
                if "error" in message:
                    raise ProcessError(f"{method}: {message['error']}")
                found: Mapping[str, Any] = message["result"]
                return found

    def _take(self, timeout_seconds: float) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout_seconds))
        except TimeoutError:
            return None
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, given: Mapping[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event == "Network.webSocketCreated":
            self.requests.append(given["url"])
        elif event == "Runtime.exceptionThrown":
            self.problems.append(str(given["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and given["type"] in ("error", "assert"):
            self.problems.append(str(given["args"]))
        elif event == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.problems.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
