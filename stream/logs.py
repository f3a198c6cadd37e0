"""How a process logs: one line an event, as text for people or as JSON for a collector of logs.

What customers did and who they are is logged at `debug` only.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from stream.settings import Settings

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a record: time (RFC 3339, UTC), level, logger, message; where there is one,
    error with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # Escaped, so that no line is broken and nothing reaches a terminal as a command.
        return json.dumps(line)


def set_up(settings: Settings, quiet: Mapping[str, str]) -> None:
    """Log to stderr as the settings say.

    Parameters
    ----------
    quiet
        Logger → the least level that is told of it: libraries whose errors come back as ours.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.log.upper(), handlers=[handler])
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
