"""`agos simulate`."""

import time
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer
from kafka.errors import KafkaError

from stream.cli.common import (
    INTERRUPTED,
    Kafka,
    Partitions,
    err,
    new_app,
    out,
    plural,
    settings_of,
)
from stream.errors import AgosError
from stream.local import terminable
from stream.producer import producer
from stream.replay import Recorded
from stream.replay import replay as send
from stream.settings import Settings
from stream.simulator import Simulator
from stream.topics import partition_of

app = new_app()

Rate = Annotated[float, typer.Option("--rate", min=0.1, max=50_000, help="Events per second.")]
Customers = Annotated[
    int, typer.Option("--customers", min=1, max=1_000_000, help="Customers of the shop.")
]
History = Annotated[
    int, typer.Option("--history", min=0, help="Events of the past weeks that are sent first.")
]
_LINGER_MS = 5
#: Events are sent in a few batches a second, as the SDKs of websites do. The embedded broker looks
#: through all batches of a partition whenever it has new events to hand out: with a batch for each
#: event it is busy with nothing else after some minutes.
_TOGETHER_MS = 500
_CLOSE_SECONDS = 10.0


@app.command()
def simulate(
    rate: Rate = 200.0,
    customers: Customers = 2_000,
    history: History = 20_000,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same shop; default: a new one.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop by itself after so long.")
    ] = None,
    kafka: Kafka = None,
    partitions: Partitions = None,
) -> None:
    """Customers with personas who visit, search, buy, return and change: a simulation.

    First a history that ends now, then live events until Ctrl-C: the shop in fast motion.
    """
    settings = settings_of(kafka=kafka, partitions=partitions)
    seed = int(time.time()) if seed is None else seed
    with terminable():
        feed = Feed(settings, Simulator.backlog(
            customers, seed, history, _now_ms(), currency=settings.currency
        ))  # fmt: skip
        try:
            if history:
                with err.status(f"sending {plural(history, 'event')} of history"):
                    feed.history(history)
                out.print(f"{plural(feed.sent, 'event')} of simulated history sent")
            with err.status(f"sending {rate:g} events/s; Ctrl-C stops"):
                feed.live(rate, seconds)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        feed.close()
    out.print(f"{plural(feed.sent, 'simulated event')} sent")
    if interrupted:
        raise typer.Exit(INTERRUPTED)


class Feed:
    """A simulated shop's events on their way to Kafka."""

    def __init__(self, settings: Settings, shop: Simulator) -> None:
        self._shop, self._partitions = shop, settings.partitions
        self._producer: Any = producer(settings, linger_ms=_LINGER_MS)
        self._encode = msgspec.json.Encoder().encode
        self._refused: BaseException | None = None
        self.sent = 0

    def history(self, events: int) -> None:
        """Send the first `events` with their own times, as fast as Kafka takes them."""
        records = (
            Recorded(0, topic, key, value)
            for topic, key, value in islice(self._shop.encoded(), events)
        )
        summary = send(records, self._producer, self._partitions)
        self.sent += summary.total
        if summary.interrupted:
            raise KeyboardInterrupt

    def live(self, rate: float, seconds: float | None) -> None:
        """Send `rate` events per second, stamped with the clock."""
        end_s = None if seconds is None else time.monotonic() + seconds
        for topic, customer, record in self._shop.live(rate, together_ms=_TOGETHER_MS):
            if end_s is not None and time.monotonic() >= end_s:
                return
            if self._refused is not None:
                raise AgosError(f"Kafka did not take an event: {self._refused!r}")
            self._send(topic, customer, self._encode(record))

    def close(self) -> None:
        """Wait for what is under way."""
        self._producer.close(timeout=_CLOSE_SECONDS)

    def _send(self, topic: str, customer: str, value: bytes) -> None:
        try:
            future = self._producer.send(
                topic,
                value=value,
                key=customer.encode(),
                partition=partition_of(customer, self._partitions),
            )
        except KafkaError as error:
            raise AgosError(f"{topic}: Kafka did not take an event ({error!r})") from None
        future.add_errback(self._note)
        self.sent += 1

    def _note(self, error: BaseException) -> None:
        self._refused = error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
