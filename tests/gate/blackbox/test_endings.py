"""However it is called and however it ends: never the status 2, nothing but the answer on stdout, no process left."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.testing import Hang, LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, NOTHING, Seen, both_hosts, denial, in_turn, no_verdict, shown
from tests.gate.blackbox.machine import Machine
from tests.gate.blackbox.running import Running
from tests.scripted import ended

# --- wrong calls --------------------------------------------------------------------------------------------------

WRONG: Final = {
    "no host": ["hook"],
    "no such host": ["hook", "nobody"],
    "two hosts": ["hook", "claude", "codex"],
    "an unknown option": ["hook", "claude", "--bogus"],
    "an unknown option in front": ["--bogus", "hook", "claude"],
    "an option without a value": ["hook", "codex", "--policy"],
    "an allow on failure": ["hook", "codex", "--on-failure", "allow"],
    "two homes": ["hook", "claude", "--home", "a", "--profile", "b"],
    "an odd profile": ["hook", "claude", "--profile", "../a"],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_an_error_and_never_a_denial(machine: Machine, chatgpt: LoopbackChatGPT, name: str) -> None:
    seen = machine.ask("codex", None, arguments=WRONG[name])
    assert (seen.status, seen.stdout) == (1, NOTHING)
    assert seen.stderr
    assert "Traceback" not in seen.stderr
    assert chatgpt.requests == ()


def test_a_broken_configuration_is_an_error_of_one_line(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("timeout = 'long'\n")
    machine.environ["CODEX_OAUTH_CONFIG"] = str(file)
    assert no_verdict(machine.ask("claude")) == "configuration"


# --- odd streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "closed"), in_turn(["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-", ">/dev/full"]))
def test_without_stdin_or_stdout_there_is_no_verdict(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, closed: str
) -> None:
    chatgpt.default = answer("allow")
    seen = machine.ask(host, None, redirections=closed)
    assert (seen.status, seen.stdout) == (1, NOTHING)
    assert "Traceback" not in seen.stderr
    assert seen.stderr.count("\n") == ("2>" not in closed)


@pytest.mark.parametrize(("host", "closed"), in_turn(["2>&-", "2>/dev/full"]))
def test_without_stderr_the_verdict_is_the_same(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, closed: str
) -> None:
    chatgpt.script(answer("allow"))
    assert machine.ask(host, None, redirections=closed) == Seen(0, ALLOW, "")
    # With a word to say besides, which cannot be said.
    seen = machine.ask(host, b"{", "--on-failure", "deny", redirections=closed)
    assert (seen.status, json.loads(seen.stdout)["hookSpecificOutput"]["decision"]["behavior"]) == (0, "deny")


def test_a_request_may_come_from_a_file(machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps(machine.payload("claude")))
    chatgpt.script(answer("allow"))
    assert machine.ask("claude", b"", redirections=f"<{tmp_path}/request.json") == Seen(0, ALLOW, "")


def test_a_folder_is_no_request(machine: Machine) -> None:
    # Python itself gives up before anything of ours runs.
    seen = machine.ask("codex", b"", redirections="<.")
    assert (seen.status, seen.stdout) == (1, NOTHING)


def test_at_a_terminal_it_says_what_it_is_for(machine: Machine) -> None:
    master, slave = pty.openpty()
    try:
        seen = machine.ask("codex", b"", redirections=f"<{os.ttyname(slave)}")
    finally:
        os.close(slave)
        os.close(master)
    assert no_verdict(seen) == "input"
    assert "codex-oauth gate explain" in seen.stderr


@both_hosts
def test_a_host_that_has_hung_up_is_no_traceback(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("allow"))
    with machine.started(host, machine.payload(host)) as running:
        running.hang_up()
        assert running.seen() == Seen(1, NOTHING, "")


def test_no_locale_changes_an_answer(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.environ.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"})
    chatgpt.script(answer("deny", deny_message="Nein — ü."))
    request = machine.payload("codex", tool_input={"command": "echo ü"})
    assert machine.ask("codex", json.dumps(request, ensure_ascii=False).encode()) == Seen(0, denial("Nein — ü."), "")
    assert shown(chatgpt.model_requests[0])["tool_input"] == {"command": "echo ü"}
    wrong = machine.policy('[[append_rules]]\nid = "ü"\n')
    seen = machine.ask("codex")
    assert no_verdict(seen) == "configuration"
    assert str(wrong) in seen.stderr


NOISE: Final = """
import os, sys

