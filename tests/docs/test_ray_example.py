"""The example for a Ray cluster, on a cluster of one node. It needs Ray, which is no dependency of this package."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT, usage_limit_reached
from tests.cli.batches import answered, echo_but, numbered, results, write_questions
from tests.real.account.vault import Vault

EXAMPLE = Path(__file__).parents[2] / "examples/ray_batch.py"

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
    # A cluster takes seconds to start and to end, and its workers a whole interpreter each.
    pytest.mark.timeout(300),
]


def run(environ: dict[str, str], folder: Path, questions: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The example, on a cluster of its own."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    return subprocess.run(
        [sys.executable, str(EXAMPLE), questions, "out.jsonl"],
        env={**environ, **quiet, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def vault(chatgpt: LoopbackChatGPT, tmp_path: Path) -> Vault:
    return Vault(chatgpt, tmp_path)


def test_every_question_is_answered_by_the_nodes_token(
    environ: dict[str, str], vault: Vault, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(40))
    done = run(environ, tmp_path, questions, CODEX_OAUTH_TOKEN=vault.token, CODEX_ACCOUNT_ID="acc_fleet")
    assert done.returncode == 0, done.stderr
    assert "40 of 40 answered, 0 failed\n" in done.stdout
    assert answered(tmp_path / "out.jsonl") == {f"q{number}": f"You said: number {number}" for number in range(40)}
    assert {request.request.bearer for request in chatgpt.model_requests} == {vault.token}
    assert len(chatgpt.model_requests) == 40
    metrics = [json.loads(line) for line in Path(environ["CODEX_OAUTH_METRICS"]).read_bytes().splitlines()]
    assert sum(not line["warm"] for line in metrics) == 1, "one app-server for the node"
    assert vault.token not in done.stdout + done.stderr


_TWO_NODES = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def test_each_of_two_nodes_has_a_client_and_whoever_starts_it_needs_no_token(
    environ: dict[str, str], vault: Vault, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(40))
    chatgpt.latency = 0.05
    token = {"CODEX_OAUTH_TOKEN": vault.token, "CODEX_ACCOUNT_ID": "acc_fleet", "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", _TWO_NODES],
        env={**environ, **token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        address = next(line for line in cluster.stdout if ":" in line).strip()
        done = run(environ, tmp_path, questions, RAY_ADDRESS=address)
        cluster.stdin.close()
    assert done.returncode == 0, done.stderr
    assert len(answered(tmp_path / "out.jsonl")) == 40
    assert {request.request.bearer for request in chatgpt.model_requests} == {vault.token}
    metrics = [json.loads(line) for line in Path(environ["CODEX_OAUTH_METRICS"]).read_bytes().splitlines()]
    assert sum(not line["warm"] for line in metrics) == 2


def test_a_usage_limit_stops_it_and_the_same_command_goes_on(
    environ: dict[str, str], vault: Vault, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(30))
    chatgpt.default = echo_but(lambda number: usage_limit_reached() if number >= 12 else None)
    token = {"CODEX_OAUTH_TOKEN": vault.token, "CODEX_ACCOUNT_ID": "acc_fleet"}
    stopped = run(environ, tmp_path, questions, **token)
    assert stopped.returncode != 0
    assert "UsageLimitReachedError" in stopped.stderr
    assert {one["id"] for one in results(tmp_path / "out.jsonl")} == {f"q{number}" for number in range(12)}
    chatgpt.default = echo_but(lambda _: None)
    assert run(environ, tmp_path, questions, **token).returncode == 0
    assert len(answered(tmp_path / "out.jsonl")) == 30


def test_a_node_without_a_token_is_not_used(environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    done = run(environ, tmp_path, questions)
    assert done.returncode != 0
    assert "no token; set CODEX_OAUTH_TOKEN, or a token_command" in done.stderr
    assert chatgpt.model_requests == ()
