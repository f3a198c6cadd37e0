"""What learns: online clusterers with River's interface, snapshots, names, drift.

Nothing here touches Kafka, Redis, a clock or settings; `stream` feeds it and stores it.
"""

from models.clusterer import LiveSegments
from models.panel import PANEL_SIZE
from models.snapshot import UNASSIGNED, Change, Segment, Snapshot
from models.trainer import Trainer, panel_hash

__all__ = [
    "UNASSIGNED",
    "Change",
    "LiveSegments",
    "Segment",
    "Snapshot",
    "Trainer",
    "default_clusterer",
    "panel_hash",
]


def default_clusterer(seed: int = 1, panel_size: int = PANEL_SIZE) -> LiveSegments:
    """The clusterer that Agos uses unless told otherwise, as a River `Clusterer`."""
    return LiveSegments(seed=seed, panel_size=panel_size)
