"""What the pages on signing in show, printed again by the real binary and the stand-in."""

from __future__ import annotations

import json
import re
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.testing import HttpResponse, LoopbackChatGPT, RateLimits
from tests.docs.machine import Machine, plain, shown_in
from tests.docs.test_documents import ROOT, run_python

pytestmark = pytest.mark.usefixtures("login_port")

PAGES: Final = ROOT / "docs" / "sign-in"
QUESTION: Final = "Is 91 prime?"


def blocks(page: str, kind: str = "text") -> list[str]:
    """A page's fenced blocks of one kind."""
    return re.findall(rf"```{kind}\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


def assert_shown(page: str, printed: list[str]) -> None:
    """Every output on the page was printed."""
    unseen = [block for block in blocks(page) if not shown_in(block, printed)]
    assert unseen == [], "\n---\n".join(printed)


@pytest.fixture
def machine(chatgpt: LoopbackChatGPT, tmp_path: Path) -> Machine:
    return Machine(chatgpt, tmp_path / "somebody")


def token_of(machine: Machine) -> dict[str, str]:
    """The access token that the machine's sign-in holds, and its account."""
    tokens = json.loads((machine.home / "auth.json").read_bytes())["tokens"]
    return {name: tokens[name] for name in ("access_token", "account_id")}


def use_command(machine: Machine, script: str) -> None:
    """Configure a `token_command` on the machine that does this."""
    command = machine.folder / "fleet-token"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o700)
    machine.called(command, "/usr/local/bin/fleet-token")
    config = machine.folder / ".config" / "codex-oauth"
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(f"token_command = [{json.dumps(str(command))}, '--json']\n", encoding="utf-8")


