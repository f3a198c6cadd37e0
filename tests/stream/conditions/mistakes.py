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
    "like": Mistake(when("{trait: email, ▸like: gmail}"), '"like"', "write contains: gmail"),
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
    "measure as a key, in other words": Mistake(
        when("▸{spent: {at_least: 1,000}}"), "only spent", "write {measure: spend, at_least: 1000}"
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

#: With what each is to be once mended: the condition of the segment s1.
MEANT = {
    "fields inside where": (
        "{did: A, where: {category: shoes, ▸at_least: 3, within: 7d}}",
        "at_least and within inside where:",
        "{did: A, where: {category: shoes}, at_least: 3, within: 7d}",
    ),
    "ages inside where": (
        "{last: A, where: {category: shoes, ▸older_than: 7d}}",
        "older_than inside where:",
        "{last: A, where: {category: shoes}, older_than: 7d}",
    ),
    "fields inside where, in lines": (
        "\n      did: A\n      where: {c: x, ▸at_least: 3}\n      within: 7d",
        "at_least inside where:",
        "{did: A, where: {c: x}, at_least: 3, within: 7d}",
    ),
    "where not closed": (
        "{did: A, where: ▸{category: shoes, at_least: 3, within: 7d}",
        '"{" that is not closed',
        "{did: A, where: {category: shoes}, at_least: 3, within: 7d}",
    ),
    "not in a segment": ("▸{not_in: loyal}", "only not_in", "{not: {in: loyal}}"),
    "not in two segments": (
        "▸{not_in: [loyal, vip]}", "only not_in", "{not: {any: [{in: loyal}, {in: vip}]}}"
    ),
    "comparison after is": (
        "\n      trait: age\n      is: ▸> 30", '"> 30"', "{trait: age, more_than: 30}"
    ),
    "like of SQL": (
        "{trait: email, ▸like: '%@gmail.com'}", '"like"', "{trait: email, contains: '@gmail.com'}"
    ),
    "look-around": (
        "{trait: email, matches: ▸'^(?!.*gmail)'}",
        "look-around",
        "{all: [{trait: email, exists: true}, {not: {trait: email, contains: gmail}}]}",
    ),
    "list in one text": (
        "{trait: city, in: ▸'Cebu, Manila'}", "text", "{trait: city, in: [Cebu, Manila]}"
    ),
    "unequal in a text": (
        "{did: A, where: {category: ▸'!= shoes'}}",
        '"!= shoes"',
        "{did: A, where: {category: {is_not: shoes}}}",
    ),
    "at least, with a comma": (
        "{did: A, where: {price: ▸'>= 1,000'}}", ">= 1,000",
        "{did: A, where: {price: {at_least: 1000}}}"
    ),
    "days since": (
        "▸{days_since_last_order: {more_than: 30, less_than: 90}}",
        "days_since_last_order",
        "{last: Order Completed, older_than: 30d, younger_than: 90d}",
    ),
    "date of the last order": (
        "{trait: ▸last_order_date, less_than: 30d}",
        "a date as the trait",
        "{last: Order Completed, younger_than: 30d}",
    ),
    "conditions of others": (
        "▸{match: all, conditions: [{field: age, operator: greater_than, value: 30}, "
        "{field: city, operator: equals, value: Cebu}]}",
        "only match, conditions",
        "{all: [{trait: age, more_than: 30}, {trait: city, is: Cebu}]}",
    ),
    "operator and value": (
        "▸{trait: age, operator: '>=', value: 30}", "operator", "{trait: age, at_least: 30}"
    ),
    "greater than or equal": (
        "▸{field: age, operator: greater_than_or_equal_to, value: 30}",
        "operator",
        "{trait: age, at_least: 30}",
    ),
    "sum and event swapped": (
        "{sum: ▸Order Completed, of: total, within: 9d, at_least: 1}",
        "the event",
        "{sum: total, of: Order Completed, within: 9d, at_least: 1}",
    ),
    "count in words in the name": (
        "{did: ▸Order Completed at least 3 times}",
        "with a comparison",
        "{did: Order Completed, at_least: 3}",
    ),
    "comparison of a taste": (
        "{affinity: ▸shoes > 0.4}", "with a comparison", "{affinity: shoes, more_than: 0.4}"
    ),
    "not done three times": (
        "{did_not: A, ▸at_least: 3, within: 90d}",
        '"at_least"',
        "{did: A, less_than: 3, within: 90d}",
    ),
    "percentile in words": (
        "{measure: spend, within: 9d, at_least: ▸90th percentile}",
        "90th percentile",
        "{measure: spend, within: 9d, percentile_at_least: 90}",
    ),
    "top in words": (
        "{measure: spend, at_least: ▸top 10%}", "top 10%",
        "{measure: spend, percentile_at_least: 90}"
    ),
    "step that did not happen": (
        "{sequence: [{did: A}, ▸{did_not: B}], within: 1d}",
        "a step without did",
        "{all: [{did: A, within: 1d}, {did_not: B, within: 1d}]}",
    ),
    "steps, and one that did not happen": (
        "{sequence: [{did: A}, {did: C}, ▸{did_not: B}], within: 1d}",
        "a step without did",
        "{all: [{sequence: [{did: A}, {did: C}], within: 1d}, {did_not: B, within: 1d}]}",
    ),
    "list of events with a count": (
        "{did: ▸[A, B], at_least: 3}", "a list",
        "{any: [{did: A, at_least: 3}, {did: B, at_least: 3}]}"
    ),
    "list of segments": ("{in: ▸[loyal, vip]}", "a list", "{any: [{in: loyal}, {in: vip}]}"),
    "within beside when": (
        "{did: A}\n    ▸within: 1h", "within: beside when:", "{did: A, within: 1h}"
    ),
    "no-break spaces before lines": (
        "\n▸\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0did: A\n\u00a0     within: 1h",
        "a no-break space (U+00A0) before the line (lines 6, 7)",
        "{did: A, within: 1h}",
    ),
    "dashes of typesetters": (
        "\n      all:\n▸        \u2013 {did: A}\n        \u2013 {did: B}",
        "(U+2013) before a part of a list (lines 7, 8)",
        "{all: [{did: A}, {did: B}]}",
    ),
    "bullets": (
        "\n      all:\n▸        \u2022 did: A\n        \u2022 did: B",
        "(U+2022) before a part of a list",
        "{all: [{did: A}, {did: B}]}",
    ),
    "sign of a web page": (
        "{measure: spend, at_least: ▸&gt;1000}", '"&gt;"', "{measure: spend, more_than: 1000}"
    ),
    "fences": (
        "{did: A}\n▸```", "``` of Markdown", "{did: A}"
    ),
}  # fmt: skip

#: The same of files that can be loaded: what is noted, and what is proposed.
MEANT_NOTED = {
    "wildcard after": ("{trait: city, is: ▸Ceb*}", "with its sign", "{trait: city, contains: Ceb}"),
    "wildcards of SQL": (
        "{trait: city, matches: ▸'%Cebu%'}", "do not stand", "{trait: city, contains: Cebu}"
    ),
    "wildcards of shells": (
        "{trait: city, contains: ▸'*Cebu*'}", "do not stand", "{trait: city, contains: Cebu}"
    ),
    "or in a value": (
        "{trait: city, is: ▸Cebu or Manila}", "one value", "{trait: city, in: [Cebu, Manila]}"
    ),
    "not in a value": ("{trait: city, is: ▸not Cebu}", "as a whole", "{trait: city, is_not: Cebu}"),
    "is not a or b": (
        "{trait: city, is_not: ▸Cebu or Manila}", "one value",
        "{trait: city, not_in: [Cebu, Manila]}"
    ),
    "comma in a value": (
        "{did: A, where: {category: ▸'shoes, bags'}}",
        "one value",
        "{did: A, where: {category: {in: [shoes, bags]}}}",
    ),
    "or in a property": (
        "{did: A, where: {category: ▸shoes or bags}}",
        "one value",
        "{did: A, where: {category: {in: [shoes, bags]}}}",
    ),
    "semicolon in a list": (
        "{trait: gender, in: [▸F; female]}", "one value", "{trait: gender, in: [F, female]}"
    ),
    "thousands in where": (
        "{did: A, where: {price: ▸1,000}}", "no number equals it", "{did: A, where: {price: 1000}}"
    ),
    "money in where": (
        "{did: A, where: {price: ▸₱500}}", "no number equals it", "{did: A, where: {price: 500}}"
    ),
    "range in where": (
        "{did: A, where: {price: ▸100-500}}", "no range",
        "{did: A, where: {price: {between: [100, 500]}}}"
    ),
    "number in quotes": ("{trait: age, is: ▸'34'}", "no number equals it", "{trait: age, is: 34}"),
    "none of two": (
        "{▸any: [{trait: city, is_not: Cebu}, {trait: city, is_not: Manila}]}",
        "any is always true",
        "{trait: city, not_in: [Cebu, Manila]}",
    ),
    "measure as a trait": (
        "{trait: ▸spend, at_least: 1000}", "of the profile", "{measure: spend, at_least: 1000}"
    ),
    "segment as a trait": ("{trait: ▸segment, is: loyal}", "of the profile", "{in: loyal}"),
}  # fmt: skip

#: Told, and no change can be proposed: the author alone knows.
TOLD = {
    "day of a year": (
        "{did: A, ▸since: 2025-11-28}", '"since"', "{did: A, within: 359d} says it, and moves on"
    ),
    "birthday": ("{trait: birthday, ▸within: 7d}", '"within"', "no condition knows that day"),
    "placeholder": (
        "{trait: city, is: ▸{{ city }}}", "a placeholder that nobody filled in", "the value itself"
    ),
    "merge not finished": (
        "{did: A}\n▸<<<<<<< HEAD\n    kind: value\n=======\n    kind: intent\n>>>>>>> main",
        "(lines 6, 8, 10)",
        "keep one of both sides",
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
