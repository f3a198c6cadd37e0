"""What becomes of a stored state that goes on with another log than it was made of. Pure."""

import numpy as np

from stream.conditions.memory import LACKING, lacking_of, lost_of, note
from stream.customer import Table, is_link

#: How MessagePack writes the field that a state's memory has if it lacks something.
_MARK = bytes([0xA0 + len(LACKING)]) + LACKING.encode()


def relocated(stored: bytes) -> bytes:
    """The state, or the same object if nothing in it depends on the log.

    Up to which offset the past is still to be read means nothing in another log, where events
    that are in the state already would be read a second time: that past is lost.
    """
    if _MARK not in stored or is_link(stored):
        return stored
    table = Table(1)
    table.load([""], [stored])
    extra = table.extra.get(0)
    if extra is None or not (lacking := lacking_of(extra.memory)):
        return stored
    note(extra.memory, {}, {*lost_of(extra.memory), *lacking})
    return table.dump(np.array([0]))[0]
