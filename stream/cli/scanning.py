"""Commands that look at every customer: a progress bar, and what their `now` is."""

import time
from collections import defaultdict
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream.cli.common import err
from stream.recall import Recalled, recall
from stream.settings import Settings
from stream.store.scan import StateScan
from stream.topics import partition_of


class Clock:
    """What `now` is for a customer: the wall clock, or the newest event of its partition."""

    def __init__(self, settings: Settings, scan: StateScan) -> None:
        self._partitions = settings.partitions
        self._follows_events = settings.clock == "events"
        self._wall_ms = time.time_ns() // 1_000_000
        self._newest_ms: dict[int, int] = defaultdict(int)
        if self._follows_events:
            for batch in scanned(scan, "newest events"):
                self._see(batch)

    def _see(self, customers: list[Recalled]) -> None:
        for customer in customers:
            partition = partition_of(customer.customer_id, self._partitions)
            last_ms = int(customer.row["last_seen_ms"])
            self._newest_ms[partition] = max(self._newest_ms[partition], last_ms)

    def now_ms(self, customer_id: str) -> int:
        """The customer's moment."""
        if not self._follows_events:
            return self._wall_ms
        return self._newest_ms[partition_of(customer_id, self._partitions)]

    def split(self, customers: list[Recalled]) -> Iterator[tuple[int, list[Recalled]]]:
        """Moments, and the customers whose moment it is."""
        if not self._follows_events:
            yield self._wall_ms, customers
            return
        parts: dict[int, list[Recalled]] = defaultdict(list)
        for customer in customers:
            parts[partition_of(customer.customer_id, self._partitions)].append(customer)
        for partition, chosen in parts.items():
            yield self._newest_ms[partition], chosen


def scanned(scan: StateScan, what: str) -> Iterator[list[Recalled]]:
    """Every stored customer, in batches, under a progress bar on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        task = progress.add_task(what, total=scan.about())
        for names, states in scan.batches():
            yield list(recall(names, states))
            progress.advance(task, len(names))
