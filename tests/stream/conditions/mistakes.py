"""Files as people write them who never saw the language, and what they must be told.

In each text ▸ marks where the message must point; then a part of what was found and the whole or a
part of what it proposes. `mended` are those whose proposal, written as it is, makes a valid file.
"""

from typing import NamedTuple

HEAD = "version: 1\nsegments:\n"


class Mistake(NamedTuple):
    """One file, one problem."""

    text: str
    found: str
    proposed: str
    mended: bool = True


def when(condition: str) -> str:
    return f"{HEAD}  s1:\n    name: Test\n    when: {condition}\n"


MARKETER = {
    "everyday words": Mistake(
        when("{did: A, at_least: ▸3 times in 90 days}"),
        'text "3 times in 90 days"',
        "write at_least: 3, within: 90d",
    ),
    "prose": Mistake(
        when("▸customers who bought 3 times"), "text", "for example {did: Order Completed", False
    ),
    "sentence in our words": Mistake(
        when("▸did Order Completed within 30 days"),
        "text",
        "write {did: Order Completed, within: 30d}",
    ),
    "last month": Mistake(when("{did: A, within: ▸last month}"), "last month", "30d"),
    "number as a word": Mistake(when("{did: A, at_least: ▸three}"), '"three"', "write 3"),
    "range in words": Mistake(when("{trait: age, between: ▸18 to 34}"), "18 to 34", "[18, 34]"),
    "dollars": Mistake(when("{measure: spend, at_least: ▸1000 dollars}"), "dollars", "write 1000"),
    "thousand with a sign": Mistake(
        when("{measure: spend, within: 365d, at_least: ▸$1,000}"), '"$1,000"', "write 1000"
    ),
    "thousand with a comma": Mistake(
        when("{measure: spend, at_least: ▸1,000, within: 365d}"), '"1,000"', "write 1000"
    ),
    "2k": Mistake(when("{measure: spend, at_least: ▸2.5k}"), '"2.5k"', "write 2500"),
    "percent of a taste": Mistake(
        when("{affinity: shoes, at_least: ▸40}"), "40", "write 0.4 for 40 %"
    ),
    "in the last": Mistake(when("{did: A, ▸in_last: 3d}"), '"in_last"', 'did you mean "within"?'),
    "since": Mistake(when("{did: A, ▸since: 30d}"), '"since"', 'did you mean "within"?'),
    "last": Mistake(
        when("{did: A, at_least: 2, ▸last: 30d}"), "did and last", "write within: 30d"
    ),
    "days": Mistake(when("{did: A, ▸days: 30}"), 'unknown field "days"', "write within: 30d"),
    "in the last, in words": Mistake(
        when("{did: A, ▸in_the_last: 7 days}"), '"in_the_last"', "write within: 7d"
    ),
    "over all time": Mistake(
        when("{did: A, ▸over all time}"), '"over all time"', "leave it out", False
    ),
    "20 years": Mistake(when("{did: A, within: ▸20y}"), '"20y"', "write 3653d, the longest"),
    "7300 days": Mistake(when("{did: A, within: ▸7300d}"), "7300d", "write 3653d, the longest"),
    "months in capitals": Mistake(when("{did: A, within: ▸6M}"), '"6M"', "did you mean 180d?"),
    "never": Mistake(when("{▸never: A, within: 3d}"), '"never"', 'did you mean "did_not"?'),
    "not beside did": Mistake(
        when("{did: A, ▸not: B, within: 7d}"),
        "did and not in one condition",
        "{all: [{did: A, within: 7d}, {did_not: B, within: 7d}]}",
    ),
    "id with signs": Mistake(
        f"{HEAD}  ▸VIP Customers!:\n    when: {{did: A}}\n",
        '"VIP Customers!"',
        "write vip_customers",
    ),
    "id that begins with a number": Mistake(
        f"{HEAD}  ▸2026_vip:\n    when: {{did: A}}\n", '"2026_vip"', "write segment_2026_vip"
    ),
    "colon forgotten": Mistake(
        f"{HEAD}  ▸lapsed\n    when: {{did: A}}\n", '"lapsed" without a colon', 'write "lapsed:"'
    ),
    "colon in a name": Mistake(
        f"{HEAD}  a:\n    name: Sale▸: summer\n    when: {{did: A}}\n",
        'text with ": " in it',
        'write "Sale: summer"',
    ),
    "not indented": Mistake(
        "version: 1\nsegments:\n▸s1:\n  name: Test\n  when: {did: A}\n",
        'the segment "s1" beside segments:',
        "put two blanks before each of its lines",
    ),
    "window beside the list": Mistake(
        f"{HEAD}  a:\n    when:\n      all:\n      - did: A\n      - did: B\n      ▸within: 3d\n",
        'unknown field "within"',
        "put it into each part that it is about: {did: …, within: 3d}",
        False,
    ),
    "two lines out of line": Mistake(
        f"{HEAD}  a:\n    when:\n      all:\n        - {{did: A}}\n       ▸- {{did: B}}\n",
        "a line that begins with 7 blanks",
        "begin it with 8 blanks",
    ),
}  # fmt: skip

