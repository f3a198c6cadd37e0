"""Who is measured beside the worker, and how: each one is a process that times itself."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import redis

from scripts.benches.ground import NOOP, ROOT
from stream.settings import Settings

_LIMIT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Contestant:
    """A process of its own on the same topics.

    Attributes
    ----------
    needs
        Package that it is made with, where the default installation does not have it.
    most
        It handles at most so many events: a slow one need not be watched for minutes.
    prefix
        Of the hashes that it writes, one per customer; empty for one that writes none.
    embedded
        Whether it works with the embedded broker.
    """

    name: str
    module: str
    needs: str = ""
    most: int = 10**9
    prefix: str = ""
    embedded: bool = True
    arguments: tuple[str, ...] = ()


NO_OP = Contestant("Faust agent that does nothing", "noop", most=50_000)
DECODE_ONLY = Contestant("aiokafka, decodes only", "decode_only")
#: The same job in other engines.
SAME_JOB = (
    Contestant("Faust, per event with Table", "faust_job", most=20_000, prefix="faust"),
    # It asks the broker for the topics' retention, which the embedded one does not keep.
    Contestant("Quix Streams", "quix_job", "quixstreams", prefix="quix", embedded=False),
    Contestant("Bytewax", "bytewax_job", "bytewax", prefix="bytewax"),
    Contestant(
        "Bytewax, forgets all in a crash",
        "bytewax_job",
        "bytewax",
        prefix="bytewax",
        arguments=("forgetful",),
    ),
)
CONTESTANTS = (NO_OP, DECODE_ONLY, *SAME_JOB)


def absent(contestant: Contestant, python: str, broker: str) -> str:
    """Why it cannot run here; empty if it can."""
    if broker == "embedded" and not contestant.embedded:
        return "does not work with the embedded broker: --broker apache"
    if not contestant.needs:
        return ""
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({contestant.needs!r}) is None)"
    found = subprocess.run([python, "-c", code]).returncode == 0
    return "" if found else "not installed: pip install 'agos[bench]'"


def rate(
    contestant: Contestant,
    python: str,
    settings: Settings,
    client: redis.Redis,
    events: int,
) -> float:
    """Events per second, from the first event to the end of the last write.

    Raises
    ------
    RuntimeError
        If it fails, or if what it wrote is not what it says.
    """
    count = min(events, contestant.most)
    done = subprocess.run(
        _command(contestant, python if contestant.needs else sys.executable, settings, count),
        cwd=ROOT,
        capture_output=True,
        timeout=_LIMIT_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{contestant.name} failed:\n{done.stderr.decode()[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if contestant.prefix:
        written = taken_away(client, contestant.prefix)
        if written < count or (count == events and written != count):
            raise RuntimeError(f"{contestant.name} counted {written} of {count} events")
    return float(figures["events"] / figures["seconds"])


def taken_away(client: redis.Redis, prefix: str) -> int:
    """Sum of `events` over the hashes of one contestant, which are removed."""
    found: list[Any] = list(client.scan_iter(f"{prefix}:*", count=5_000))
    pipe = client.pipeline(transaction=False)
    for key in found:
        pipe.hget(key, "events")
        pipe.unlink(key)
    return sum(int(value) for value in pipe.execute()[::2])


def _command(contestant: Contestant, python: str, settings: Settings, events: int) -> list[str]:
    if contestant.module == "noop":
        return [python, str(NOOP), settings.kafka, str(events), "raw"]
    command = [python, "-m", f"scripts.benches.{contestant.module}", settings.kafka]
    if contestant.prefix:
        command += [settings.redis, str(settings.partitions)]
    return [*command, str(events), *contestant.arguments]
