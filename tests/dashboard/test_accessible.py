"""axe-core finds no serious fault on any page, in light and dark."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from redis import Redis

from scripts.screenshots_parts.chromium import Tab
from tests.dashboard.served import Served, change, describe, join
from tests.dashboard.test_details import customer
from tests.dashboard.test_pages import everybody, worker_seen

#: Minutes in a browser: run with `scripts/test -m slow`.
pytestmark = pytest.mark.slow

_AXE = "axe-core@4.10.3"
_PLACE = Path(__file__).parents[2] / ".cache" / "axe"
_INSTALL_SECONDS = 120
_RUN = """
axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})
  .then(found => JSON.stringify(found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])))
"""
PAGES = [
    "/", "/segments", "/segment?id=loyal", "/flows", "/clusters", "/customers?id=ada",
    "/dead-letters", "/alerts",
]  # fmt: skip


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script, installed once into .cache; skips where npm cannot."""
    script = _PLACE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            pytest.skip("axe-core needs npm on the PATH (Node 18 or later)")
        _PLACE.mkdir(parents=True, exist_ok=True)
        (_PLACE / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", _AXE]
        try:
            subprocess.run(
                command, cwd=_PLACE, check=True, capture_output=True, timeout=_INSTALL_SECONDS
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm cannot install axe-core here: {error}")
    return script.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault(served: Served, redis: Redis, tab: Tab, axe: str, scheme: str):
    describe(redis, "loyal", "Loyal customers", description="those who come back")
    customer(redis, "ada")
    join(redis, "loyal", "ada")
    change(redis, "ada", "loyal")
    redis.hset("agos:{0}:counters", mapping={"applied": 5, "rejected:not-json": 2})
    tab.scheme(scheme)
    faults = {}
    with everybody(redis):
        tab.open(f"{served.url}/segments")
        tab.wait("document.body.innerText.includes('Loyal customers')")
        for page in PAGES:
            tab.open(served.url + page)
            worker_seen(tab)
            tab.wait("document.querySelector('table, .empty')")
            tab.run(axe + "; 0")
            found = json.loads(tab.run(_RUN))
            if found:
                faults[page] = found
    assert faults == {}, json.dumps(faults, indent=1)
