"""What people write by mistake: they are told where and what to write, and that can be written."""

import re
from datetime import date
from pathlib import Path

import pytest

from stream.conditions import DefinitionError, Problem, examine, parse, text_of
from tests.stream.conditions.mistakes import (
    MEANT,
    MEANT_NOTED,
    MISTAKES,
    TOLD,
    Mistake,
    when,
)
from tests.stream.conditions.test_broken_files import BROKEN


def split(marked: str) -> tuple[str, int, int]:
    before, _, after = marked.partition("▸")
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(DefinitionError) as caught:
        parse(text, "segments.yaml")
    return caught.value.problems


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_place_and_what_to_write(mistake: Mistake) -> None:
    text, line, column = split(mistake.text)
    problems = problems_of(text)
    (problem,) = problems
    assert (problem.mark.line, problem.mark.column) == (line, column)
    assert mistake.found in problem.found
    assert mistake.proposed in problem.suggestion
    assert (problem.edit is not None) is mistake.mended


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_the_message_shows_the_line_with_a_mark_below(mistake: Mistake) -> None:
    text, line, column = split(mistake.text)
    with pytest.raises(DefinitionError) as caught:
        parse(text, "segments.yaml")
    where, shown, marks, proposed = str(caught.value).split("\n")
    assert where.startswith(f"segments.yaml:{line}:{column}: ")
    assert shown.startswith(f"  {line} | ")
    assert set(marks) == {" ", "^"}
    assert marks.index("^") == len(f"  {line} | ") + column - 1
    assert proposed.startswith("  → ")


ALL = {name: m.text for name, m in MISTAKES.items()} | {n: b[0] for n, b in BROKEN.items()}


@pytest.mark.parametrize("marked", ALL.values(), ids=ALL.keys())
def test_what_is_proposed_is_accepted(marked: str) -> None:
    text = marked.replace("▸", "")
    (problem,) = problems_of(text)
    if problem.edit is not None:
        mended = problem.edit.applied(text)
        assert mended != text
        parse(mended, "segments.yaml")
    elif written := re.search(r"\bwrite (\{[^…]*\})$", problem.suggestion):
        parse(when(written[1]), "segments.yaml")


def test_most_mistakes_come_with_what_to_write() -> None:
    assert len(MISTAKES) >= 90
    assert sum(mistake.mended for mistake in MISTAKES.values()) > 0.8 * len(MISTAKES)


OTHERS = "  loyal: {when: {did: L}}\n  vip: {when: {did: V}}\n"


def meaning(text: str) -> object:
    return parse(text, "segments.yaml").segments["s1"].when


@pytest.mark.parametrize(("marked", "found", "condition"), MEANT.values(), ids=MEANT.keys())
def test_what_is_proposed_means_what_was_meant(marked: str, found: str, condition: str) -> None:
    text, line, column = split(when(marked) + OTHERS)
    (problem,) = problems_of(text)
    assert (problem.mark.line, problem.mark.column) == (line, column)
    assert found in problem.found
    assert problem.edit is not None
    assert meaning(problem.edit.applied(text)) == meaning(when(condition) + OTHERS)


@pytest.mark.parametrize(
    ("marked", "found", "condition"), MEANT_NOTED.values(), ids=MEANT_NOTED.keys()
)
def test_what_a_note_proposes_means_what_was_meant(marked: str, found: str, condition: str) -> None:
    text, line, column = split(when(marked) + OTHERS)
    (note,) = examine(text, "segments.yaml").notes
    assert (note.mark.line, note.mark.column) == (line, column)
    assert found in note.found
    assert note.edit is not None
    mended = note.edit.applied(text)
    assert meaning(mended) == meaning(when(condition) + OTHERS) != meaning(text)
    assert examine(mended, "segments.yaml").notes == ()


@pytest.mark.parametrize(("marked", "found", "proposed"), TOLD.values(), ids=TOLD.keys())
def test_what_only_the_author_can_mend_is_told(marked: str, found: str, proposed: str) -> None:
    text, line, column = split(when(marked))
    with pytest.raises(DefinitionError) as caught:
        examine(text, "segments.yaml", date(2026, 11, 22))
    (problem,) = caught.value.problems
    assert (problem.mark.line, problem.mark.column) == (line, column)
    assert found in problem.found
    assert proposed in problem.suggestion
    assert problem.edit is None