def test_the_index(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(machine.home)
    chatgpt.rate_limits = RateLimits(used_percent=42, weekly_used_percent=81)
    printed = [machine.run("status"), machine.run("limits")]
    machine.run("login", "--device", "--profile", "work", person=lambda code: chatgpt.approve_device(code, plan="pro"))
    assert machine.run("complete", "--profile", "work", QUESTION) == f"You said: {QUESTION}\n"
    printed.append(machine.run("profiles"))
    printed.append(machine.run("login", "--api-key", "--profile", "billed", stdin="sk-loopback\n"))
    printed.append(machine.run("logout"))
    chatgpt.sign_in(machine.home, expires_in=200)
    chatgpt.refuse_refresh("reused")
    machine.run("status")
    printed.append(machine.run("status"))
    assert_shown("index.md", printed)


def test_a_laptop(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    agree = chatgpt.complete_browser_login
    printed = [
        machine.run("login", "--browser", "--no-open", person=lambda url: agree(url, error="access_denied")),
        machine.run("login", "--browser", "--no-open", "--timeout", "0.5"),
        machine.run_in_terminal("login", types=[("1, 2 or 3", "2\n")], person=chatgpt.approve_device),
        machine.run("login", "--browser", "--no-open", person=agree),
    ]
    own = Machine(chatgpt, machine.folder, state=machine.folder / "own")
    machine.copy_sign_in_to(own)
    (machine.folder / ".codex").symlink_to(own.home)
    printed.append(machine.run("doctor"))

    def second(_: str) -> None:
        machine.run("login", "--browser", "--no-open", person=agree)

    printed.append(machine.run("login", "--browser", "--no-open", person=second))
    with ExitStack() as taken:
        for port in (1455, 1457):
            listener = taken.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
        printed.append(machine.run("login", "--browser", "--no-open"))
    assert_shown("laptop.md", printed)


def test_a_machine_over_ssh(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    approve = chatgpt.approve_device
    printed = [
        machine.run_in_terminal("login", types=[("1, 2 or 3", "\n")], person=approve, SSH_CONNECTION="somewhere"),
        machine.run("login", person=chatgpt.deny_device),
        machine.run("login", "--browser", person=chatgpt.complete_browser_login, SSH_CONNECTION="somewhere"),
    ]
    chatgpt.respond("/api/accounts/deviceauth/usercode", HttpResponse(404, {}))
    printed.append(machine.run("login", "--device"))
    assert_shown("ssh.md", printed)


def test_ci(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    kept = Machine(chatgpt, tmp_path / "kept", state=tmp_path / "ci")
    kept.called(tmp_path / "ci", "/var/lib/ci")
    printed = [kept.run("login", "--device", person=chatgpt.approve_device)]

    empty = Machine(chatgpt, tmp_path / "empty")
    printed.append(empty.run("status", CODEX_OAUTH_CREDENTIAL=json.dumps({"tokens": token_of(kept)})))
    chatgpt.sign_in(kept.home, expires_in=-1)
    printed.append(empty.run("status", CODEX_OAUTH_CREDENTIAL=json.dumps({"tokens": token_of(kept)})))

    kept.copy_sign_in_to(empty)
    assert kept.run("complete", QUESTION) == f"You said: {QUESTION}\n"
    printed.append(empty.run("complete", QUESTION))
    assert_shown("ci.md", printed)

    assert "billed to this key" in kept.run("login", "--api-key", "--profile", "ci", stdin="sk-loopback\n")
    assert "signed in  apiKey" in kept.run("login", "--api-key", "--profile", "ci", stdin="sk-loopback\n")


def test_a_container(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    volume = tmp_path / "state"
    first = Machine(chatgpt, tmp_path / "first", state=volume)
    second = Machine(chatgpt, tmp_path / "second", state=volume)
    alone = Machine(chatgpt, tmp_path / "third", state=tmp_path / "memory")
    for machine in (first, second, alone):
        machine.called(machine.state.parent, "/state")
    printed = [first.run("login", "--device", person=chatgpt.approve_device), second.run("status")]
    printed.append(alone.run("status", CODEX_OAUTH_CREDENTIAL=json.dumps({"tokens": token_of(first)})))
    assert_shown("container.md", printed)
    assert stat.S_IMODE(first.home.stat().st_mode) == 0o700


def test_a_fleet(machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    owner = Machine(chatgpt, tmp_path / "owner")
    chatgpt.sign_in(owner.home)
    tokens = token_of(owner)
    credential = json.dumps({"tokens": tokens})
    use_command(machine, f"echo secret >&2; echo '{credential}'")
    printed = [machine.run("status")]
    for script in ("exit 3", "echo sk-loopback"):
        use_command(machine, script)
        printed.append(machine.run("status"))
    (machine.folder / ".config/codex-oauth/config.toml").unlink()
    key = json.dumps({"tokens": {"access_token": "sk-loopback", "account_id": "acc_1"}})
    printed.append(machine.run("status", CODEX_OAUTH_CREDENTIAL=key))
    printed.append(machine.run("status", CODEX_OAUTH_TOKEN=tokens["access_token"], CHATGPT_ACCOUNT_ID="another"))
    chatgpt.sign_in(owner.home, expires_in=-1)
    printed.append(machine.run("status", CODEX_OAUTH_TOKEN=token_of(owner)["access_token"]))
    chatgpt.revoke_access_tokens()
    printed.append(machine.run("complete", QUESTION, CODEX_OAUTH_TOKEN=tokens["access_token"]))
    assert_shown("fleet.md", printed)
    assert "secret" not in "".join(printed)
    written = [file for file in machine.folder.rglob("*") if file.is_file()]
    assert written
    assert [file for file in written if tokens["access_token"].encode() in file.read_bytes()] == []


def test_what_the_fleets_page_hands_out_is_a_credential(
    machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    owner = Machine(chatgpt, tmp_path / "owner")
    chatgpt.sign_in(owner.home)
    (source,) = blocks("fleet.md", "python")
    handed_out = run_python(source, owner.environ, owner.folder)
    refresh_token = json.loads((owner.home / "auth.json").read_bytes())["tokens"]["refresh_token"]
    assert refresh_token not in handed_out
    chatgpt.revoke_access_tokens()
    fresh = run_python(source, owner.environ, owner.folder)
    assert fresh != handed_out
    assert machine.run("complete", QUESTION, CODEX_OAUTH_CREDENTIAL=fresh) == f"You said: {QUESTION}\n"


@pytest.mark.parametrize(
    "shape",
    [
        {"tokens": {"accessToken": "{token}", "chatgptAccountId": "acc_1"}},
        {"access_token": "{token}", "accountId": "acc_1"},
        {"access_token": "{token}", "chatgpt_account_id": "acc_1", "plan_type": "plus"},
        {"tokens": {"access_token": "{token}", "refresh_token": "passed over"}},
    ],
)
def test_a_credential_may_be_written_as_the_fleets_page_says(
    shape: dict[str, object], machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    owner = Machine(chatgpt, tmp_path / "owner")
    chatgpt.sign_in(owner.home)
    credential = json.dumps(shape).replace("{token}", token_of(owner)["access_token"])
    assert "account   chatgpt\n" in machine.run("status", CODEX_OAUTH_CREDENTIAL=credential)


def test_what_the_tutorial_shows_of_signing_in(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    tutorial = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    doctor, signed_in = re.findall(r"```text\n(.*?)```", tutorial, re.DOTALL)
    looked = plain(machine.run("doctor"))
    # Its version of Python, the binary's path and the proxy are those of somebody else's machine.
    lines = [line for line in plain(doctor) if not re.match(r". (package|codex|environment)", line)]
    assert [line for line in lines if line not in looked] == []
    assert shown_in(signed_in, [machine.run("login", "--device", person=chatgpt.approve_device)])
