"""Runs a demo and its dashboard, and takes pictures of its pages."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.screenshots_parts.chromium import Chromium, browser
from stream.cli.stack import stack
from stream.local import free_port, terminable

_SEED = "1"
#: The charts draw themselves, and figures over five seconds are known.
_DRAWN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A page, its size in pixels, and how the system has its colors."""

    file: str
    path: str
    width: int = 1440
    height: int = 900
    scheme: str = "light"


PICTURES = (
    Picture("dashboard.png", "/"),
    Picture("dashboard-segments.png", "/segments", height=1_300),
    Picture("dashboard-phone.png", "/", 390, 844, "dark"),
)


def take(seconds: float, place: Path, pictures: tuple[Picture, ...] = PICTURES) -> None:
    """Let a demo run for so long, then write the pictures."""
    found = browser()
    if found is None:
        sys.exit("Chromium is not on the PATH (on Debian: apt install chromium)")
    port = free_port()
    with terminable(), stack("screenshots", 2, print) as running:
        running.start("dashboard", "dashboard", "--listen", f"127.0.0.1:{port}")
        running.wait_until_ready()
        running.start("events", "simulate", "--seed", _SEED)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            running.supervisor.check()
            time.sleep(0.2)
        with Chromium(found) as chromium:
            for picture in pictures:
                tab = chromium.tab(picture.width, picture.height)
                tab.scheme(picture.scheme)
                tab.open(f"http://127.0.0.1:{port}{picture.path}")
                tab.wait("document.querySelector('tbody tr')")
                time.sleep(_DRAWN_SECONDS)
                tab.picture(place / picture.file)
                for problem in tab.problems:
                    sys.exit(f"{picture.path}: {problem}")
                tab.close()
                print(place / picture.file)
