#!/bin/sh
# Tests the endpoint with the clients that are not among the tests' own requirements: older `openai`s, the one from npm (left
# out where there is no npm), litellm, pydantic-ai. Their environments (some 500 MB) are kept in the user's cache folder for the
# next time. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/codex-oauth-tests/clients
packages="openai@7.57.0 zod@4.6.7"

for client in openai-2 openai-1 litellm pydantic-ai; do
    locked=requirements/client-$client.txt environment=$folder/$client
    # It holds what it was made from, once it is whole.
    cmp -s "$locked" "$environment/locked.txt" && continue
    "$python" -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$locked"
    cp "$locked" "$environment/locked.txt"
done

if [ "$(cat "$folder/npm/packages" 2>/dev/null)" != "$packages" ]; then
    rm -rf "$folder/npm" && mkdir -p "$folder/npm"
    # No script of any package is run. Which Node is new enough, the tests look for.
    # shellcheck disable=SC2086 - they are two words
    if npm install --prefix "$folder/npm" --ignore-scripts --no-save --no-package-lock --no-audit --no-fund \
        --loglevel=error $packages; then
        echo "$packages" >"$folder/npm/packages"
    else
        rm -rf "$folder/npm"
        echo "The tests with the client from npm will be skipped." >&2
    fi
fi

CLIENT_ENVIRONMENTS=$folder exec "$python" -m pytest tests/clients "$@"
