"""A new group is found in time, on whole streams."""

import pytest

from models.evaluation import evaluate


@pytest.mark.slow
@pytest.mark.parametrize("seed", [302, 305])
def test_a_newborn_persona_has_a_segment_of_its_own_within_12_500_updates(seed: int) -> None:
    before, after = evaluate("default", seed, "birth", updates=40_000, after=12_000)
    assert (before.k, before.changes) == (6, [])
    assert after.found_after is not None
    assert after.k == 7
    assert after.ari_stateless >= 0.98 * after.ari_batch