def test_a_name_that_keeps_its_curly_quotes_is_noted() -> None:
    text = "version: 1\nsegments:\n  a: {name: \u201cBest buyers\u201d, when: {did: A}}\n"
    (note,) = examine(text, "f").notes
    assert note.mark.column == 13
    assert note.edit is not None
    assert parse(note.edit.applied(text), "f").segments["a"].name == "Best buyers"


def test_a_list_of_segments_by_id_is_mended() -> None:
    listed = "version: 1\nsegments:\n- id: a\n  when: {did: A}\n- id: b\n  when: {in: a}\n"
    (problem,) = problems_of(listed)
    assert problem.edit is not None
    mended = parse(problem.edit.applied(listed), "f")
    plain = "version: 1\nsegments:\n  a: {when: {did: A}}\n  b: {when: {in: a}}\n"
    assert mended.segments == parse(plain, "f").segments


#: Accepted, and noted: the mark, what is noted and what is proposed.
NOTED = {
    "everyday event": ("{did: ▸added to cart}", '"added to cart" is not', "mean Product Added?"),
    "purchase": ("{did: ▸Purchase}", "under which purchases count", "mean Order Completed?"),
    "placed order": ("{did: ▸Placed Order}", "purchases count", "mean Order Completed?"),
    "refund": ("{did: ▸Refund}", "refunds and cancellations", "mean Order Refunded?"),
    "checkout": ("{did: ▸Checkout}", "as shops usually", "mean Checkout Started?"),
    "other capitals": ("{did: ▸product added}", "as shops usually", "mean Product Added?"),
    "misspelt": ("{did_not: ▸Product Veiwed}", "as shops usually", "mean Product Viewed?"),
    "of snakes": ("{last: ▸product_added, older_than: 3d}", "usually", "mean Product Added?"),
    "misspelt property": ("{did: A, where: {▸catgory: x}}", "as shops", "mean category?"),
    "property of a purchase": (
        "{sum: ▸totl, of: Order Completed, at_least: 1}",
        'purchases have no "totl"',
        "mean total?",
    ),
    "revenue": ("{sum: ▸revenue, of: Order Completed, at_least: 1}", "no", "mean total?"),
    "trait in capitals": ("{trait: ▸City, is: x}", "as profiles", "mean city?"),
    "number of a cluster": ("{cluster: ▸3}", "3 is taken for cluster-3", "write cluster-3"),
    "event with a sign": ("{did: ▸'Product*'}", "the name of one event", ""),
    "three orders": ("{last: ▸3 orders, older_than: 3d}", "as a whole", "mean Order Completed?"),
    "six minutes": ("{did_not: A, within: ▸6m}", "6m is 6 minutes", "months write 180d"),
    "thousand with a dot": (
        "{measure: spend, at_least: ▸1.000}",
        "1.000 is 1: the dot is a decimal point",
        "for thousands write 1000",
    ),
    "postal code": ("{trait: zip, is: ▸01234}", "without the 0", 'write "01234"'),
    "yes": ("{trait: vip, is: ▸yes}", "yes is a text here", "write true"),
    "today": ("{trait: birthday, is: ▸today}", "compared as a text", "within:"),
    "two cities": (
        "{all: [{trait: city, is: Manila}, ▸{trait: city, is: Cebu}]}",
        "no single city is both this and what segments.s1.when.all[0] asks for",
        "write {trait: city, in: [Manila, Cebu]}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "found", "proposed"), NOTED.values(), ids=NOTED.keys())
def test_what_can_be_loaded_and_is_hardly_meant_is_noted(
    condition: str, found: str, proposed: str
) -> None:
    text, line, column = split(when(condition))
    (note,) = examine(text, "segments.yaml").notes
    assert (note.mark.line, note.mark.column) == (line, column)
    assert found in note.found
    assert proposed in note.suggestion
    if note.edit is not None:
        assert examine(note.edit.applied(text), "segments.yaml").notes == ()


@pytest.mark.parametrize(
    "condition",
    [
        "{did: Product Viewed, within: 30m}",
        "{did: Subscription Renewed, where: {colour: red, price: {at_least: 1.5}}}",
        "{trait: country, in: [NO, PH]}",
        "{trait: loyalty_tier, is: gold}",
        "{trait: version, is: 0.5}",
        "{measure: spend, at_least: 1000.25}",
        "{all: [{trait: city, is: Manila}, {trait: country, is: PH}]}",
        "{trait: city, is: Trinidad and Tobago}",
        "{trait: name, is: 'Doe, John'}",
        "{trait: phone, is: '555-1234'}",
        "{trait: size, is: 38-40}",
        "{trait: discount_text, is: 50%}",
        "{did: A, where: {within: {is: 3}, price: 50}}",
        "{did: 商品\uff1a閲覧, where: {色: 赤}}",
    ],
)
def test_what_may_well_be_meant_is_not_noted(condition: str) -> None:
    assert examine(when(condition), "segments.yaml").notes == ()


def test_the_starter_file_has_no_notes() -> None:
    path = Path(__file__).parents[3] / "segments.yaml"
    assert examine(path.read_text(encoding="utf-8"), "segments.yaml").notes == ()


def test_segments_of_one_name_are_noted() -> None:
    text = "version: 1\nsegments:\n  a: {when: {did: A}}\n  b: {name: a, when: {did: B}}\n"
    (note,) = examine(text, "f").notes
    assert (note.mark.line, note.mark.column, note.path) == (4, 3, "segments.b")


#: Under all never true, under any always; the second names the first.
TOGETHER = [
    ("all", "{did_not: Order Completed}", "{measure: orders, at_least: 1}"),
    ("all", "{did: Order Completed, at_least: 3}", "{measure: orders, at_most: 2}"),
    ("all", "{did: A, where: {x: 1}, within: 3d}", "{did_not: A, within: 7d}"),
    ("all", "{did: A, within: 3d}", "{did_not: '*', within: 3d}"),
    ("all", "{last: A, older_than: 30d}", "{did: A, within: 7d}"),
    ("all", "{last: A, younger_than: 7d}", "{did_not: A, within: 30d}"),
    ("all", "{sequence: [{did: A}, {did: B}], within: 2d}", "{did_not: A, within: 7d}"),
    ("all", "{not: {did: A, within: 7d}}", "{did: A, at_least: 2, within: 3d}"),
    ("any", "{did: A, within: 3d}", "{did_not: A, within: 3d}"),
    ("any", "{did: A, at_least: 2, within: 7d}", "{did: A, at_most: 1, within: 3d}"),
    ("any", "{did: A}", "{did_not: A, where: {x: 1}}"),
    ("any", "{trait: a, is: x}", "{trait: a, is_not: x}"),
    ("any", "{trait: a, exists: true}", "{trait: a, exists: false}"),
]


@pytest.mark.parametrize(("form", "one", "other"), TOGETHER)
def test_parts_that_do_not_go_together_are_told_with_both_places(
    form: str, one: str, other: str
) -> None:
    text = when(f"{{{form}: [{one}, {other}]}}")
    (problem,) = problems_of(text)
    column = len(f"    when: {{{form}: [") + 1
    assert problem.mark.column == column + len(one) + 2
    what = "never true together" if form == "all" else "any is always true"
    assert what in problem.found
    assert f"segments.s1.when.{form}[0] (line 5, column {column})" in problem.found


@pytest.mark.parametrize(
    "condition",
    [
        "{all: [{did_not: Order Completed, within: 30d}, {measure: orders, at_least: 1}]}",
        "{all: [{did: A, within: 7d}, {did_not: A, within: 3d}]}",
        "{all: [{did: A, where: {x: 1}}, {did_not: A, where: {x: 2}}]}",
        "{all: [{did: A, within: 3d}, {did_not: A, where: {x: 1}, within: 3d}]}",
        "{all: [{did: '*', within: 3d}, {did_not: A, within: 3d}]}",
        "{all: [{last: A, older_than: 7d}, {did: A, within: 30d}]}",
        "{all: [{first: A, older_than: 30d}, {did: A, within: 7d}]}",
        "{all: [{measure: orders, less_than: 2}, {did: Order Completed}]}",
        "{any: [{did: A, within: 3d}, {did_not: A, within: 7d}]}",
        "{any: [{did: A, at_least: 3}, {did: A, at_most: 1}]}",
        "{any: [{trait: a, at_least: 18}, {trait: a, less_than: 18}]}",
        "{any: [{trait: a, is: x}, {trait: a, not_in: [x, y]}]}",
    ],
)
def test_parts_that_go_together_are_let_be(condition: str) -> None:
    parse(when(condition), "segments.yaml")


GOOD = when("{did: Order Completed, within: 30d}")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
    ],
    ids=["byte order mark", "UTF-16", "CRLF", "CR"],
)
def test_files_of_other_editors_are_read(data: bytes) -> None:
    assert parse(text_of(data, "f"), "f").version == parse(GOOD, "f").version


