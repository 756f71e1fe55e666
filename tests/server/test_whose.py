"""Who pays for a warm call, and what it has of its client's surroundings: what the very next call has to see."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.account.profiles import seal
from codex_oauth.config import load_settings
from codex_oauth.testing import LoopbackChatGPT
from codex_oauth.thin.ask import NoService
from tests.scripted import eventually
from tests.server.served import HOOK, Served, hook_input

CLASSIFY: Final = ("classify", "--json", "--command", "git status")


@pytest.fixture
def chatgpt() -> Iterator[LoopbackChatGPT]:
    """A stand-in that takes API keys too."""
    with LoopbackChatGPT(api_keys=("sk-one", "sk-two")) as stand_in:
        yield stand_in


def test_another_api_key_pays_from_its_first_call_on(
    served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    profile = load_settings(environ=environ, profile="keys")
    shutil.copytree(served.settings.home, profile.home, ignore=shutil.ignore_patterns("auth.json"))
    keys = Served(environ, {"--profile": "keys"})
    try:
        seal(profile, "apiKey")
        keys.start()
        for key in ("sk-one", "sk-two", "sk-one"):
            chatgpt.sign_in_with_api_key(profile.home, key)
            for _ in range(3):  # with a spare thread ready at the end
                assert keys.ask(*CLASSIFY, "--profile", "keys").status == 0
                assert chatgpt.model_requests[-1].request.headers["authorization"] == f"Bearer {key}"
    finally:
        keys.close()
        shutil.rmtree(profile.home.parent)


def test_whose_token_a_command_prints_is_asked_by_each_call(
    served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    (served.settings.home / "auth.json").unlink()
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('token_command = ["sh", "-c", "cat \\"$WHOSE/auth.json\\""]\n')
    served.start()
    with pytest.raises(NoService, match="409"):
        served.ask(*CLASSIFY)
    for name in ("one", "two"):
        chatgpt.sign_in(tmp_path / name, account_id=name)
        served.environ = {**environ, "WHOSE": str(tmp_path / name)}
        client = served.client(*CLASSIFY)
        out, words = client.communicate(timeout=30)
        assert (client.returncode, words) == (0, b"")
        assert json.loads(out)["behavior"] == "allow"
        assert chatgpt.model_requests[-1].request.headers["chatgpt-account-id"] == name
    served.environ = {**environ, "WHOSE": "/nowhere"}
    assert served.client(*CLASSIFY).wait(30) == 3
    assert len(chatgpt.model_requests) == 2
    assert served.status()["app_servers"] == []


def test_the_hosts_rules_are_those_of_the_project_that_the_client_was_started_for(
    served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    for folder, rule in ((outer, "outer"), (inner, "inner")):
        (folder / ".claude").mkdir(parents=True)
        (folder / ".claude" / "settings.json").write_text(json.dumps({"permissions": {"allow": [f"Bash({rule})"]}}))
    served.environ = {**environ, "CLAUDE_PROJECT_DIR": str(outer)}
    served.start()
    for project, seen in ((outer, "outer"), (inner, "inner"), (outer, "outer")):
        served.environ = {**environ, "CLAUDE_PROJECT_DIR": str(project)}
        served.ask(*HOOK, stdin=hook_input(cwd=str(inner)))
        asked = json.dumps(chatgpt.model_requests[-1].body)
        assert [rule for rule in ("outer", "inner") if f"Bash({rule})" in asked] == [seen]


def test_a_named_configuration_that_is_not_empty_any_more_ends_the_service(
    served: Served, environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "named.toml"
    file.touch()
    named = Served({**environ, "CODEX_OAUTH_CONFIG": str(file)})
    try:
        named.start()
        assert named.ask(*CLASSIFY).status == 0
        file.write_text('token_command = ["whoever"]\n')
        with pytest.raises(NoService, match="409"):
            named.ask(*CLASSIFY)
    finally:
        named.close()


def test_what_a_host_has_left_open_stays_open_for_no_service(served: Served, environ: dict[str, str]) -> None:
    reader, writer = os.pipe()
    try:
        hook = subprocess.run(
            [sys.executable, "-m", "codex_oauth", *HOOK],
            input=hook_input(),
            capture_output=True,
            env=environ,
            pass_fds=(writer,),
            timeout=30,
            check=True,
        )
        assert hook.stderr == b""
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert eventually(lambda: served.running_as() is not None)
        # Whoever reads it sees its end, though the service lives.
        assert select.select([pipe], [], [], 5)[0]
        assert pipe.read() == b""


def test_a_configuration_that_changes_while_a_service_starts_is_not_missed(
    served: Served, environ: dict[str, str]
) -> None:
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    lock = Path(f"{served.path}.lock")
    lock.parent.mkdir(mode=0o700)

    def started_while_it_changes(seconds: int) -> int:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            process = served.spawn("--on-demand")
            # It has read its configuration, and waits for the lock for half a second.
            assert eventually(lambda: os.readlink(f"/proc/{process.pid}/fd/2").endswith("/service.log"))
            (folder / "config.toml").write_text(f"timeout = {seconds}\n")
        return process.wait(20)

    # With 0 it has found the lock taken for too long, since this process was held up.
    assert next((status for number in range(5) if (status := started_while_it_changes(20 + number))), 0) == 1


def test_a_client_that_sees_other_files_is_judged_by_those(
    served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    apart = ["unshare", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces")
    served.start()
    script = 'mount -t tmpfs none "$0" && cd "$0" && git init -q -b apart . && exec "$@"'
    command = ["sh", "-c", script, str(tmp_path), sys.executable, "-m", "codex_oauth", *CLASSIFY]
    done = subprocess.run(
        [*apart, *command], env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True
    )
    assert done.stderr == b""
    assert '"branch": "apart"' in str(chatgpt.model_requests[-1].body["input"])
    assert served.status()["calls"] == 0
