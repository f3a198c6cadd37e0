"""Runs a demo and its dashboard, and takes pictures of its pages."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.screenshots_parts.chromium import Chromium, Tab, browser
from stream.cli.stack import Stack, stack
from stream.local import ProcessError, free_port, terminable
from stream.store.reader import Reader

_SEED = "1"
_HISTORY = 20_000
#: More customers come and go, as in a shop: from which share of the time on, and until which; how
#: many events a second.
_RUSHES = ((0.25, 0.5, 220.0), (0.35, 0.65, 140.0), (0.75, 0.9, 180.0))
#: The charts draw themselves, and what is read now and then has been read.
_DRAWN_SECONDS = 6.0
_RESIZED_SECONDS = 1.0
#: Pixels below the last thing on a picture.
_EDGE = 16
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A page, its size in CSS pixels, and how the system has its colors; `down_to` is the element
    that the picture ends with."""

    file: str
    path: str
    down_to: str = ""
    width: int = 1440
    height: int = 900
    scheme: str = "light"
    scale: float = 1.5


PICTURES = (
    Picture("dashboard.png", "/", "#workers"),
    Picture("dashboard-segments.png", "/segments", "main section:nth-of-type(1)"),
    Picture("dashboard-clusters.png", "/clusters", "main section:nth-of-type(2) .chart"),
    Picture("dashboard-phone.png", "/", "", 390, 844, "dark"),
)


def take(seconds: float, place: Path, pictures: tuple[Picture, ...] = PICTURES) -> None:
    """Let a demo run for so long, then write the pictures."""
    found = browser()
    if found is None:
        sys.exit("Chromium is not on the PATH (on Debian: apt install chromium)")
    port = free_port()
    with terminable(), stack("screenshots", 2, print) as running:
        running.wait_until_ready()
        running.start("events", "simulate", "--seed", _SEED, "--history", str(_HISTORY))
        with Reader(running.settings) as reader:
            partitions = running.settings.partitions
            wait_until(
                running,
                lambda: reader.overview(partitions, 1).counters.get("applied", 0) > _HISTORY,
            )
        # Only now: beside the past, which is sent at once, the present would be a flat line.
        running.start("dashboard", "dashboard", "--listen", f"127.0.0.1:{port}")
        live(running, seconds)
        with Chromium(found) as chromium:
            for picture in pictures:
                tab = chromium.tab()
                shoot(tab, picture, f"http://127.0.0.1:{port}", place / picture.file)
                tab.close()
                print(place / picture.file)


def applied(running: Stack, reader: Reader) -> int:
    """Events applied since the beginning."""
    return reader.overview(running.settings.partitions, 1).counters.get("applied", 0)


def live(running: Stack, seconds: float) -> None:
    """Let events come, now more and now fewer, for so long."""
    begun = time.monotonic()
    for number, (begin, end, rate) in enumerate(_RUSHES):
        wait_until(running, partial(_over, begun + begin * seconds), seconds)
        options = {
            "rate": rate,
            "seconds": (end - begin) * seconds,
            "history": 0,
            "seed": 2 + number,
        }
        given = [part for name, value in options.items() for part in (f"--{name}", f"{value}")]
        running.start(f"rush-{number}", "simulate", *given)
    wait_until(running, partial(_over, begun + seconds), seconds)


def _over(until: float) -> bool:
    return time.monotonic() > until


def wait_until(
    running: Stack, there: Callable[[], bool], patience_seconds: float = _PATIENCE_SECONDS
) -> None:
    """Wait, and see that everything runs meanwhile."""
    deadline = time.monotonic() + patience_seconds + 1.0
    while not there():
        if time.monotonic() > deadline:
            raise ProcessError(f"not within {patience_seconds:g} s")
        running.supervisor.check()
        time.sleep(0.2)


#: Whether every chart is drawn, and what it draws is about as wide as its place.
DRAWN = """
[...document.querySelectorAll('.chart:not([hidden])')].every(chart => Math.max(0,
  ...[...chart.querySelectorAll('path')].map(path => path.getBoundingClientRect().width)
  ) > 0.7 * chart.clientWidth)
"""


def shoot(tab: Tab, picture: Picture, url: str, path: Path) -> None:
    """Open a page as the picture wants it, and take it."""
    tab.scheme(picture.scheme)
    tab.size(picture.width, picture.height, scale=picture.scale)
    tab.open(url + picture.path)
    tab.wait("document.querySelector('tbody tr') && document.querySelector('.chart svg path')")
    time.sleep(_DRAWN_SECONDS)
    if picture.down_to:
        end = tab.end_of(picture.down_to) + _EDGE
        tab.size(picture.width, end, scale=picture.scale)
        time.sleep(_RESIZED_SECONDS)
    tab.wait(DRAWN)
    tab.picture(path)
    for problem in tab.problems:
        sys.exit(f"{picture.path}: {problem}")
