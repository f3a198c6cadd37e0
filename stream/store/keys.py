"""Every Redis key of Agos; nothing else builds one."""

import re

PREFIX = "agos:"
SEGMENTS = "agos:segments"
CHANGES = "agos:changes"
MODEL = "agos:model"
#: JSON: how the model in force and its challengers do.
LEAGUE = "agos:model:league"
#: Stream of what has moved in the customers, a bounded number of entries.
ALERTS = "agos:model:alerts"
#: Name of the clusterer that somebody asked for; it wins over the setting.
WANTED = "agos:model:wanted"
#: The trainer's state and the offset of the samples that it has seen.
TRAINER = "agos:trainer"
#: How far the relay has copied the change records.
RELAY = "agos:relay"
#: Worker → JSON of its last report; internal, for live views.
WORKERS = "agos:workers"
#: Sorted set of the dead letters that were sent back, scored by their offset.
REDRIVEN = "agos:redriven"
#: Hash: partition → sketches of the measures of its customers; internal, for percentiles.
RANKS = "agos:ranks"
#: Hash: partition → JSON: how far what new definitions ask about the past is filled in.
BACKFILL = "agos:backfill"
#: Hash: version of definitions → JSON: since when, and what memories of it hold; internal.
DEFINITIONS = "agos:definitions"
#: Hash: digest of a forgotten customer's id → epoch ms up to which its events are not wanted.
FORGOTTEN = "agos:forgotten"
#: Stream of changes that a webhook did not take; the oldest go first.
UNDELIVERED = "agos:undelivered"
#: Hash: first two bytes of an event's number → the others, packed; what collectors remember.
SEEN = "agos:seen"
#: Which dashboard writes the history; it expires when that one is gone.
HISTORY_WRITER = "agos:history:writer"
#: List of alerts that dashboards raised and settled, newest first, bounded.
HISTORY_ALERTS = "agos:history:alerts"
#: List of births, deaths, splits and merges, newest first.
HISTORY_STRUCTURE = "agos:history:structure"
#: Hash: collector → JSON of its last report.
COLLECTORS = "agos:collectors"
CUSTOMER_PREFIX = "agos:customer:"
LINK_PREFIX = "agos:link:"
SEGMENT_PREFIX = "agos:segment:"
MEMBERS_SUFFIX = ":members"
#: Where earlier versions kept what is remembered of a customer.
EARLIER_STATE_PREFIX = "agos:state:"
#: Pattern of all keys of partitions.
OF_PARTITIONS = "agos:{*}:*"
_OF_PARTITION = re.compile(rb"agos:\{(\d+)\}:")


def customer(customer_id: str) -> str:
    """Hash with a customer's public fields."""
    return CUSTOMER_PREFIX + customer_id


def link(customer_id: str) -> str:
    """Id of the customer that this one was merged into."""
    return LINK_PREFIX + customer_id


def members(segment: str) -> str:
    """Sorted set of a segment's customers, scored by the ms when they entered."""
    return f"{SEGMENT_PREFIX}{segment}{MEMBERS_SUFFIX}"


def history(seconds: int) -> str:
    """List of what dashboards saw, one point per so many seconds, newest first, bounded."""
    return f"agos:history:{seconds}"


def offsets(partition: int) -> str:
    """Hash of a partition: topic → next offset to apply, and who wrote last."""
    return f"agos:{{{partition}}}:offsets"


def states(partition: int) -> str:
    """Hash of a partition: customer → what the workers remember of it; binary, internal."""
    return f"agos:{{{partition}}}:states"


def due(partition: int) -> str:
    """Sorted set of a partition's customers, scored by the ms of their next evaluation."""
    return f"agos:{{{partition}}}:due"


def categories(partition: int) -> str:
    """Hash of a partition: category code → name."""
    return f"agos:{{{partition}}}:categories"


def counters(partition: int) -> str:
    """Hash of a partition: counter → number of events, since the beginning."""
    return f"agos:{{{partition}}}:counters"


def transfers(partition: int) -> str:
    """Hash of a partition: id → record with a merged customer's state that Kafka is to get."""
    return f"agos:{{{partition}}}:transfers"


def of_partition(partition: int) -> list[str]:
    """All keys of a partition."""
    named = (offsets, states, due, categories, counters, transfers)
    return [name(partition) for name in named]


def partition_in(name: bytes) -> int | None:
    """The partition that a key is of; None if it is of none."""
    found = _OF_PARTITION.match(name)
    return int(found[1]) if found else None
