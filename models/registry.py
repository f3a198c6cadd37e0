"""Every clusterer by name: the default, and River's with parameters for points of deviation 1."""

from collections.abc import Callable, Sequence
from typing import Any

import river.cluster
from river.base import Clusterer

from models.adapter import RiverLearner
from models.errors import UnknownClusterer
from models.learner import Learner
from models.panel_kmeans import PanelKMeans

Factory = Callable[[Sequence[str], int], Learner]

cluster: Any = river.cluster

#: River's clusterers, by the name they have in settings; the argument is the seed.
RIVER: dict[str, Callable[[int], Clusterer]] = {
    "river-kmeans": lambda seed: cluster.KMeans(n_clusters=6, halflife=0.05, seed=seed),
    "river-streamkmeans": lambda seed: cluster.STREAMKMeans(
        chunk_size=100, n_clusters=6, halflife=0.1, seed=seed
    ),
    "river-dbstream": lambda seed: cluster.DBSTREAM(
        clustering_threshold=2.5,
        fading_factor=0.001,
        cleanup_interval=200,
        intersection_factor=0.2,
        minimum_weight=3,
    ),
    "river-denstream": lambda seed: cluster.DenStream(
        decaying_factor=0.001, beta=0.5, mu=4, epsilon=2.0, n_samples_init=200
    ),
    "river-clustream": lambda seed: cluster.CluStream(
        n_macro_clusters=6, max_micro_clusters=50, time_gap=500, seed=seed, halflife=0.1
    ),
}

_REGISTRY: dict[str, Factory] = {"default": lambda features, seed: PanelKMeans(seed)}


def clusterers() -> list[str]:
    """The names that `learner` knows."""
    return sorted(_REGISTRY)


def register(name: str, factory: Factory) -> None:
    """Add a clusterer: `factory` gets the features and the seed."""
    _REGISTRY[name] = factory


def register_river(name: str, make: Callable[[int], Clusterer]) -> None:
    """Add a River clusterer: `make` gets the seed."""
    register(name, lambda features, seed: RiverLearner(lambda: make(seed), features))


def learner(name: str, features: Sequence[str], seed: int) -> Learner:
    """A new learner.

    Raises
    ------
    UnknownClusterer
        Naming those that there are.
    """
    if name not in _REGISTRY:
        raise UnknownClusterer(f"clusterer: {name!r}, one of {clusterers()} expected")
    return _REGISTRY[name](features, seed)


for _name, _make in RIVER.items():
    register_river(_name, _make)
