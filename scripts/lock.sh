#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml. Needs uv.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --python-version 3.11 --extra bundled --extra testing pyproject.toml "$@"
}
lock --extra server --group dev --upgrade --output-file requirements/dev.txt
lock --extra server --group test --group build --resolution lowest-direct --upgrade --output-file requirements/lowest.txt
# What is measured is what is tested: the versions of dev.txt.
lock --extra server --group benchmarks --group build --constraint requirements/dev.txt --upgrade \
    --output-file requirements/benchmarks.txt
# Clients of the endpoint, without the package: nothing of it is installed beside them.
for client in openai-2 openai-1 litellm pydantic-ai; do
    uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --python-version 3.11 --group "client-$client" --upgrade --output-file "requirements/client-$client.txt"
done
