"""A worker that says on stdout when Kafka assigned which partitions to it (epoch seconds).

One JSON object per assignment, as aiokafka logs it, before anything of Agos is asked.
"""

import json
import logging
import sys

from stream import settings, worker

_LOGGER = "aiokafka.consumer.group_coordinator"


class Assignments(logging.Handler):
    """Prints each assignment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say which partitions of the event topics came, and when."""
        if not str(record.msg).startswith("Setting newly assigned partitions"):
            return
        assigned = record.args[0] if isinstance(record.args, tuple) else ()
        partitions = sorted({tp.partition for tp in assigned if tp.topic == "interactions"})
        print(json.dumps({"at": record.created, "partitions": partitions}), flush=True)


if __name__ == "__main__":
    log = logging.getLogger(_LOGGER)
    log.setLevel("INFO")
    log.propagate = False
    log.addHandler(Assignments())
    sys.exit(worker.run(settings.load()))