ANALYST = {
    "select": Mistake(
        "▸SELECT customer_id FROM orders\n", "text", "begin with four lines", False
    ),
    "count": Mistake(
        when("▸COUNT(Order Completed) >= 3"), "COUNT", "write {did: Order Completed, at_least: 3}"
    ),
    "condition as text": Mistake(
        when("{did: A, where: ▸total > 100}"), '"total > 100"', "write {total: {more_than: 100}}"
    ),
    "or of values": Mistake(
        when("{trait: country, is: ▸'PH' OR 'NO'}"), "two values with OR", "in: ['PH', 'NO']"
    ),
    "list in parentheses": Mistake(
        when("{trait: country, in: ▸('PH', 'NO')}"), "a list in ( )", "write ['PH', 'NO']"
    ),
    "is null": Mistake(when("{trait: age, is: ▸NULL}"), "nothing (NULL)", "write exists: false"),
    "is not null": Mistake(when("{trait: a, is_not: ▸null}"), "nothing (null)", "exists: true"),
    "like": Mistake(when("{trait: email, ▸like: gmail}"), '"like"', 'mean "matches"?'),
    "column of a table": Mistake(
        when("▸{sum: Order Completed.total, at_least: 100}"),
        "sum without of",
        "write {sum: total, of: Order Completed, at_least: 100}",
    ),
    "from": Mistake(when("{sum: total, ▸from: A, at_least: 1}"), '"from"', 'did you mean "of"?'),
    "group by": Mistake(
        when("{sum: total, of: A, ▸group_by: customer, at_least: 1}"),
        '"group_by"',
        "every condition is about one customer",
        False,
    ),
    "date": Mistake(
        when("{trait: signup, at_least: ▸2026-01-01}"), '"2026-01-01"', "no dates here", False
    ),
    "not of a list": Mistake(
        when("{not: ▸[{did: A}, {did: B}]}"), "a list", "write not: {any: [{did: A}, {did: B}]}"
    ),
    "and between": Mistake(
        when("{did: A, within: 3d} ▸and {did_not: B, within: 3d}"),
        '"and" between two conditions',
        "write {all: [{did: A, within: 3d}, {did_not: B, within: 3d}]}",
    ),
    "or between": Mistake(
        when("{did: A} ▸or {did: B} or {did: C}"),
        '"or" between two conditions',
        "write {any: [{did: A}, {did: B}, {did: C}]}",
    ),
}  # fmt: skip

