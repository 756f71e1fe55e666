#!/bin/sh
# Tests the gate in the hosts themselves: in Codex always, and in Claude Code where npm can fetch it (some 240 MB on disk,
# kept in the user's cache folder for the next time). Arguments go to pytest; HOST_CODEX_BIN names another Codex to be the host.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3
"$python" tests/hosts/real/claude_package.py || echo "The tests on Claude Code will be skipped." >&2
exec "$python" -m pytest tests/hosts/real "$@"
