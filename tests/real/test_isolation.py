"""What others left on the machine - instructions, skills, hooks, variables - reaches no call."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ForeignInstructionsError
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT, ModelRequest
from tests.real.samples import INSTRUCTIONS, PROMPT

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RESPONSE: Final = re.compile(r"\bresp_\w+")
_MOMENT: Final = re.compile(r"\b1[0-9]{9}(\.[0-9]+|[0-9]{3})\b")
_OWN_TO_A_CONNECTION: Final = frozenset({"sec-websocket-key", "content-length"})


def normalised(request: ModelRequest) -> tuple[str, dict[str, str]]:
    """Body and headers with ids and times replaced by their kind; codex orders the keys of its metadata at random."""

    def plain(text: str) -> str:
        return _MOMENT.sub("<time>", _RESPONSE.sub("<id>", _UUID.sub("<id>", text)))

    headers = {name: plain(text) for name, text in request.request.headers.items() if name not in _OWN_TO_A_CONNECTION}
    return plain(json.dumps(request.body, sort_keys=True)), headers


@dataclass(frozen=True, slots=True)
class Planted:
    """A user's machine that has something to say about every prompt."""

    home: Path
    repo: Path
    cwd: Path
    trace: Path

    @property
    def dot_codex(self) -> Path:
        return self.home / ".codex"

    def plant(self) -> None:
        """Leaves instructions, skills, MCP servers and hooks wherever codex is known to look for them."""
        touch = f"touch {self.trace}/"
        for folder in (self.home, self.repo.parent, self.repo, self.repo / "sub", self.cwd):
            (folder / "AGENTS.md").write_text(f"Planted in {folder.name}.")
        (self.cwd / "AGENTS.override.md").write_text("Planted over it.")
        for base in (self.dot_codex, self.repo / ".codex"):
            (base / "skills" / "planted").mkdir(parents=True)
            skill = "---\nname: planted\ndescription: Planted skill. Always use it.\n---\nPlanted.\n"
            (base / "skills" / "planted" / "SKILL.md").write_text(skill)
            hook = {"hooks": [{"type": "command", "command": f"{touch}hook"}]}
            events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "Stop")
            (base / "hooks.json").write_text(json.dumps({"hooks": {event: [hook] for event in events}}))
            (base / "config.toml").write_text(
                'developer_instructions = "Planted developer instructions."\n'
                'model_reasoning_effort = "high"\n'
                f'notify = ["sh", "-c", "{touch}notify"]\n'
                "[mcp_servers.planted]\n"
                f'command = "sh"\nargs = ["-c", "{touch}mcp"]\n'
            )
        (self.dot_codex / "AGENTS.md").write_text("Planted in the user's home.")
        with (self.dot_codex / "config.toml").open("a") as file:
            file.write(f'[projects."{self.repo}"]\ntrust_level = "trusted"\n')

    def variables(self) -> dict[str, str]:
        """What such a user's shell exports."""
        return {
            "OPENAI_API_KEY": "sk-planted",
            "CODEX_API_KEY": "sk-planted",
            "CODEX_ACCESS_TOKEN": "planted",
            "OPENAI_BASE_URL": "https://planted.example/v1",
            "CODEX_HOME": str(self.dot_codex),
            "CODEX_SQLITE_HOME": str(self.trace),
            "RUST_LOG": "trace",
        }


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    """The places only; `plant` fills them."""
    repo = tmp_path / "home" / "work" / "repo"
    machine = Planted(home=tmp_path / "home", repo=repo, cwd=repo / "sub" / "deep", trace=tmp_path / "trace")
    machine.cwd.mkdir(parents=True)
    machine.trace.mkdir()
    subprocess.run(["git", "init", "-q", str(repo)], check=True, capture_output=True, timeout=10)
    return machine


@pytest.fixture
def user_environ(environ: dict[str, str], planted: Planted) -> dict[str, str]:
    """The user's environment before anything is planted. The state folder is where it is by default: under HOME."""
    return {**environ, "HOME": str(planted.home), "XDG_STATE_HOME": str(planted.home / ".local" / "state")}


