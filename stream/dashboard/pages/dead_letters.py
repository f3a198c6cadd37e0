"""Dead letters: why records could not be applied, samples, and sending them back."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nicegui import ui

from stream.dashboard import text
from stream.dashboard.elements import Listing, Row, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.live import Live
from stream.dead_letters import DeadLetters, Letter, Pile, piled
from stream.errors import AgosError
from stream.events import DeadLetter
from stream.settings import Settings
from stream.watch.times import ago, moment

log = logging.getLogger(__name__)

Again = Callable[[], Awaitable[None]]

#: Letters that are read for one look, the oldest first.
MOST_LETTERS = 20_000
_MOST_SECONDS = 8.0
_SAMPLES = 3
_SHOWN_BYTES = 2_000


@dataclass
class Piles:
    """Letters by reason; `whole`: all that the topic has were read."""

    by_reason: dict[str, Pile]
    read: int
    whole: bool


def dead_letters_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/dead-letters")
    def dead_letters() -> None:
        with frame(live, "/dead-letters", "Dead letters"):
            with section("Since the beginning"):
                counted = Listing(
                    "Dead letters by reason, since the beginning",
                    [("reason", "text"), ("records", "number")],
                    "None: every record could be applied.",
                )
            with section("In the topic"):
                said = Words("p", "Reading the topic.", role="status")
                piles = Listing(
                    "Dead letters in the topic",
                    [("reason", "text"), ("waiting", "number"), ("sent back", "number"),
                     ("newest", "when"), ("topics", "text")],
                    "None are kept in the topic.",
                )  # fmt: skip
                buttons = ui.element("div").classes("row")
            with section("Samples"):
                samples = Listing(
                    "Samples of dead letters",
                    [("letter", "id"), ("reason", "text"), ("detail", "text"),
                     ("key", "text"), ("record", "text")],
                    "None.",
                )  # fmt: skip

        def draw() -> None:
            if live.moment is not None:
                counted.show(_counted(live.moment.seen.counters))

        async def read() -> None:
            try:
                found = await asyncio.to_thread(read_piles, live.settings)
            except AgosError as error:
                said.say(f"{error}. See AGOS_KAFKA, and load this page again.")
                return
            whole = "" if found.whole else f" The oldest {found.read:,} were read, not all."
            locked = " Sending back is off: AGOS_DASHBOARD_READ_ONLY is true."
            said.say(
                f"{text.plural(found.read, 'letter')}.{whole}"
                f"{locked if live.settings.dashboard_read_only else ''}"
            )
            piles.show([_pile(reason, pile) for reason, pile in found.by_reason.items()])
            samples.show(
                [
                    _sample(letter)
                    for p in found.by_reason.values()
                    for letter in reversed(p.samples)
                ]
            )
            buttons.clear()
            if not live.settings.dashboard_read_only:
                with buttons:
                    for reason, pile in found.by_reason.items():
                        if pile.waiting:
                            _offer(live, reason, pile, said, read)

        draw()
        live.changed.subscribe(draw)
        ui.timer(0.1, read, once=True)


def _offer(live: Live, reason: str, pile: Pile, said: Words, again: Again) -> None:
    """A button that sends back the letters of one reason, at the second press."""
    count = text.plural(pile.waiting.total(), "record")
    asked = f"Send {count} of {reason} back"
    button = Words("button", asked, type="button")
    pressed = [False]

    async def press() -> None:
        if not pressed[0]:
            pressed[0] = True
            button.say(f"{asked}: press again to do it")
            return
        button.props["disabled"] = True
        try:
            sent = await asyncio.to_thread(send_back, live.settings, reason)
        except AgosError as error:
            said.say(f"{error}. What was sent before counts as sent back.")
            return
        log.info("sent %d dead letters of %s back", sent, reason)
        await again()
        said.say(f"Sent {text.plural(sent, 'record')} of {reason} back.")

    button.on("click", press)


def read_piles(settings: Settings) -> Piles:
    """What the topic has, up to a bound. Blocking; AgosError if Kafka does not answer."""
    letters = DeadLetters(settings)
    some = _Some()
    try:
        found = piled(some.of(letters.read()), _SAMPLES)
    finally:
        letters.close()
    return Piles(found, some.count, some.whole)


@dataclass
class _Some:
    """Takes letters until there are too many or it takes too long."""

    count: int = 0
    whole: bool = False

    def of(self, letters: Iterable[Letter]) -> Iterator[Letter]:
        deadline = time.monotonic() + _MOST_SECONDS
        for letter in letters:
            if self.count == MOST_LETTERS or time.monotonic() > deadline:
                return
            self.count += 1
            yield letter
        self.whole = True


def send_back(settings: Settings, reason: str) -> int:
    """Send all waiting letters of a reason back; how many. Blocking."""
    letters = DeadLetters(settings)
    try:
        return letters.send_back(lambda letter: letter.reason == reason).total()
    finally:
        letters.close()


def _counted(counters: Mapping[str, int]) -> list[Row]:
    reasons = [
        (name.partition(":")[2] or name, number)
        for name, number in counters.items()
        if name.startswith("rejected")
    ]
    ranked = sorted(reasons, key=lambda pair: -pair[1])
    return [{"key": name, "cells": [name, text.count(number)]} for name, number in ranked]


def _pile(reason: str, pile: Pile) -> Row:
    topics = ", ".join(f"{topic} {count:,}" for topic, count in sorted(pile.waiting.items()))
    return {
        "key": reason,
        "cells": [
            reason,
            text.count(pile.waiting.total()),
            text.count(pile.redriven),
            f"{moment(pile.newest_ms)} ({ago(pile.newest_ms)})",
            topics or "-",
        ],
    }


def _sample(letter: DeadLetter) -> Row:
    return {
        "key": letter.letter_id,
        "cells": [
            letter.letter_id, letter.reason, letter.detail, _shown(letter.key),
            _shown(letter.value),
        ],
    }  # fmt: skip


def _shown(value: bytes | None) -> str:
    if value is None:
        return "(null)"
    words = value[:_SHOWN_BYTES].decode(errors="replace")
    plain = "".join(char if char.isprintable() else "\ufffd" for char in words)
    more = len(value) - _SHOWN_BYTES
    return f"{plain} ({more:,} bytes more)" if more > 0 else plain or "(empty)"
