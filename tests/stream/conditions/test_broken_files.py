"""Every broken file gets a message that its author can act on: where, what, what instead."""

import pytest

from stream.conditions import DefinitionError, parse

WHEN = "version: 1\nsegments:\n  a:\n    when: "

#: ▸ marks where the message must point; then what was found, and what it must suggest.
BROKEN = {
    "misspelled field": (
        WHEN + "{did: Order Completed, ▸at_leest: 3}",
        'segments.a.when.at_leest: unknown field "at_leest"',
        'did you mean "at_least"?',
    ),
    "misspelled condition": (WHEN + "{▸dit: A}", 'unknown field "dit"', 'did you mean "did"?'),
    "two conditions in one": (
        WHEN + "{did: A, ▸trait: age, is: 1}",
        "did and trait in one condition",
        "write {all: [{did: A}, {trait: age, is: 1}]}",
    ),
    "empty condition": (WHEN + "▸{}", "an empty mapping", "one of all, any, not, did"),
    "list without all": (
        WHEN + "▸[{did: A}, {did: B}]",
        "segments.a.when: a list",
        "write {all: [{did: A}, {did: B}]}",
    ),
    "bare event": (
        WHEN + "▸Order Completed",
        'text "Order Completed"',
        "write {did: Order Completed}",
    ),
    "all of a mapping": (WHEN + "{all: ▸{did: A}}", "a mapping", "write all: [{did: A}]"),
    "empty any": (WHEN + "{any: ▸[]}", "an empty list", "expected a list of conditions"),
    "duration without unit": (WHEN + "{did: A, within: ▸90}", 'number "90"', "did you mean 90d?"),
    "duration in months": (
        WHEN + "{did: A, within: ▸3 months}",
        'text "3 months"',
        "did you mean 90d?",
    ),
    "window of nothing": (WHEN + "{did: A, within: ▸0d}", "0d", "longer than 0"),
    "window of 25 years": (WHEN + "{did: A, within: ▸9000d}", "9000d", "at most 3653d"),
    "count in words": (
        WHEN + "{did: A, at_least: ▸three}",
        'text "three"',
        "expected a number",
    ),
    "count of zero": (
        WHEN + "{did: A, at_least: ▸0}",
        "a count that is always true",
        "at_least: 1 or more",
    ),
    "count too large": (WHEN + "{did: A, at_least: ▸5000}", "5000 times", "from 0 to 999"),
    "count of one and a half": (WHEN + "{did: A, at_least: ▸1.5}", "1.5 times", "whole number"),
    "range turned round": (
        WHEN + "{trait: age, between: ▸[34, 18]}",
        "[34, 18]",
        "write [18, 34]",
    ),
    "at least more than at most": (
        WHEN + "{did: A, at_least: 5, ▸at_most: 2}",
        "no number is at least 5 and at most 2",
        "expected a range",
    ),
    "exactly and more": (
        WHEN + "{did: A, exactly: 5, ▸at_most: 9}",
        "at_most and exactly together",
        "exactly alone",
    ),
    "did_not with a count": (
        WHEN + "{did_not: A, ▸at_least: 2}",
        'unknown field "at_least"',
        "write {did: A, less_than: 2}",
    ),
    "two events": (
        WHEN + "{did: ▸[A, B]}",
        "a list",
        "write {any: [{did: A}, {did: B}]}",
    ),
    "no event": (WHEN + "{did:▸ }", "nothing", "the name of an event"),
    "broken pattern": (
        WHEN + "{trait: a, matches: ▸'(x'}",
        "a pattern that cannot be used: missing )",
        "RE2 syntax",
    ),
    "back-reference": (
        WHEN + "{trait: a, matches: ▸'(x)\\1'}",
        "invalid escape sequence",
        "no back-references",
    ),
    "endless pattern": (
        WHEN + f"{{trait: a, matches: ▸'{'x' * 300}'}}",
        "a pattern of 300 characters",
        "at most 200",
    ),
    "trait without a test": (WHEN + "▸{trait: age}", "no test", "one of is, is_not, in"),
    "trait with one value for in": (
        WHEN + "{trait: industry, in: ▸logistics}",
        'text "logistics"',
        "write in: [logistics]",
    ),
    "trait that is and is not there": (
        WHEN + "{trait: age, is: 3, ▸exists: false}",
        "is and exists: no value is both",
        "one of them",
    ),
    "where without values": (
        WHEN + "{did: A, where: ▸category}",
        'text "category"',
        "{category: shoes}",
    ),
    "where with a list": (
        WHEN + "{did: A, where: {category: ▸[a, b]}}",
        "a list",
        "write {in: [a, b]}",
    ),
    "sequence of one": (WHEN + "{sequence: ▸[{did: A}]}", "a list of 1", "2 to 8 steps"),
    "sequence with a did_not": (
        WHEN + "{sequence: [{did: A}, ▸{did_not: B}]}",
        "a step without did",
        "{did: Event}",
    ),
    "last without an age": (WHEN + "▸{last: A}", "no age", "older_than or younger_than"),
    "impossible age": (
        WHEN + "{last: A, older_than: 9d, ▸younger_than: 3d}",
        "an age that is never true",
        "older_than shorter than younger_than",
    ),
    "unknown measure": (
        WHEN + "{measure: ▸spending, at_least: 3}",
        'measure "spending"',
        'did you mean "spend"?',
    ),
    "measure without a bound": (WHEN + "▸{measure: spend}", "no bound", "one of at_least"),
    "percentile over 100": (
        WHEN + "{measure: spend, percentile_at_least: ▸110}",
        "110",
        "a percentile from 0 to 100",
    ),
    "percentile with a sign": (
        WHEN + "{measure: spend, percentile_at_least: ▸90%}",
        'text "90%"',
        "write 90",
    ),
    "value and percentile": (
        WHEN + "{measure: spend, percentile_at_least: 90, ▸at_least: 3}",
        "at_least and percentile_at_least together",
        "a bound of the value or of its percentile",
    ),
    "affinity in percent": (
        WHEN + "{affinity: shoes, at_least: ▸40}",
        "a weight from 0 to 1",
        "write 0.4 for 40 %",
    ),
    "sum of nothing": (
        WHEN + "▸{sum: total, within: 30d, at_least: 100}",
        "sum without of",
        "of: and an event",
    ),
    "money in words": (
        WHEN + "{sum: total, of: A, at_least: ▸'$1,000'}",
        'text "$1,000"',
        "write 1000",
    ),
    "did and did_not": (
        WHEN + "{all: [{did: A, within: 7d}, ▸{did_not: A, within: 30d}]}",
        "all[1]: never true together with segments.a.when.all[0] (line 4, column 18)",
        "parts that can all hold",
    ),
    "ranges that do not meet": (
        WHEN + "{all: [{trait: age, at_least: 30}, ▸{trait: age, less_than: 30}]}",
        "never true together",
        "parts that can all hold",
    ),
    "in and not in": (
        WHEN + "{all: [{in: b}, ▸{not: {in: b}}]}\n  b: {when: {did: A}}",
        "never true together",
        "parts that can all hold",
    ),
    "always true": (
        WHEN + "{any: [{did: A}, ▸{not: {did: A}}]}",
        "any is always true",
        "parts that can all fail",
    ),
    "circle of two": (
        "version: 1\nsegments:\n  ▸a: {when: {in: b}}\n  b: {when: {not: {in: a}}}",
        "a circle of segments: a → b → a",
        'take "in: b" out of a',
    ),
    "circle of one": (
        "version: 1\nsegments:\n  ▸a: {when: {in: a}}",
        "a circle of segments: a → a",
        'take "in: a" out of a',
    ),
    "unknown segment": (
        "version: 1\nsegments:\n  loyal: {when: {did: A}}\n  b: {when: {in: ▸loyl}}",
        'unknown segment "loyl"',
        'did you mean "loyal"?',
    ),
    "unknown kind": (
        "version: 1\nsegments:\n  a: {kind: ▸engagment, when: {did: A}}",
        'kind "engagment"',
        'did you mean "engagement"?',
    ),
    "no when": (
        "version: 1\nsegments:\n  ▸a: {kind: value}",
        "a segment without when",
        "when: and a condition",
    ),
    "id with spaces": (
        "version: 1\nsegments:\n  ▸Big Spenders: {when: {did: A}}",
        'the id "Big Spenders"',
        'write big_spenders and name: "Big Spenders"',
    ),
    "same id twice": (
        "version: 1\nsegments:\n  a: {when: {did: A}}\n  ▸a: {when: {did: B}}",
        '"a" a second time',
        "first on line 3",
    ),
    "shadow: yes": (
        "version: 1\nsegments:\n  a: {shadow: ▸yes, when: {did: A}}",
        'text "yes"',
        "write true",
    ),
    "stay without unit": (
        "version: 1\nsegments:\n  a: {stay_at_least: ▸1, when: {did: A}}",
        'number "1"',
        "did you mean 1d?",
    ),
    "later version": (
        "version: ▸2\nsegments: {a: {when: {did: A}}}",
        'number "2"',
        "the language's version, 1",
    ),
    "no version": ("▸segments: {a: {when: {did: A}}}", "version: nothing", "expected version: 1"),
    "no file": ("▸", "nothing", "version: 1 and segments"),
    "tab": ("version: 1\nsegments:\n▸\ta: {when: {did: A}}", "a tab", "put 2 blanks in place"),
    "colon in a text": (
        "version: 1\nsegments:\n  a:\n    name: Loyal▸: the best\n    when: {did: A}",
        'text with ": " in it',
        'write "Loyal: the best"',
    ),
    # What people write who know other languages.
    "or in place of any": (WHEN + "{▸or: [{did: A}, {did: B}]}", 'field "or"', 'mean "any"?'),
    "percentile as a form": (
        WHEN + "{▸percentile: spend, at_least: 90}",
        'unknown field "percentile"',
        'mean "measure"?',
    ),
    "top": (WHEN + "{measure: spend, ▸top: 10%}", 'unknown field "top"', "percentile_at_least: 90"),
    "percentile as a share": (
        WHEN + "{measure: spend, percentile_at_least: ▸0.9}",
        "0.9",
        "write 90",
    ),
    "recency": (WHEN + "{measure: ▸recency, older_than: 3d}", "recency", 'mean "last_seen"?'),
    "age of last_seen": (
        WHEN + "{measure: last_seen, ▸at_least: 60d}",
        '"at_least"',
        'mean "older_than"?',
    ),
    "within of the last": (
        WHEN + "{last: A, ▸within: 30d}",
        'unknown field "within"',
        'mean "younger_than"?',
    ),
    "age of did": (
        WHEN + "{did: A, ▸older_than: 3d}",
        '"older_than"',
        "write {last: …, older_than: …}",
    ),
    "last of did": (WHEN + "{did: A, ▸last: 7d}", "did and last", "write within: 7d"),
    "property without where": (
        WHEN + "{did: A, ▸category: shoes}",
        '"category"',
        "under where: {category: …}",
    ),
    "comparison as text": (
        WHEN + "{did: A, where: {price: ▸'>=50'}}",
        'text ">=50"',
        "write {at_least: 50}",
    ),
    "comparison as YAML": (
        WHEN + "{did: A, where: {price: ▸>50}}",
        'the comparison ">50"',
        "write {more_than: 50}",
    ),
    "trait as a key": (
        WHEN + "▸{age: {at_least: 18}}",
        "only age",
        "write {trait: age, at_least: 18}",
    ),
    "symbol": (WHEN + "{trait: age, ▸'>=': 18}", 'unknown field ">="', 'did you mean "at_least"?'),
    "is with a list": (WHEN + "{trait: country, is: ▸[NO, PH]}", "a list", "write in: [NO, PH]"),
    "in with a list": (
        WHEN + "{in: ▸[b, c]}\n  b: {when: {did: A}}\n  c: {when: {did: B}}",
        "a list",
        "write {any: [{in: b}, {in: c}]}",
    ),
    "number and unit": (WHEN + "{did: A, at_least: ▸3 times}", '"3 times"', "write 3"),
    "duration of two parts": (WHEN + "{did: A, within: ▸1d 12h}", '"1d 12h"', "mean 36h?"),
    "duration with a fraction": (WHEN + "{did: A, within: ▸1.5 days}", '"1.5 days"', "mean 36h?"),
    "no blank": (
        WHEN + "{▸did:Product Viewed}",
        "did:Product Viewed",
        "blank after the colon: did: Product",
    ),
    "other capitals": (
        WHEN + "{did: ▸order completed}",
        'event "order completed"',
        '"Order Completed", as',
    ),
    "name of a cluster": (WHEN + "{cluster: ▸big spenders}", "big spenders", "such as cluster-3"),
    "step in words": (
        WHEN + "{sequence: [▸Product Viewed, {did: B}]}",
        '"Product Viewed"',
        "write {did: Product",
    ),
    "window of a step": (
        WHEN + "{sequence: [{did: A}, {did: B, ▸within: 1h}]}",
        '"within"',
        "beside sequence:",
    ),
    "stay inside when": (
        WHEN + "{did: A, ▸stay_at_least: 1d}",
        '"stay_at_least"',
        'beside "when:"',
    ),
    "condition without when": (
        "version: 1\nsegments:\n  a: {▸did: A}",
        'unknown field "did"',
        "write when: {did: A}",
    ),
    "segments as a list": (
        "version: 1\nsegments:\n  ▸- id: a\n    when: {did: A}",
        "a list",
        'write "a:" in place of "- id: a"',
    ),
    "alias": (
        "version: 1\nsegments:\n  a: {when: &x {did: A}}\n  b: {when: ▸*x}",
        "an anchor (&name) used again",
        "write {did: A}",
    ),
}


