"""How conditions on what a customer is like now are read: measures, affinities, clusters."""

import re
from fractions import Fraction

from stream.conditions import hints, standing, words
from stream.conditions.amounts import Amount, Rank
from stream.conditions.conditions import Condition
from stream.conditions.details import Details
from stream.conditions.document import Listing, Scalar, shown
from stream.conditions.fields import Fields
from stream.conditions.forms import BOUNDS, PERCENTILES
from stream.conditions.hints import Hint
from stream.conditions.occurrences import CountWithin
from stream.conditions.problems import Edit, listed
from stream.conditions.rewriting import each_of
from stream.conditions.selection import (
    ANY_EVENT,
    ORDER_COMPLETED,
    PURCHASE_EVENTS,
    TOTAL,
    Selection,
)
from stream.conditions.values import Bounds

_CLUSTER = re.compile("cluster-[0-9]{1,9}")


class StandingPhrases(Details):
    """Reads conditions on what a customer is like now; None if there are problems."""

    def measure(self, fields: Fields) -> Condition | None:
        known = (*standing.TOTALS, *standing.AGES)
        measure = fields.text("measure", f"one of {listed(known)}")
        if measure is None:
            return None
        if measure not in known and self.compared(fields, "measure", measure):
            return None
        if measure not in known:
            hint = hints.for_field(measure, known)
            fields.wrong("measure", f'measure "{measure[:60]}"', f"one of {listed(known)}", hint)
            return None
        if measure in standing.AGES:
            fields.allow(("measure", "older_than", "younger_than"), f"a condition on {measure}")
            ages = self.ages(fields)
            return standing.Seen(measure, *ages) if ages else None
        fields.allow(("measure", "within", *BOUNDS, *PERCENTILES), f"a condition on {measure}")
        if self._percentile_in_words(fields):
            return None
        within_ms = fields.duration("within")
        if "within" in fields and within_ms is None:
            return None
        if any(name in fields for name in PERCENTILES):
            return self._rank(fields, measure, within_ms)
        return self._measured(fields, measure, within_ms)

    def _percentile_in_words(self, fields: Fields) -> bool:
        """Tell of `at_least: 90th percentile` and `at_least: top 10%`; whether it is there."""
        for name in BOUNDS:
            node = fields.table.fields.get(name)
            word = hints.for_percentile(name, node.raw) if isinstance(node, Scalar) else ""
            if word:
                fields.wrong_field(name, word, shown(fields.table.fields[name]), "a number")
                return True
        return False

    def _rank(self, fields: Fields, measure: str, within_ms: int | None) -> Condition | None:
        given = [name for name in (*BOUNDS, *PERCENTILES) if name in fields]
        if any(name in BOUNDS for name in given):
            found = f"{' and '.join(given)} together"
            fields.contradiction(given, found, "a bound of the value or of its percentile")
            return None
        ends = {name: fields.number(name, "a percentile from 0 to 100") for name in given}
        for name, end in ends.items():
            if end is not None and (not 0 <= end <= 100 or 0 < end < 1):
                word = f"{float(100 * end):g}" if 0 < end < 1 else ""
                hint = Hint(f"write {word}", word) if word else Hint("90 is the top tenth")
                fields.wrong(name, f"{float(end):g}", "a percentile from 0 to 100", hint)
                return None
        if None in ends.values():
            return None
        bounds = Bounds(ends.get(PERCENTILES[0]), ends.get(PERCENTILES[1]))
        if bounds.empty():
            fields.contradiction(given, f"no percentile is {bounds.range_text()}")
            return None
        return Rank(measure, within_ms, bounds)

    def _measured(self, fields: Fields, measure: str, within_ms: int | None) -> Condition | None:
        if within_ms is None:
            bounds = self.required_bounds(fields, PERCENTILES)
            return standing.Total(measure, bounds) if bounds else None
        if measure == standing.SPEND:
            bounds = self.required_bounds(fields, PERCENTILES)
            selection = Selection(PURCHASE_EVENTS)
            return Amount(False, selection, TOTAL, within_ms, bounds) if bounds else None
        if self.required_bounds(fields, PERCENTILES) is None:
            return None
        counts = self.counts(fields)
        name = ANY_EVENT if measure == standing.EVENTS else ORDER_COMPLETED
        return CountWithin(Selection((name,)), *counts, within_ms) if counts else None

    def affinity(self, fields: Fields) -> Condition | None:
        if isinstance(fields.table.fields["affinity"], Listing):
            fields.wrong_whole("affinity", each_of(fields, "affinity"), "a list", "a category")
            return None
        category = fields.text("affinity", "a category")
        if category and self.compared(fields, "affinity", category):
            return None
        bounds = self.required_bounds(fields)
        if bounds is not None and not _within_range(bounds, 0, 1):
            self._weights(fields)
            return None
        return standing.Affinity(category, bounds) if category and bounds else None

    def _weights(self, fields: Fields) -> None:
        """Note bounds of a weight that are out of its range: most are percentages."""
        expected = "a weight from 0 to 1"
        for name in BOUNDS:
            node = fields.table.fields.get(name)
            if not isinstance(node, Scalar):
                if node is not None:
                    fields.wrong(
                        name, fields.spelled(name) or "a list", expected, "write 0.4 for 40 %"
                    )
                continue
            weight = Fraction(node.raw)
            if 0 <= weight <= 1:
                continue
            word = words.number(weight / 100) if 1 < weight <= 100 else ""
            hint = Hint(f"write {word} for {words.number(weight)} %", word) if word else Hint()
            fields.wrong(name, node.raw[:40], expected, hint)

    def cluster(self, fields: Fields) -> Condition | None:
        expected = "the id of a discovered segment, such as cluster-3, or a list of ids"
        if isinstance(fields.table.fields["cluster"], Listing):
            given: tuple[object, ...] = self.values(fields, "cluster") or ()
        else:
            name = fields.text("cluster", expected)
            given = (name,) if name else ()
        names = tuple(_cluster_id(value) for value in given)
        node = fields.table.fields["cluster"]
        if isinstance(node, Scalar) and given and names[0] != given[0]:
            edit = Edit(node.mark.index, node.end, names[0])
            found, hint = f"{given[0]} is taken for {names[0]}", f"write {names[0]}"
            self.problems.note(node.mark, fields.below("cluster"), found, hint, edit, node.end)
        for value, name in zip(given, names, strict=True):
            if not _CLUSTER.fullmatch(name):
                hint = "agos segments lists them; names of clusters change"
                fields.wrong("cluster", f'"{str(value)[:60]}"', expected, hint)
                return None
        return standing.Cluster(names) if names else None


def _cluster_id(value: object) -> str:
    """`3` is short for `cluster-3`, as the discovered segments are called."""
    name = str(value)
    return f"cluster-{name}" if name.isdecimal() else name


def _within_range(bounds: Bounds, low: int, high: int) -> bool:
    ends = [end for end in (bounds.low, bounds.high) if end is not None]
    return all(low <= end <= high for end in ends)
