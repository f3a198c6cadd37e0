"""Every clusterer by name."""

from collections.abc import Callable, Sequence

from river import cluster

from models.adapter import RiverLearner
from models.errors import UnknownClusterer
from models.learner import Learner
from models.panel_kmeans import PanelKMeans

Factory = Callable[[Sequence[str], int], Learner]

_REGISTRY: dict[str, Factory] = {
    "default": lambda features, seed: PanelKMeans(seed),
    "river-kmeans": lambda features, seed: RiverLearner(
        lambda: cluster.KMeans(n_clusters=6, halflife=0.05, seed=seed), features
    ),
}


def clusterers() -> list[str]:
    """The names that `learner` knows."""
    return sorted(_REGISTRY)


def register(name: str, factory: Factory) -> None:
    """Add a clusterer: `factory` gets the features and the seed."""
    _REGISTRY[name] = factory


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
