"""What the documents say is what the code has."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from stream.cli.main import COMMANDS
from stream.decoding import decode
from stream.errors import InvalidEvent
from stream.events import MAX_RECORD_BYTES, MODELS, Money, read
from stream.features import FEATURES
from stream.segmenter import Rules, Segmenter, compute
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, INTERACTIONS, PURCHASES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONTRACT = (ROOT / "docs" / "contract.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
#: After every timestamp in the documents.
NOW_MS = 1_800_000_000_000
MONEY = Money({"USD": 1.0})


def rows_below(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table after `heading`, without its head."""
    lines = text[text.index(heading) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table[2:]


def unquoted(cell: str) -> list[str]:
    """What stands between backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(path: Path) -> set[str]:
    """Names of the headings, as they are linked to."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> list[tuple[Path, str]]:
    """Relative links of every document."""
    return [
        (path, target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
        if not re.match(r"[a-z]+:", target)
    ]


def examples() -> list[tuple[str, str]]:
    """Topic and JSON of every example."""
    return re.findall(r"^```json ([a-z-]+)\n(.*?)^```$", CONTRACT, re.MULTILINE | re.DOTALL)


def test_every_setting_is_documented_with_its_default():
    documented = {unquoted(row[0])[0]: row[1] for row in rows_below(OPERATIONS, "## Settings")}
    expected = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        plain = default.get_secret_value() if isinstance(default, SecretStr) else default
        expected[f"AGOS_{name.upper()}"] = "none" if plain in (None, "", {}) else f"`{plain}`"
    assert documented == expected


def test_every_variable_that_is_mentioned_is_a_setting():
    mentioned = {name for path in DOCUMENTS for name in re.findall(r"AGOS_\w+", path.read_text())}
    known = {f"AGOS_{name.upper()}" for name in Settings.model_fields}
    compose = set(re.findall(r"\$\{(AGOS_\w+)", (ROOT / "docker-compose.yml").read_text()))
    # The last one is of the tests.
    assert mentioned <= known | compose | {"AGOS_DATA"}


def test_the_table_of_features_is_the_one_in_code():
    documented = rows_below(README, "## What the model sees")
    assert documented == [[f"`{f.name}`", f.unit, f.meaning] for f in FEATURES]


def test_every_command_is_in_the_readme_and_no_other():
    documented = [unquoted(row[0])[0].split()[1] for row in rows_below(README, "## Commands")]
    assert sorted(documented) == sorted(COMMANDS)


def test_commands_in_examples_exist():
    blocks = re.findall(r"^```console\n(.*?)^```$", README + OPERATIONS, re.MULTILINE | re.DOTALL)
    line = re.compile(r"^\$ (?:\w+=\S+ )*agos ([a-z-]+)", re.MULTILINE)
    typed = {name for block in blocks for name in line.findall(block)}
    assert typed
    assert typed - set(COMMANDS) == set()
    for script in re.findall(r"scripts/\w+", README):
        assert (ROOT / script).exists(), script


@pytest.mark.parametrize(("path", "target"), links(), ids=lambda value: str(value))
def test_relative_links_lead_somewhere(path: Path, target: str):
    name, _, anchor = target.partition("#")
    there = (path.parent / name).resolve() if name else path
    assert there.exists()
    if anchor:
        assert anchor in anchors(there)


@pytest.mark.parametrize(("topic", "text"), examples())
def test_examples_are_records(topic: str, text: str):
    MODELS[topic].model_validate_json(text, strict=True)
    assert set(json.loads(text)) <= set(MODELS[topic].model_fields)
    if topic in EVENT_TOPICS:
        read(topic, text.encode(), NOW_MS, MONEY)


def test_every_topic_has_an_example_and_every_field_is_shown():
    assert {topic for topic, _ in examples()} == set(MODELS)
    for topic in EVENT_TOPICS:
        shown = {name for of, text in examples() if of == topic for name in json.loads(text)}
        assert shown == set(MODELS[topic].model_fields)


def test_the_event_in_the_readme_is_applied():
    source = re.search(r"event = (\{.*?\n\})\n", README, re.DOTALL)
    assert source is not None
    text = source[1].replace("int(time.time() * 1000)", str(NOW_MS))
    value = json.dumps(ast.literal_eval(text)).encode()
    assert read(PURCHASES, value, NOW_MS, MONEY).total == 25_000


def with_fields(**changes: Any) -> bytes:
    purchase = {
        "event_id": "1",
        "customer_id": "ada",
        "timestamp": NOW_MS,
        "order_id": "1",
        "total": 1.0,
        "currency": "USD",
    } | changes
    return json.dumps({k: v for k, v in purchase.items() if v is not ...}).encode()


#: Reason → a record that is rejected for it.
REJECTED = {
    "tombstone": None,
    "too-large": b" " * (MAX_RECORD_BYTES + 1),
    "not-json": b"not json",
    "missing-field": with_fields(order_id=...),
    "invalid": with_fields(total="a lot"),
    "timestamp-too-old": with_fields(timestamp="1989-12-31T23:59:59Z"),
    "timestamp-in-future": with_fields(timestamp=NOW_MS + 300_001),
    "unknown-currency": with_fields(currency="NOK"),
    "negative-quantity": with_fields(items=[{"quantity": -1}]),
}


def test_the_documented_reasons_are_those_of_the_code():
    documented = [unquoted(row[0])[0] for row in rows_below(CONTRACT, "| reason |")]
    # Of messages between workers: tests/stream/test_merging.py.
    assert documented == [*REJECTED, "broken-merge"]
    code = (ROOT / "stream" / "events.py").read_text()
    raised = set(re.findall(r'InvalidEvent\(\s*"([a-z-]+)"', code))
    assert raised <= set(REJECTED)


@pytest.mark.parametrize(("reason", "value"), REJECTED.items())
def test_each_reason_is_given(reason: str, value: bytes | None):
    with pytest.raises(InvalidEvent) as caught:
        read(PURCHASES, value, NOW_MS, MONEY)
    assert caught.value.reason == reason


def test_every_field_of_a_customer_is_documented():
    record = SimpleNamespace(
        topic=INTERACTIONS,
        partition=0,
        offset=0,
        key=b"ada",
        value=b'{"event_id": "1", "customer_id": "ada", "timestamp": 1700000000000, "name": "x"}',
    )
    segmenter = Segmenter(0, 1_000)
    decoded = decode(INTERACTIONS, [record], NOW_MS, MONEY, lambda name: False, (0, 1))
    segmenter.load(decoded.unknown, [None])
    (write,), _ = compute([(segmenter, [decoded])], Rules(NOW_MS, NOW_MS))
    written = {*write.constants, "source", *(name for g in write.groups for name in g.fields)}
    rows = rows_below(CONTRACT, "### Fields of agos:customer")
    documented = {name for row in rows for name in unquoted(row[0])}
    assert written - documented == set()
    # Not written before definitions are applied, as the document says.
    assert documented - written <= {"due_at"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_are_closed(path: Path):
    assert path.read_text().count("\n```") % 2 == 0
