"""What to write for a day: the language knows only how long ago something was."""

import re
from datetime import date

from stream.conditions.hints import Hint
from stream.conditions.words import DAY_MS, MAX_DURATION_MS

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def of_date(raw: str, asked: tuple[str, str], name: str, today: date | None) -> Hint:
    """What to write for a field whose value is a day: `since: 2026-01-01`.

    `asked`: the form that asks about an event, and the event; both empty if none does. `today`:
    None if that is not known.
    """
    if not _DAY.fullmatch(raw):
        return Hint()
    try:
        days = 0 if today is None else (today - date.fromisoformat(raw)).days
    except ValueError:
        return Hint()
    form, event = asked
    if not 0 < days <= MAX_DURATION_MS // DAY_MS or not form:
        return Hint("no dates here: how long ago an event was is told by within: or younger_than:")
    older = name in ("before", "until")
    said = f"{{{form}: {event}, within: {days}d}}"
    if older or not form.startswith("did"):
        form = form if form in ("first", "last") else "last"
        said = f"{{{form}: {event}, {'older' if older else 'younger'}_than: {days}d}}"
    return Hint(f"no dates here; from today {said} says it, and moves on with each day")