DEVELOPER = {
    "list of segments": Mistake(
        '{"version": 1, "segments": ▸[{"id": "loyal", "when": {"did": "A"}}]}',
        "a list",
        'write {"loyal": {"when": …}, …}',
        False,
    ),
    "remark": Mistake(
        f"▸// segments\n{HEAD}  a: {{when: {{did: A}}}}\n", 'begins with "//"', 'write "#"'
    ),
    "and of scripts": Mistake(
        when("{did: 'A' ▸&& did: 'B'}"), '"&&"', "write {all: [{did: 'A'}, {did: 'B'}]}"
    ),
    "all of an object": Mistake(
        when("{all: ▸{did: A, did_not: B}}"), "a mapping", "write all: [{did: A}, {did_not: B}]"
    ),
    "operator of a database": Mistake(
        when("{did: A, where: {total: {▸$gte: 100}}}"), '"$gte"', 'did you mean "at_least"?'
    ),
    "list of events": Mistake(
        when("{did: ▸[A, B], within: 3d}"),
        "a list",
        "write {any: [{did: A, within: 3d}, {did: B, within: 3d}]}",
    ),
    "negation": Mistake(when("▸!{did: A}"), '"!"', "write {not: {did: A}}"),
    "milliseconds": Mistake(when("{did: A, within: ▸86400000}"), "86400000", "did you mean 1d?"),
    "version in quotes": Mistake(
        'version: ▸"1.0"\nsegments: {a: {when: {did: A}}}\n', 'text "1.0"', "write 1"
    ),
    "bracket not closed": Mistake(
        when("▸[{did: A}, {did: B}"),
        '"[" that is not closed',
        "put ] at the end of the line",
        False,
    ),
    "brace not closed": Mistake(
        f"{HEAD}  a:\n    when: ▸{{did: A, within: 30d\n  b:\n    when: {{did: B}}\n",
        '"{" that is not closed',
        "put } at the end of the line",
    ),
    "brace not closed at the end": Mistake(
        when("▸{did: A, within: 3d"), '"{" that is not closed', "put } at the end of the line"
    ),
    "brace too many": Mistake(when("{did: A}▸}"), '"}" that nothing opens', "delete it"),
    "comma forgotten": Mistake(
        when("{did: A▸ within: 3d}"), 'no comma before "within"', 'put "," before within'
    ),
    "comma too many": Mistake(when("{did: A,▸, within: 3d}"), 'a "," too many', "delete it"),
    "colon without a value": Mistake(
        when("{did: A, ▸within 90d}"), '"within 90d"', "write within: 90d"
    ),
    "no blank after the colon": Mistake(
        when("{did: A, ▸within:3d}"), '"within:3d"', "put a blank after the colon: within: 3d"
    ),
    "no blank after the dash": Mistake(
        f"{HEAD}  a:\n    when:\n      all:\n        ▸-{{did: A}}\n        - {{did: B}}\n",
        "a dash without a blank",
        'put a blank after "-"',
    ),
    "star without quotes": Mistake(
        when("{did: ▸*, at_least: 20}"), 'a "*" without quotes', 'write "*"'
    ),
    "merge key": Mistake(
        f"{HEAD}  b: {{when: &base {{did: A}}}}\n  a: {{when: {{▸<<: *base, within: 3d}}}}\n",
        'the merge key "<<"',
        "write did: A",
    ),
    "alias": Mistake(
        f"{HEAD}  b: {{when: &base {{did: A}}}}\n  a: {{when: ▸*base}}\n", "*base", "write {did: A}"
    ),
    "tag": Mistake(when("{did: ▸!event A}"), 'the tag "!event"', "write {not: {…}}", False),
}  # fmt: skip