@pytest.mark.parametrize(("marked", "found", "help_text"), BROKEN.values(), ids=BROKEN.keys())
def test_message_says_where_what_and_what_instead(marked: str, found: str, help_text: str) -> None:
    before, _, after = marked.partition("▸")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    with pytest.raises(DefinitionError) as caught:
        parse(before + after, "segments.yaml")
    assert len(caught.value.problems) == 1, str(caught.value)
    message = caught.value.problems[0].text("segments.yaml")
    assert message.startswith(f"segments.yaml:{line}:{column}: ")
    assert found in message
    assert help_text in message.replace(found, "", 1)


def test_a_segment_without_indentation_is_told_to_be_indented() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("version: 1\nsegments:\n  a:\n  when: {did: A}", "f")
    found = [(p.mark.line, p.path, p.suggestion) for p in caught.value.problems]
    assert found == [
        (3, "segments.a", "indent what belongs to it more than its id"),
        (4, "segments.when", "indent it below the id of its segment"),
    ]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = (
        "version: 1\nsegments:\n"
        "  a: {when: {did: A, within: 3}}\n"
        "  b: {kind: valeu, when: {in: c}}\n"
    )
    with pytest.raises(DefinitionError) as caught:
        parse(text, "f")
    assert [(p.mark.line, p.path) for p in caught.value.problems] == [
        (3, "segments.a.when.within"),
        (4, "segments.b.kind"),
        (4, "segments.b.when.in"),
    ]


def test_hostile_files_are_refused_quickly() -> None:
    deep = WHEN + "{not: " * 500 + "{did: A}" + "}" * 500
    laughs = "version: 1\nsegments:\n  a: &a {when: [x, x]}\n"
    for m, n in zip("abcdefg", "bcdefgh", strict=True):
        laughs += f"  {n}: &{n} [*{m}, *{m}, *{m}]\n"
    for text in (deep, laughs, "a: &a [*a]", "x" * 1_000_001, WHEN + "{" * 100_000):
        with pytest.raises(DefinitionError):
            parse(text, "f")
