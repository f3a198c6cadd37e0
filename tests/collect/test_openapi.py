"""What the OpenAPI document allows, and what it does not: every answer is a documented one."""

import random
import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stream.collect.keyring import digest
from tests.collect.harness import AUTHORIZED, KEY, running

TOKEN = "token-of-the-tests"
HEADERS = [AUTHORIZED, {"authorization": f"Bearer {TOKEN}"}, {}, {"authorization": "Bearer é"}]
TEXTS = ["", " ", "ada", "2026-11-22T00:24:27Z", "\x00", "é" * 300, "null", "track"]
NUMBERS = [0, -1, 0.5, 1e308, 2**70, 1_795_307_067_123]


class Values:
    """Values of JSON schemas; one in five breaks its schema."""

    def __init__(self, document: dict[str, Any], dice: random.Random) -> None:
        self.schemas = document["components"]["schemas"]
        self.dice = dice

    def of(self, schema: dict[str, Any], depth: int = 0) -> Any:
        dice = self.dice
        if dice.random() < 0.05:
            return dice.choice([None, True, [], {}, *TEXTS, *NUMBERS])
        if "$ref" in schema:
            return self.of(self.schemas[schema["$ref"].rpartition("/")[2]], depth)
        if "const" in schema:
            return schema["const"]
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return self.of(dice.choice(schema[choice]), depth)
        if "allOf" in schema:
            parts = [self.of(part, depth) for part in schema["allOf"]]
            return {k: v for part in parts if isinstance(part, dict) for k, v in part.items()}
        kinds = schema.get("type", "object")
        return self.plain(dice.choice([kinds] if isinstance(kinds, str) else kinds), schema, depth)

    def plain(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        dice = self.dice
        if kind == "array":
            return [self.of(schema.get("items", {}), depth + 1) for _ in range(dice.randrange(4))]
        if kind == "object":
            known, needed = schema.get("properties", {}), schema.get("required", [])
            found = {
                name: self.of(part, depth + 1)
                for name, part in known.items()
                if (name in needed and dice.random() < 0.95) or dice.random() < 0.5
            }
            if not known and depth < 4:
                found[dice.choice(["price", "total", "", "é"])] = self.of({}, depth + 1)
            return found
        texts = [*TEXTS, "".join(dice.choices(string.printable, k=dice.randrange(30)))]
        return {
            "string": dice.choice(texts),
            "integer": dice.choice([n for n in NUMBERS if isinstance(n, int)]),
            "number": dice.choice(NUMBERS),
            "boolean": dice.random() < 0.5,
            "null": None,
        }[kind]


def keys_file(directory: Path) -> str:
    path = directory / "keys.yaml"
    path.write_text(
        f"keys:\n- {{source: web, sha256: {digest(KEY).hex()}}}\nadmin: ['{digest(TOKEN).hex()}']\n"
    )
    return f"@{path}"


async def test_every_answer_is_documented(tmp_path: Path, redis_url: str):
    dice = random.Random(7)
    async with running(keys_file(tmp_path), redis=redis_url) as site:
        document = (await site.send("/openapi.json", b"", {}, "GET")).json
        values = Values(document, dice)
        statuses: dict[int, int] = {}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                for _ in range(25):
                    named = quote(dice.choice([t for t in TEXTS if t.strip()]), safe="")
                    query = dice.choice(["", "?opt_out=1", "?opt_out=x", "?writeKey=%00"])
                    content = operation.get("requestBody", {}).get("content", {})
                    schema = content.get("application/json", {}).get("schema")
                    body = b"" if schema is None else values.of(schema)
                    where = path.replace("{customer_id}", named) + query
                    headers = dice.choice(HEADERS)
                    answer = await site.send(where, body, headers, method.upper())
                    assert str(answer.status) in operation["responses"], (method, where, answer)
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1
                    if answer.status >= 400:
                        assert answer.json.keys() in ({"code", "message"}, {"status"})
    assert {200, 400, 401, 404} <= statuses.keys()