ELSEWHERE = {
    "event": Mistake(when("{▸event: A, within: 3d}"), '"event"', 'did you mean "did"?'),
    "and": Mistake(when("{▸and: [{did: A}, {did: B}]}"), '"and"', 'did you mean "all"?'),
    "operator": Mistake(
        when("{did: A, ▸operator: at least, at_least: 3}"),
        '"operator"',
        "the comparison is the field's name",
        False,
    ),
    "equals": Mistake(when("{trait: city, ▸equals: Manila}"), '"equals"', 'did you mean "is"?'),
    "contains any": Mistake(
        when("{trait: city, ▸contains_any: [Manila, Cebu]}"), '"contains_any"', 'mean "in"?'
    ),
    "custom attribute": Mistake(
        when("{▸custom_attribute: plan, is: pro}"), '"custom_attribute"', 'mean "trait"?'
    ),
    "audiences": Mistake(
        "version: 1\n▸audiences:\n  a: {when: {did: A}}\n", '"audiences"', 'mean "segments"?'
    ),
    "exclude": Mistake(
        when("{did: A, ▸exclude: {in: s1}}"), '"exclude"', "write all: [{…}, {not: {…}}]", False
    ),
    "trait as a key": Mistake(
        when("▸{city: Manila}"), "no subject (only city)", "write {trait: city, is: Manila}"
    ),
    "trait as a key, of several": Mistake(
        when("▸{city: [Manila, Cebu]}"), "only city", "write {trait: city, in: [Manila, Cebu]}"
    ),
    "cluster as a segment": Mistake(
        when("{in: ▸cluster-3}"), 'unknown segment "cluster-3"', "write cluster: cluster-3"
    ),
    "name of a segment": Mistake(
        f"{HEAD}  big_spenders: {{when: {{did: A}}}}\n  a: {{when: {{in: ▸Big Spenders}}}}\n",
        '"Big Spenders"',
        'did you mean "big_spenders"?',
    ),
    "order with a small letter": Mistake(
        when("{did: ▸order completed}"), '"order completed"', "write Order Completed"
    ),
}  # fmt: skip

KEYBOARD = {
    "decimal comma": Mistake(when("{affinity: shoes, at_least: ▸0,4}"), '"0,4"', "write 0.4"),
    "German number": Mistake(
        when("{measure: spend, at_least: ▸1.234,50}"), '"1.234,50"', "write 1234.50"
    ),
    "curly quotes": Mistake(
        when("{did: ▸“Order Completed”, within: 30d}"), "(U+201C)", "write Order Completed"
    ),
    "curly quotes of a value": Mistake(
        when("{trait: city, is: ▸“Manila”}"), "(U+201C)", 'write "Manila"'
    ),
    "no-break space": Mistake(
        when("{did: ▸Order\u00a0Completed}"), "a no-break space", "write Order Completed"
    ),
    "no-break space in a field": Mistake(
        when("{did: A, ▸at\u00a0least: 3}"), "a no-break space", 'did you mean "at_least"?'
    ),
    "semicolon": Mistake(
        when("{did: Order Completed▸; within: 30d}"), '";" between two fields', 'put ","'
    ),
    "full-width signs": Mistake(
        when("▸{did\uff1a Order Completed\uff0cwithin\uff1a 30d}"),
        "(U+FF1A)",
        "write {did: Order Completed,within: 30d}",
    ),
    "full-width digit": Mistake(when("{did: A, at_least: ▸\uff13}"), '"\uff13"', "write 3"),
    "long dash for minus": Mistake(when("{trait: x, at_least: ▸\u20133}"), '"\u20133"', "write -3"),
    "tab": Mistake(
        f"{HEAD}  a:\n▸\twhen: {{did: A}}\n", "a tab", "put 4 blanks in place of it"
    ),
    "apostrophe": Mistake(
        f"{HEAD}  a:\n    name: 'Don▸'t miss'\n    when: {{did: A}}\n",
        "an apostrophe inside single quotes",
        'write "Don\'t miss"',
    ),
    "curly quotes and a colon": Mistake(
        f"{HEAD}  a:\n    name: ▸“Best: of all”\n    when: {{did: A}}\n", "(U+201C)", 'type "'
    ),
    "remark without a sign": Mistake(
        when("{did: A} ▸only real orders"), '"only real orders" after the end', 'put "#" before it'
    ),
    "unit in capitals": Mistake(when("{did: A, within: ▸7D}"), '"7D"', "did you mean 7d?"),
    "on": Mistake(f"{HEAD}  a:\n    shadow: ▸on\n    when: {{did: A}}\n", '"on"', "write true"),
    "table of a spreadsheet": Mistake(
        "▸version;segments\n1;loyal\n", "text", "begin with four lines", False
    ),
    "keys in capitals": Mistake(
        "version: 1\n▸Segments:\n  a: {when: {did: A}}\n", '"Segments"', 'mean "segments"?'
    ),
    "id twice": Mistake(
        f"{HEAD}  a:\n    when: {{did: A}}\n  ▸a :\n    when: {{did: B}}\n",
        '"a" a second time',
        "give this one another id, such as a_2",
    ),
    "null": Mistake(when("▸null"), "nothing", "for example {did: Order Completed", False),
    "control character": Mistake(
        f"{HEAD}  a:\n    name: x▸\u0007\n    when: {{did: A}}\n", "U+0007", "delete it"
    ),
}  # fmt: skip

