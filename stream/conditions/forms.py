"""The forms that a condition may have, and the fields of each."""

BOUNDS = ("at_least", "at_most", "more_than", "less_than", "between", "exactly")
TESTS = ("is", "is_not", "in", "not_in", "contains", "matches", "exists", *BOUNDS)
PERCENTILES = ("percentile_at_least", "percentile_at_most")

#: Form → the fields it may have.
FORMS: dict[str, tuple[str, ...]] = {
    "all": ("all",),
    "any": ("any",),
    "not": ("not",),
    "did": ("did", "where", "within", *BOUNDS),
    "did_not": ("did_not", "where", "within"),
    "first": ("first", "where", "older_than", "younger_than"),
    "last": ("last", "where", "older_than", "younger_than"),
    "trait": ("trait", *TESTS),
    "measure": ("measure", "within", *BOUNDS, *PERCENTILES, "older_than", "younger_than"),
    "sum": ("sum", "of", "where", "within", *BOUNDS),
    "average": ("average", "of", "where", "within", *BOUNDS),
    "sequence": ("sequence", "within"),
    "affinity": ("affinity", *BOUNDS),
    "cluster": ("cluster",),
    "in": ("in",),
}