@pytest.mark.parametrize(
    ("data", "line", "column", "found", "proposed"),
    [
        ("a: 1\nb: Café".encode("cp1252"), 2, 7, "byte 0xE9", 'from Windows it may be "é"'),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, 1, "no text", "is it the right file?"),
        (GOOD.encode("utf-16")[:-1], 1, 1, "breaks off", "save the file anew"),
    ],
    ids=["Windows", "picture", "half a character"],
)
def test_what_is_no_text_is_told(
    data: bytes, line: int, column: int, found: str, proposed: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        text_of(data, "f")
    (problem,) = caught.value.problems
    assert (problem.mark.line, problem.mark.column) == (line, column)
    assert found in problem.found
    assert proposed in problem.suggestion


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_the_editor_counts_them(newline: str) -> None:
    text = when("{did: Order Completed, witin: 3d}").replace("\n", newline)
    (problem,) = problems_of(text)
    assert (problem.mark.line, problem.mark.column) == (5, 34)
    assert problem.edit is not None
    parse(problem.edit.applied(text), "f")


def test_several_slips_of_syntax_are_told_at_once_and_what_else_is_wrong() -> None:
    text = (
        "version: 1\nsegments:\n"
        "  a:\n    when: {did: A; within: 3d}\n"
        "  b:\n    name: 'Don't'\n    when: {did: *}\n"
        "  c:\n    when: {did: A, wihtin: 3d}\n"
    )
    found = [(p.mark.line, p.suggestion) for p in problems_of(text)]
    assert found == [
        (4, 'put "," in place of ";"'),
        (6, 'write "Don\'t"'),
        (7, 'write "*"'),
        (9, 'did you mean "within"?'),
    ]


def test_what_is_left_of_a_line_when_it_is_mended_is_told_with_it() -> None:
    (problem,) = problems_of(when("{did: 'A' && trait: 'vip'}"))
    assert problem.suggestion.startswith("write {all: [{did: 'A'}, {trait: 'vip'}]}; then there is")
    assert "no test" in problem.suggestion
    assert problem.edit is None


def test_two_problems_of_one_line_are_two() -> None:
    found = problems_of(when("{all: {did: A}, {did: B}: 1}"))
    assert [problem.mark.column for problem in found] == [17, 27]


def test_a_long_line_is_shown_around_the_mistake() -> None:
    values = ", ".join(f"v{n}" for n in range(400))
    (problem,) = problems_of(when(f"{{trait: a, in: [{values}], eggsists: true}}"))
    assert problem.suggestion == 'did you mean "exists"?'
    shown = problem.shown("f", when(f"{{trait: a, in: [{values}], eggsists: true}}"), 60).split(
        "\n"
    )
    (line,) = (one for one in shown if " | " in one)
    marks = shown[shown.index(line) + 1]
    assert len(line) <= 60
    assert line[marks.index("^") : marks.rindex("^") + 1] == "eggsists"


def test_wide_characters_do_not_move_the_mark() -> None:
    text = when("{all: [{did: 商品}, {didd: A}]}")
    (problem,) = problems_of(text)
    _, line, marks, _ = problem.shown("f", text).split("\n")
    # Each of the two characters takes two columns of a terminal.
    assert marks.index("^") == line.index("didd") + 2
