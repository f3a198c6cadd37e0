"""npm's packages of the clients, installed once into .cache, and a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

_CLIENTS = Path(__file__).parent / "clients"
_PLACE = Path(__file__).parents[2] / ".cache" / "clients"
_PACKAGES = [
    "@segment/analytics-node@3.1.0",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@rudderstack/analytics-js@3.34.1",
    # Older ones that websites still have.
    "analytics-node@6.2.0",
    "rudder-sdk-node-1@npm:@rudderstack/rudder-sdk-node@1.0.7",
    "rudder-sdk-js@2.52.21",
    "cloudevents@10.0.0",
    "ioredis@5",
]
_DONE = "installed.txt"
_INSTALL_SECONDS = 240
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_BUNDLES = {
    "segment.js": "@segment/analytics-next/dist/umd/index.js",
    "rudderstack.js": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "rudderstack-legacy.js": "rudder-sdk-js/dist/npm/index.js",
}


def clients() -> Path:
    """Directory with the clients' scripts and their packages; skips where there is no Node."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the clients need {' and '.join(missing)} on the PATH (Node 18 or later)")
    done = _PLACE / _DONE
    if not done.exists() or done.read_text() != "\n".join(_PACKAGES):
        _install()
        done.write_text("\n".join(_PACKAGES))
    modules = _PLACE / "node_modules"
    for script in _CLIENTS.iterdir():
        shutil.copy(script, _PLACE / script.name)
    for name, source in _BUNDLES.items():
        shutil.copy(modules / source, _PLACE / name)
    return _PLACE


def browser() -> str:
    """Path of a Chromium; skips where there is none."""
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip("the browser's SDKs need Chromium on the PATH (on Debian: apt install chromium)")


def _install() -> None:
    _PLACE.mkdir(parents=True, exist_ok=True)
    (_PLACE / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES]
    try:
        subprocess.run(
            command, cwd=_PLACE, check=True, capture_output=True, timeout=_INSTALL_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install the clients here: {error}")