#: Written down when all of the above were clear, before anything was mended for them.
LATER = {
    "count in the name": Mistake(
        when("{did: ▸Order Completed >= 3}"),
        "with a comparison in it",
        "write did: Order Completed, at_least: 3",
    ),
    "comparison of a trait": Mistake(
        when("{trait: ▸age >= 18}"), "comparison", "write trait: age, at_least: 18"
    ),
    "comparison of a measure": Mistake(
        when("{measure: ▸orders > 3}"), "comparison", "write measure: orders, more_than: 3"
    ),
    "assignment": Mistake(
        when("{did: A, ▸at_least = 3}"), '"at_least = 3"', "write at_least: 3"
    ),
    "assignment above": Mistake(
        "version▸ = 1\nsegments:\n  a: {when: {did: A}}\n", '"=" after "version"', "version: 1"
    ),
    "measure as a key": Mistake(
        when("▸{spend: {at_least: 100}}"), "only spend", "write {measure: spend, at_least: 100}"
    ),
    "measure as a key alone": Mistake(
        when("▸{orders: 3}"), "only orders", "write {measure: orders, at_least: 3}"
    ),
    "semicolon at the end": Mistake(when("{did: A}▸;"), '";" at the end', "delete it"),
    "wildcard": Mistake(
        when("{trait: email, matches: ▸'*@gmail.com'}"), "a pattern", 'write "@gmail.com"'
    ),
    "range with a dash": Mistake(
        when("{trait: age, between: ▸[18 - 34]}"), "a list", "write [18, 34]"
    ),
    "range in parentheses": Mistake(
        when("{trait: age, between: ▸(18, 34)}"), '"(18, 34)"', "write [18, 34]"
    ),
    "colon in a name in braces": Mistake(
        f"{HEAD}  a: {{when: {{did: A}}, name: Tom & Jerry's▸: best}}\n",
        'text with ": " in it',
        'write "Tom & Jerry\'s: best"',
    ),
    "name in place of an id": Mistake(
        when("{in: ▸loyal customers}") + "  b: {name: Loyal customers, when: {did: A}}\n",
        '"loyal customers"',
        'did you mean "b"?',
    ),
    "then": Mistake(
        when("{did: A, ▸then: B, within: 2d}"), '"then"', "write {sequence: [{did: …}", False
    ),
    "two ages": Mistake(when("{did: A, within: ▸30-90d}"), '"30-90d"', "write {last: …", False),
    "two conditions in braces": Mistake(
        when("{all: [{did: A, within: 3d}▸ {did: B}]}"), "no comma", 'put ","'
    ),
}  # fmt: skip

MISTAKES = {
    f"{who}: {name}": mistake
    for who, those in (
        ("marketer", MARKETER),
        ("analyst", ANALYST),
        ("developer", DEVELOPER),
        ("from elsewhere", ELSEWHERE),
        ("keyboard", KEYBOARD),
        ("later", LATER),
    )
    for name, mistake in those.items()
}
