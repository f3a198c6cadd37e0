"""Schemathesis reads the OpenAPI document and finds no answer that is not in it, and no 500."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.collect.keyring import digest
from stream.local import EmbeddedBroker
from tests.collect.live import Collector, environment
from tests.collect.toolchains import schemathesis

KEY = "key-of-schemathesis"
TOKEN = "token-of-schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def collector(
    embedded_broker: EmbeddedBroker, redis_url: str, tmp_path: Path
) -> Iterator[Collector]:
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        f"keys:\n- {{source: web, sha256: {digest(KEY).hex()}}}\nadmin: [{digest(TOKEN).hex()}]\n"
    )
    with Collector(embedded_broker, tmp_path, f"@{keys}", redis=redis_url) as started:
        yield started


@pytest.mark.parametrize(
    "options",
    [
        ["--auth", f"{KEY}:", "--exclude-path-regex", "^/v1/(customers|segments)"],
        ["-H", f"Authorization: Bearer {TOKEN}", "--include-path-regex", "^/v1/(cust|seg)"],
    ],
    ids=["write key", "admin token"],
)
def test_every_answer_is_documented_and_none_is_a_500(
    collector: Collector, tmp_path: Path, options: list[str]
):
    command, extra = schemathesis()
    run = [*command, "run", f"{collector.url}/openapi.json", "--checks", ",".join(CHECKS)]
    phases = ["--phases", "coverage,fuzzing", "-n", "10", "--seed", "5", "--no-color"]
    done = subprocess.run(
        [*run, *phases, *options],
        env=environment() | extra,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=220,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
