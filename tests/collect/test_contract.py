"""The contract's example for Node is run as it stands."""

import json
import re
import subprocess
from pathlib import Path

from redis import Redis

from tests.collect.live import environment
from tests.collect.node import clients

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"


def test_the_node_example_reads_a_customer(redis_url: str, unique: str):
    place = clients()
    found = re.search(r"^```js reader\n(.*?)^```$", CONTRACT.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    script = place / f"{unique}.mjs"
    script.write_text(found[1])
    with Redis.from_url(redis_url) as client:
        client.hset(
            "agos:customer:maria", mapping={"segments": "loyal,lost", "updated_at": "1795321934770"}
        )
        client.zadd("agos:segment:loyal:members", {"ada": 5, "maria": 6})
        client.xadd("agos:changes", {"customer": "maria", "segment": "loyal"}, id="7-0")
    try:
        done = subprocess.run(
            ["node", script.name],
            cwd=place,
            env={**environment(), "AGOS_REDIS": redis_url},
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        script.unlink()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "segments": ["loyal", "lost"],
        "updatedAt": 1795321934770,
        "members": ["maria", "ada"],
        "changes": [{"position": "7-0", "segment": "loyal"}],
    }
