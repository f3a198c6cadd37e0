"""How events change the states of their customers, in bulk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.cohort import Cohort
from stream.columns import Columns
from stream.customer import CATEGORY_HALF_LIFE_DAYS, DAY_MS, HALF_LIFE_DAYS, IDS, MAX_TRAITS, Table
from stream.extra import Extra

_HALF_LIVES_MS = np.array(list(HALF_LIFE_DAYS.values())) * DAY_MS
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch of m events changed.

    Attributes
    ----------
    cohort
        The n customers that changed.
    new
        For each of them, whether nothing was known of it, shape (n,).
    older
        For each of them, whether it is new or was seen earlier than was known, shape (n,).
    paid
        For each of them, whether it had an order or a refund, shape (n,).
    last
        For each of them, the index of the last event that was applied, shape (n,).
    fresh
        For each event, whether it was applied (False: a duplicate), shape (m,).
    """

    cohort: Cohort
    new: NDArray[np.bool_]
    older: NDArray[np.bool_]
    paid: NDArray[np.bool_]
    last: NDArray[np.int64]
    fresh: NDArray[np.bool_]


def fold(tables: Sequence[Table], batch: Columns) -> Folded:
    """Fold events into the rows of their tables; for their traits see `fold_traits`.

    Parameters
    ----------
    batch
        Of one table, or joined columns of `tables`.
    """
    keys, group = np.unique(batch.rows, return_inverse=True)
    cohort = Cohort.gather(tables, keys)
    fresh = _fresh(cohort.state, batch, group)
    applied = np.arange(len(fresh))
    if not fresh.all():
        batch, applied = batch.only(fresh), np.flatnonzero(fresh)
        keys, group = np.unique(batch.rows, return_inverse=True)
        cohort = Cohort.gather(tables, keys)
    state, count = cohort.state, len(cohort)
    last = np.zeros(count, np.int64)
    np.maximum.at(last, group, applied)
    new = state["events"] == 0
    before_ms = state["last_seen_ms"].copy()
    newest = before_ms.copy()
    np.maximum.at(newest, group, batch.at_ms)
    _fold_counters(state, batch, group, newest)
    if len(batch.category_event):
        _fold_categories(state, batch, group, newest)
    else:
        faded = _decay(newest - before_ms, CATEGORY_HALF_LIFE_DAYS * DAY_MS)
        state["weights"] *= faded[:, None].astype(np.float32)
    state["events"] += np.bincount(group, minlength=count).astype(np.uint32)
    first = np.where(state["first_seen_ms"] == 0, _NEVER, state["first_seen_ms"])
    np.minimum.at(first, group, batch.at_ms)
    older = first != state["first_seen_ms"]
    state["first_seen_ms"], state["last_seen_ms"] = first, newest
    paid = np.zeros(count, bool)
    if len(batch.money_event):
        paid[group[batch.money_event]] = True
        _fold_money(state, batch, group)
    _remember_ids(state, batch, group)
    state["version"] += 1
    cohort.scatter()
    return Folded(cohort, new, older, paid, last, fresh)


def fold_traits(table: Table, batch: Columns, fresh: NDArray[np.bool_]) -> None:
    """Take up the traits of the fresh events of one table's batch."""
    traits, rows, at_ms = batch.traits or (), batch.rows.tolist(), batch.at_ms.tolist()
    for i in np.flatnonzero(fresh).tolist() if traits else ():
        extra = table.extra.get(rows[i])
        if extra is None:
            extra = table.extra[rows[i]] = Extra()
        known = extra.changing_traits()
        for name, value in traits[i].items():
            if name in known and known[name][1] > at_ms[i]:
                continue
            known.pop(name, None)
            # A removed trait stays as None, so that a late older fact cannot raise it again.
            known[name] = (value, at_ms[i])
        while len(known) > MAX_TRAITS:
            del known[next(iter(known))]


def _decay(elapsed_ms: NDArray[Any], half_life_ms: Any) -> NDArray[np.float64]:
    return np.asarray(np.exp2(-np.maximum(elapsed_ms, 0) / half_life_ms))


