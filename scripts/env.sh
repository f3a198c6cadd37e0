# Sourced by scripts/test, check and demo: makes .venv what requirements.lock and pyproject.toml say.
# Needs Python 3.11 or later and network access to a package index the first time; says what it does.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

# 3.12 and 3.11 first: for these there are wheels of everything, Redis included, on Linux x86-64.
find_python() {
  local name
  for name in python3.12 python3.11 python3.13 python3; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "needs Python 3.11 or later with venv and pip (on Debian: apt install python3 python3-venv)"
}

# Changes when the lock, the project's metadata, the place or the Python does.
fingerprint() {
  { cat requirements.lock pyproject.toml; pwd; .venv/bin/python --version; } | cksum
}

prepare() {
  local python
  if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    echo "==> creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
  fi
  if [ "$(cat .venv/agos-fingerprint 2>/dev/null)" = "$(fingerprint)" ]; then
    return
  fi
  echo "==> installing what requirements.lock lists into .venv (once; a minute or two)"
  .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
    --requirement requirements.lock </dev/null
  .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
    --no-deps --editable . </dev/null
  fingerprint >.venv/agos-fingerprint
}
