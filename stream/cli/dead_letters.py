"""`agos dead-letters`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from stream.cli.common import (
    FAILED,
    AsJson,
    Kafka,
    Partitions,
    Redis,
    UsageError,
    err,
    new_app,
    out,
    plural,
    settings_of,
)
from stream.dead_letters import DeadLetters, Letter, Pile, piled
from stream.events import DeadLetter
from stream.watch.times import moment

app = new_app()

_SHOWN_BYTES = 160


@app.command()
def dead_letters(
    reason: Annotated[
        str | None, typer.Option(help="Only letters of this reason, as in the list.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, max=100, help="Samples per reason.")] = 1,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Send the original records back to their topics.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before.")] = False,
    as_json: AsJson = False,
    kafka: Kafka = None,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """An event that cannot be applied is kept with its original bytes and the reason.

    After a fix (a rate for a currency, a corrected clock) --redrive sends what waits back, once.
    What fails again becomes a new dead letter.
    """
    if as_json and redrive:
        raise UsageError("--json lists and --redrive sends, expected one of them")
    settings = settings_of(kafka=kafka, redis=redis, partitions=partitions)
    with closing(DeadLetters(settings)) as letters:
        if as_json:
            for letter in _chosen(letters, reason):
                print(letter.content.model_dump_json())
            return
        with err.status("reading dead letters"):
            piles = piled(_chosen(letters, reason), samples)
        _show(piles, letters.unreadable, reason)
        if redrive:
            _redrive(letters, piles, reason, yes)


def _chosen(letters: DeadLetters, reason: str | None) -> Iterator[Letter]:
    return (letter for letter in letters.read() if reason in (None, letter.content.reason))


def _show(piles: dict[str, Pile], unreadable: int, reason: str | None) -> None:
    if not piles:
        out.print(f"No dead letters{f' of reason {reason!r}' if reason else ''}.", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("waiting", "sent back"):
        table.add_column(title, justify="right")
    table.add_column("reason", no_wrap=True)
    table.add_column("newest")
    table.add_column("topics", overflow="fold")
    for name, pile in piles.items():
        table.add_row(
            f"{pile.waiting.total():,}", f"{pile.redriven:,}", f"[bold]{escape(name)}[/]",
            moment(pile.newest_ms), _by_topic(pile.waiting),
        )  # fmt: skip
    out.print(table)
    if unreadable:
        out.print(f"{plural(unreadable, 'record')} of the topic could not be read as dead letters")
    for name, pile in piles.items():
        for sample in pile.samples:
            _show_sample(name, sample)


def _show_sample(name: str, letter: DeadLetter) -> None:
    out.print(f"\n[bold]{escape(name)}[/]  {letter.letter_id}  key {_text(letter.key)}")
    out.print(f"  {letter.detail}", markup=False)
    out.print(f"  [dim]{escape(_text(letter.value))}[/]")


def _redrive(letters: DeadLetters, piles: dict[str, Pile], reason: str | None, yes: bool) -> None:
    waiting = sum((pile.waiting for pile in piles.values()), Counter[str]())
    if not waiting:
        out.print("Nothing waits to be sent back.")
        return
    question = f"Send {plural(waiting.total(), 'record')} back ({_by_topic(waiting)})?"
    if not yes and not _agreed(question):
        out.print("\nNothing was sent (--yes sends without asking).")
        raise typer.Exit(FAILED)
    with err.status("sending back") as status:
        sent = letters.send_back(
            lambda letter: reason in (None, letter.reason),
            lambda count: status.update(f"sending back: {count:,} of {waiting.total():,}"),
        )
    out.print(f"Sent {plural(sent.total(), 'record')} back ({_by_topic(sent)}).")


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(f"\n{question}")
    except typer.Abort:
        return False


def _by_topic(counts: Counter[str]) -> str:
    return ", ".join(f"{topic} {count:,}" for topic, count in sorted(counts.items())) or "none"


def _text(value: bytes | None) -> str:
    if value is None:
        return "(null)"
    text = value[:_SHOWN_BYTES].decode(errors="replace")
    shown = "".join(char if char.isprintable() else "�" for char in text)
    more = len(value) - _SHOWN_BYTES
    return f"{shown}… ({more:,} bytes more)" if more > 0 else shown or "(empty)"