def _fresh(state: NDArray[Any], batch: Columns, group: NDArray[np.int64]) -> NDArray[np.bool_]:
    # Rows far apart in value, so that one key tells both customer and event id.
    keys = batch.ids ^ (batch.rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    fresh = np.zeros(len(keys), bool)
    fresh[np.unique(keys, return_index=True)[1]] = True
    known = state["ids"][group] == batch.ids[:, None]
    fresh[known.any(axis=1)] = False
    return fresh


def _fold_counters(
    state: NDArray[Any], batch: Columns, group: NDArray[np.int64], newest: NDArray[np.int64]
) -> None:
    # A late event counts as if it had come in time: it is decayed to the newest event's time.
    worth = batch.adds * _decay((newest[group] - batch.at_ms)[:, None], _HALF_LIVES_MS)
    aged = state["counters"] * _decay((newest - state["last_seen_ms"])[:, None], _HALF_LIVES_MS)
    for i in np.flatnonzero(batch.adds.any(axis=0)).tolist():
        aged[:, i] += np.bincount(group, worth[:, i], minlength=len(state))
    state["counters"] = aged


def _fold_money(state: NDArray[Any], batch: Columns, group: NDArray[np.int64]) -> None:
    group, at_ms, total_minor = (
        group[batch.money_event],
        batch.at_ms[batch.money_event],
        batch.total_minor,
    )
    np.add.at(state["spend_minor"], group, total_minor)
    ordered = total_minor >= 0
    group, at_ms = group[ordered], at_ms[ordered]
    state["orders"] += np.bincount(group, minlength=len(state)).astype(np.uint32)
    first = np.where(state["first_order_ms"] == 0, _NEVER, state["first_order_ms"])
    np.minimum.at(first, group, at_ms)
    state["first_order_ms"] = np.where(first == _NEVER, 0, first)
    last = state["last_order_ms"].copy()
    np.maximum.at(last, group, at_ms)
    state["last_order_ms"] = last


def _fold_categories(
    state: NDArray[Any], batch: Columns, group: NDArray[np.int64], newest: NDArray[np.int64]
) -> None:
    half_life_ms = CATEGORY_HALF_LIFE_DAYS * DAY_MS
    aged = newest - state["last_seen_ms"]
    state["weights"] *= _decay(aged, half_life_ms)[:, None].astype(np.float32)
    owner = group[batch.category_event]
    worth = _decay(newest[owner] - batch.at_ms[batch.category_event], half_life_ms)
    pairs = owner.astype(np.uint64) << np.uint64(32) | batch.category_code
    pair, inverse = np.unique(pairs, return_inverse=True)
    weight = np.bincount(inverse, worth).astype(np.float32)
    owner = (pair >> np.uint64(32)).astype(np.int64)
    code = (pair & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    # Pairs are sorted by owner: round r takes the r-th pair of each, so no row appears twice.
    rank = _rank(owner, np.bincount(owner, minlength=len(state)))
    for r in range(int(rank.max()) + 1):
        chosen = np.flatnonzero(rank == r)
        _add_category(state, owner[chosen], code[chosen], weight[chosen])


def _add_category(
    state: NDArray[Any],
    owner: NDArray[np.int64],
    code: NDArray[np.uint32],
    weight: NDArray[np.float32],
) -> None:
    """Add to the category's slot, else take the lightest slot (its weight is given up)."""
    codes, weights = state["categories"][owner], state["weights"][owner]
    same = codes == code[:, None]
    slot = np.where(same.any(axis=1), same.argmax(axis=1), weights.argmin(axis=1))
    kept = np.where(same.any(axis=1), weights[np.arange(len(owner)), slot], 0)
    state["weights"][owner, slot] = kept + weight
    state["categories"][owner, slot] = code


def _remember_ids(state: NDArray[Any], batch: Columns, group: NDArray[np.int64]) -> None:
    # Position of each event among its customer's events in this batch, in order of offsets.
    order = np.argsort(group, kind="stable")
    owner = group[order]
    counts = np.bincount(group, minlength=len(state))
    slot = (state["id_slot"][owner].astype(np.int64) + _rank(owner, counts)) % IDS
    state["ids"][owner, slot] = batch.ids[order]
    state["id_slot"] = (state["id_slot"].astype(np.int64) + counts) % IDS


def _rank(owner: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each among those of the same owner; `owner` is sorted, `counts` per owner."""
    starts = np.cumsum(counts) - counts
    return np.arange(len(owner)) - starts[owner]