class Noisy:
    def find_spec(self, name, path=None, target=None):
        if name in ("codex_oauth.gate.hook", "codex_oauth.metrics.writer", "codex_oauth.session.session"):
            print("a stray print of", name)
            os.write(1, b"a stray write\\n")

sys.meta_path.insert(0, Noisy())
"""


@both_hosts
def test_a_stray_print_does_not_spoil_the_answer(
    machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path, host: Host
) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NOISE)
    machine.environ["PYTHONPATH"] = os.pathsep.join([str(folder), machine.environ.get("PYTHONPATH", "")])
    chatgpt.script(answer("deny", deny_message="No."))
    seen = machine.ask(host)
    assert (seen.status, seen.stdout) == (0, denial("No."))
    assert "a stray print of codex_oauth.gate.hook\n" in seen.stderr
    assert "a stray write\n" in seen.stderr


@pytest.mark.slow
@both_hosts
def test_a_host_that_never_ends_its_request_is_not_waited_for(machine: Machine, host: Host) -> None:
    began = time.monotonic()
    with machine.started(host, None) as running:
        assert no_verdict(running.seen(40)) == "input"
    assert time.monotonic() - began < 27


# --- ends ---------------------------------------------------------------------------------------------------------


def begun(running: Running, chatgpt: LoopbackChatGPT) -> Sequence[int]:
    """What a hook has started, once the model was asked."""
    chatgpt.wait_for_model_requests(1)
    pids = running.started()
    assert len(pids) >= 2  # the app-server, and who ends it if nobody else does
    return pids


@both_hosts
def test_what_it_starts_is_gone_when_it_ends(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, host: Host
) -> None:
    machine.policy("timeout = 1.5\n")
    chatgpt.script(Hang())
    with machine.started(host, machine.payload(host)) as running:
        pids = begun(running, chatgpt)
        assert no_verdict(running.seen()) == "timeout"
        assert ended(*pids)


def test_what_it_starts_is_apart_from_the_host(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Hang())
    with machine.started("codex", machine.payload("codex")) as running:
        for pid in begun(running, chatgpt):
            assert os.getsid(pid) != running.process.pid
            assert not running.holds_a_stream(pid)


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGTERM, -signal.SIGTERM, ""),
        (signal.SIGHUP, -signal.SIGHUP, ""),
        (signal.SIGINT, 1, "interrupted\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
    ids=["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"],
)
def test_a_signal_in_mid_call_leaves_no_answer_and_no_process(
    machine: Machine, chatgpt: LoopbackChatGPT, number: signal.Signals, status: int, said: str
) -> None:
    chatgpt.script(Hang('{"reason": "r", "rule": "read-only", "behavior": "allow", "deny_message": ""}'))
    with machine.started("codex", machine.payload("codex")) as running:
        pids = begun(running, chatgpt)
        os.kill(running.pid, number)
        # Whoever held a stream would make the host wait.
        assert running.seen(10) == Seen(status, NOTHING, said)
        assert ended(*pids, timeout=10)


@both_hosts
def test_a_hosts_timeout_leaves_no_process(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(Hang())
    with machine.started(host, machine.payload(host)) as running:
        pids = begun(running, chatgpt)
        running.kill_group()
        assert running.seen(10) == Seen(-signal.SIGKILL, NOTHING, "")
        assert ended(*pids, timeout=10)
