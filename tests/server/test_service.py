"""What clients get from a service, and what they do not have to suffer from each other."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from sysconfig import get_path

import pytest

from codex_oauth.process import find_binary
from codex_oauth.server.calls import MOST_CALLS
from codex_oauth.testing import Hang, LoopbackChatGPT, Slow
from codex_oauth.thin.ask import NoService
from codex_oauth.thin.place import socket_path
from codex_oauth.thin.wire import LARGEST, head_of
from codex_oauth.version import __version__
from tests.gate.answers import answer
from tests.scripted import eventually
from tests.server.served import ALLOWED, HOOK, Served, Waiting, ended, hook_input

# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_hook_gets_the_bytes_that_it_would_write_itself(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.script(answer("allow"), answer("deny", deny_message="No."), answer("ask"))
    answers = [served.ask(*HOOK, stdin=hook_input()) for _ in range(3)]
    assert [one.status for one in answers] == [0, 0, 0]
    assert [one.stderr for one in answers] == [b"", b"", b""]
    assert answers[0].stdout == ALLOWED
    assert b'"behavior":"deny","message":"No."' in answers[1].stdout
    assert answers[2].stdout == b""


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("classify", "--command", "git status", "--json"), b""),
        (("classify", "--json", "--exit-code"), hook_input("rm -rf /")),
        (("classify", "--json"), b"no request"),
        (("hook", "codex"), b"no request"),
        (("hook", "claude", "--on-failure", "deny"), b"no request"),
        (("hook", "claude", "--policy", "/nowhere.toml"), hook_input()),
    ],
)
def test_a_command_leaves_behind_what_it_does_without_a_service(
    served: Served, environ: dict[str, str], words: tuple[str, ...], stdin: bytes
) -> None:
    alone = subprocess.run(
        [sys.executable, "-m", "codex_oauth", *words],
        input=stdin,
        env={**environ, "CODEX_OAUTH_SERVICE": "off"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    served.start()
    found = served.ask(*words, stdin=stdin)
    assert (_untimed(found.stdout), found.stderr, found.status) == (
        _untimed(alone.stdout),
        alone.stderr,
        alone.returncode,
    )


def _untimed(stdout: bytes) -> object:
    return {**json.loads(stdout), "latency_ms": 0} if stdout.startswith(b'{"behavior') else stdout


def test_a_warm_call_starts_no_other_app_server(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    first = served.app_server()
    for _ in range(5):
        assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED
    assert served.app_server() == first
    status = served.status()
    assert status["calls"] == 5
    assert [server["pid"] for server in status["app_servers"]] == [first]


def test_the_status_says_how_it_is(served: Served) -> None:
    process = served.start()
    pid = served.app_server()
    status = served.status()
    assert (status["pid"], status["version"], status["socket"]) == (process.pid, __version__, served.path)
    assert (status["running"], status["queued"], status["calls"], status["ending"]) == (0, 0, 0, False)
    assert status["idle_timeout_s"] is None
    assert status["memory"] > 10_000_000
    assert status["app_servers"][0]["pid"] == pid
    assert status["app_servers"][0]["memory"] > 1_000_000
    assert status["app_servers"][0]["version"].count(".") == 2


def test_nobody_signed_in_is_an_answer_like_another(served: Served) -> None:
    (served.settings.home / "auth.json").unlink()
    process = served.start()
    found = served.ask(*HOOK, stdin=hook_input())
    assert (found.stdout, found.status) == (b"", 1)
    assert b"not signed in" in found.stderr
    assert process.poll() is None


def test_who_signs_in_later_is_answered_by_the_same_service(served: Served, chatgpt: LoopbackChatGPT) -> None:
    (served.settings.home / "auth.json").unlink()
    served.start()
    assert served.ask(*HOOK, stdin=hook_input()).status == 1
    chatgpt.sign_in(served.settings.home)
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED


def test_the_hooks_metrics_say_that_it_was_warm(served: Served) -> None:
    served.start()
    served.app_server()
    served.ask(*HOOK, stdin=hook_input())
    served.ask(*HOOK, stdin=hook_input("git log"))
    assert served.settings.metrics is not None
    entries = [json.loads(line) for line in served.settings.metrics.read_bytes().splitlines()]
    assert [(entry["gate"]["verdict"], entry["served"], entry["warm"]) for entry in entries] == [
        ("allow", "service", True)
    ] * 2


# --- who is refused --------------------------------------------------------------------------------------------------


def test_another_version_ends_the_service_after_what_runs(served: Served, chatgpt: LoopbackChatGPT) -> None:
    process = served.start()
    chatgpt.script(Slow(answer("allow"), 0.1))
    running = served.hook()
    chatgpt.wait_for_model_requests(1)
    status, _, why = served.send(served.message(*HOOK, stdin=hook_input(), version="99.0.0")).answer()
    assert (status, why) == (409, f"version {__version__}\n".encode())
    # Its place is free at once, for the new one.
    assert eventually(lambda: not Path(served.path).exists())
    again = served.start()
    status, _, body = running.answer()
    assert (status, body) == (200, ALLOWED)
    assert ended(process) == 1
    assert again.poll() is None


def test_another_key_is_not_served_and_changes_nothing(served: Served, chatgpt: LoopbackChatGPT) -> None:
    process = served.start()
    status, _, why = served.send(served.message(*HOOK, stdin=hook_input(), key="0" * 32)).answer()
    assert (status, why) == (409, b"another key\n")
    assert chatgpt.model_requests == ()
    assert process.poll() is None
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED


def test_a_changed_configuration_ends_the_service_before_the_next_call(
    served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    process = served.start()
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("timeout = 20\n")
    status, _, why = served.hook().answer()
    assert (status, why) == (409, b"another configuration\n")
    assert chatgpt.model_requests == ()
    assert ended(process) == 1
    served.start()
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED


def test_a_client_whose_path_leads_to_another_codex_is_not_served(
    served: Served, environ: dict[str, str], tmp_path: Path, chatgpt: LoopbackChatGPT
) -> None:
    # An installation without the bundled codex, which would be found without a PATH.
    (tmp_path / "packages").mkdir()
    for package in Path(get_path("purelib")).iterdir():
        if "codex_cli_bin" not in package.name:
            (tmp_path / "packages" / package.name).symlink_to(package)
    real = find_binary(served.settings).path
    for name, target in (("one", real), ("same", real), ("other", Path("/bin/true"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "codex").symlink_to(target)
    paths = {name: f"{tmp_path / name}:{environ['PATH']}" for name in ("one", "same", "other")}
    served.environ |= {"PYTHONPATH": f"{tmp_path / 'packages'}:{Path(__file__).parents[2]}", "PATH": paths["one"]}
    # Without site, it is another installation, with another key.
    key = "import os; from codex_oauth.thin.key import key_of; print(key_of(os.environ, {}))"
    said = subprocess.run(
        [sys.executable, "-S", "-c", key], env=served.environ, capture_output=True, text=True, timeout=30, check=True
    )
    served.key = said.stdout.strip()
    served.path = socket_path(served.environ, str(served.settings.state_dir), served.key)
    served.start(python=("-S",))
    answers = {
        name: served.send(served.message(*HOOK, stdin=hook_input(), path=path)).answer() for name, path in paths.items()
    }
    assert {name: answered[0] for name, answered in answers.items()} == {"one": 200, "same": 200, "other": 409}
    assert answers["other"][2] == b"another codex binary\n"
    assert len(chatgpt.model_requests) == 2
    assert served.send(served.message(*HOOK, stdin=hook_input(), path="/nowhere")).answer()[0] == 409


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no host
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", 404),
        (b"GET /v1/run HTTP/1.1\r\nhost: a\r\n\r\n", 405),
        (b"POST /v1/status HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 405),
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 409),
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        # No more than is read at once: what is still to be read when it is refused may take the answer with it.
        (b"POST /v1/run HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 100_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\0" * 20_000, 400),
    ],
    ids=lambda value: ascii(value)[2:60] if isinstance(value, bytes) else str(value),
)
def test_nonsense_is_answered_with_what_is_wrong_with_it(served: Served, message: bytes, status: int) -> None:
    process = served.start()
    client = Waiting(served.path, message)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer()[0] == status
    assert process.poll() is None
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED


@pytest.mark.parametrize("length", ["", "x", "-1", "0", "9999999999999999999", "1000"])
def test_a_call_without_its_own_length_is_refused(served: Served, length: str) -> None:
    served.start()
    message = served.message(*HOOK, stdin=b"").replace(
        b"x-meta-length: ", b"x-meta-length: " + length.encode() + b"\r\nx: "
    )
    assert served.send(message).answer()[0] == 400


@pytest.mark.parametrize(
    "words", [(), ("login",), ("hook",), ("hook", "claude", "--help"), ("hook", "claude", "--codex-home", "/")]
)
def test_commands_that_are_not_for_the_service_are_refused(served: Served, words: tuple[str, ...]) -> None:
    served.start()
    status, _, why = served.send(served.message(*words)).answer()
    assert (status, why) == (400, b"not a command for the service\n")


def test_a_folder_that_is_relative_is_refused(served: Served) -> None:
    served.start()
    call = b"folder\0/bin\0hook\0claude"
    head = head_of("POST", "/v1/run", __version__, served.key, len(call), len(call))
    assert served.send(head + call).answer()[0] == 400


def test_a_body_that_is_too_long_is_refused_before_it_is_read(served: Served) -> None:
    served.start()
    with pytest.raises(NoService) as caught:
        served.ask(*HOOK, stdin=b" " * (60 * 1024 * 1024))
    assert caught.value.there
    found = served.ask(*HOOK, stdin=hook_input("x" * (LARGEST // 2)))
    assert found.status == 0


# --- nobody waits for somebody else ----------------------------------------------------------------------------------


def test_clients_that_say_nothing_or_half_of_it_delay_nobody(served: Served) -> None:
    served.start()
    message = served.message(*HOOK, stdin=hook_input())
    halves = [Waiting(served.path, message[: len(message) * number // 60]) for number in range(60)]
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED
    # The one that still lacks most is the first to be told; none is kept for ever.
    assert halves[0].answer()[0] in (0, 408)
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED
    for half in halves:
        half.socket.close()


def test_a_turn_that_hangs_delays_nobody(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.script(*[Hang()] * 5)
    stuck = [served.hook(f"stuck {number}") for number in range(5)]
    chatgpt.wait_for_model_requests(5)
    for _ in range(10):
        assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED
    assert served.status()["running"] == 5
    for client in stuck:
        client.socket.close()
    assert eventually(lambda: served.status()["running"] == 0)
    assert served.status()["given_up"] == 5


def test_a_client_that_does_not_read_its_answer_delays_nobody(served: Served) -> None:
    served.start()
    silent = [served.hook() for _ in range(20)]
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED
    assert eventually(lambda: served.status()["running"] == 0)
    assert [client.answer()[2] for client in silent] == [ALLOWED] * 20


def test_a_client_that_leaves_has_its_turn_interrupted(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.script(Hang())
    client = served.hook()
    chatgpt.wait_for_model_requests(1)
    assert chatgpt.answering == 1
    client.socket.close()
    chatgpt.wait_until(lambda: chatgpt.answering == 0)


def test_the_first_word_is_how_long_it_may_take(
    served: Served, environ: dict[str, str], tmp_path: Path, chatgpt: LoopbackChatGPT
) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text("timeout = 7\n")
    served.start()
    chatgpt.script(Hang())
    client = served.send(served.message(*HOOK, "--policy", str(policy), stdin=hook_input()))
    chatgpt.wait_for_model_requests(1)
    said = client.socket.recv(65_536).split(b"\r\n\r\n")
    assert [b"x-deadline: 30.000" in said[0], b"x-deadline: 7.000" in said[1]] == [True, True]
    client.socket.close()


def test_one_more_than_it_takes_is_told_that_it_is_busy(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.default = Hang()
    many = [served.hook(f"number {number}") for number in range(MOST_CALLS)]
    assert {client.heard() for client in many} == {102}
    status = served.status()
    assert (status["running"], status["running"] + status["queued"]) == (64, MOST_CALLS)
    status, headers, why = served.hook().answer()
    assert (status, headers["retry-after"], why) == (503, "1", b"busy\n")
    for client in many:
        client.socket.close()
    assert eventually(lambda: served.status()["running"] == 0, timeout=20)
    chatgpt.default = answer("allow")
    assert served.ask(*HOOK, stdin=hook_input()).stdout == ALLOWED


def test_those_who_ask_the_same_at_once_share_one_call(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.script(Slow(answer("allow"), 0.2))
    clients = [served.hook() for _ in range(8)]
    assert [client.answer()[2] for client in clients] == [ALLOWED] * 8
    assert len(chatgpt.model_requests) == 1
    assert served.settings.metrics is not None
    entries = [json.loads(line) for line in served.settings.metrics.read_bytes().splitlines()]
    assert sorted(entry["shared"] for entry in entries) == [False] + [True] * 7