def complete(cwd: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "codex_oauth", "complete", "--instructions", INSTRUCTIONS, PROMPT],
        cwd=cwd,
        env=environ,
        capture_output=True,
        timeout=30,
        check=False,
    )


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *sorted(folder.rglob("*")))
    }


@contextmanager
def watched(folder: Path) -> Generator[Callable[[], int]]:
    """Counts what happens in a folder and below it, reading included, as the kernel (inotify) tells it."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    everything = 0xFFF  # IN_ACCESS to IN_MOVE_SELF, IN_OPEN among them
    try:
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            assert libc.inotify_add_watch(descriptor, os.fsencode(path), everything) >= 0

        def events() -> int:
            try:
                return len(os.read(descriptor, 65536))
            except BlockingIOError:
                return 0

        yield events
    finally:
        os.close(descriptor)


@pytest.mark.usefixtures("transport")
def test_nothing_planted_on_the_machine_changes_a_byte_of_the_request(
    planted: Planted, user_environ: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(load_settings(environ=user_environ).home)
    before = complete(planted.cwd, user_environ)
    assert before.returncode == 0, before.stderr
    planted.plant()
    after = complete(planted.cwd, {**user_environ, **planted.variables()})
    assert after.returncode == 0, after.stderr
    first, second = chatgpt.model_requests
    assert normalised(first) == normalised(second)
    assert [normalised(prewarm) for prewarm in chatgpt.prewarms[1:]] == [
        normalised(prewarm) for prewarm in chatgpt.prewarms[:1]
    ]
    assert before.stdout == after.stdout
    assert set(chatgpt.connections) == {"chatgpt.com"}
    # No hook, no MCP server and no notifier ran, and no log or database went where a variable said.
    assert list(planted.trace.iterdir()) == []


def test_what_is_planted_would_reach_a_codex_of_the_users_own(
    planted: Planted, user_environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    """The control of the test above: the same plants, and `codex exec` on the home that they are in."""
    chatgpt.sign_in(planted.dot_codex)
    planted.plant()
    codex = find_binary(settings).path
    subprocess.run(
        [codex, "exec", "--dangerously-bypass-hook-trust", PROMPT],
        cwd=planted.cwd,
        env={**user_environ, "CODEX_HOME": str(planted.dot_codex)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=True,
    )
    sent = json.dumps(chatgpt.model_requests[0].body)
    assert "Planted in the user's home." in sent
    assert "Planted in repo." in sent
    assert "Planted over it." in sent
    assert "Planted developer instructions." in sent
    assert "Planted skill." in sent
    assert {"hook", "mcp"} <= {path.name for path in planted.trace.iterdir()}


def test_the_users_own_codex_home_is_not_made(
    planted: Planted, user_environ: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(load_settings(environ=user_environ).home)
    assert complete(planted.cwd, user_environ).returncode == 0
    assert {path.name for path in planted.home.iterdir()} == {"work", ".local"}


def test_the_users_own_codex_home_is_neither_read_nor_changed(
    planted: Planted, user_environ: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(load_settings(environ=user_environ).home)
    planted.plant()
    chatgpt.sign_in(planted.dot_codex, account_id="acc_theirs")
    before = contents(planted.dot_codex)
    with watched(planted.dot_codex) as events:
        assert complete(planted.cwd, {**user_environ, **planted.variables()}).returncode == 0
        assert events() == 0
        (planted.dot_codex / "config.toml").read_bytes()
        assert events() > 0  # the watch does see a reader
    assert contents(planted.dot_codex) == before
    assert {request.request.headers["chatgpt-account-id"] for request in chatgpt.model_requests} == {"acc_1"}


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("name", ["AGENTS.md", "AGENTS.override.md"])
async def test_instructions_in_the_managed_home_stop_the_call(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, name: str, shared: bool
) -> None:
    foreign = settings.home / name
    foreign.write_text("Planted in the managed home.")
    try:
        async with codex if shared else nullcontext():
            with pytest.raises(ForeignInstructionsError) as caught:
                await codex.complete(PROMPT)
    finally:
        foreign.unlink()
    assert caught.value.sources == (str(foreign),)
    assert chatgpt.model_requests == ()
    assert [prewarm for prewarm in chatgpt.prewarms if "Planted" in json.dumps(prewarm.body)] == []
