"""What leaves the machine for a call, and what stays on it: read off the real binary's own requests and files.

Some numbers are promises: no tools; at most 2,100 bytes of request beyond the caller's own over POST, and 2,200 over a
WebSocket, whose frame carries as metadata what a POST has in its headers; 4 requests before the model's; one host.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import CodexOAuthError, ForeignInstructionsError
from codex_oauth.events import TextDelta
from codex_oauth.process import find_binary
from codex_oauth.testing import Failed, Hang, LoopbackChatGPT, ModelRequest, Text
from codex_oauth.types import Model
from tests.conftest import RunCLI, clean_environment

INSTRUCTIONS = "You are a careful wombat."
PROMPT = "Which numbat is this?"
REPLY = "It is a quokka."
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"bandicoot": {"type": "string", "description": "The kind of potoroo."}},
    "required": ["bandicoot"],
    "additionalProperties": False,
}
WORDS = ("wombat", "numbat", "potoroo")


def compact(value: Any) -> bytes:
    """A JSON value as codex writes it: without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def beyond_the_callers(request: ModelRequest) -> int:
    """Bytes of the request's JSON without the JSON of the three things that the caller gave."""
    return request.size - sum(len(compact(own)) for own in (INSTRUCTIONS, PROMPT, SCHEMA))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one call of one model looked like from the service's side."""

    model: Model
    requests: tuple[ModelRequest, ...]
    before: tuple[str, ...]
    hosts: frozenset[str]
    refused: int

    @property
    def request(self) -> ModelRequest:
        return self.requests[-1]


EveryModel = tuple[str, tuple[Seen, ...]]


@pytest.fixture(scope="module", params=["websocket", "sse"])
def every_model(
    request: pytest.FixtureRequest, prepared_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> EveryModel:
    """The transport, and one call per listed model, each on an app-server of its own."""
    with LoopbackChatGPT(websocket=request.param == "websocket", account_id="acc_wallet") as chatgpt:
        environ = {**clean_environment(), **chatgpt.environment, "XDG_STATE_HOME": str(prepared_state)}
        environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
        settings = load_settings(environ=environ, metrics=False)
        chatgpt.sign_in(settings.home)
        try:
            return request.param, anyio.run(ask_every_model, settings, chatgpt)
        finally:
            (settings.home / "auth.json").unlink()


async def ask_every_model(settings: Settings, chatgpt: LoopbackChatGPT) -> tuple[Seen, ...]:
    codex = AsyncCodex(settings=settings)
    return tuple([await ask(codex, chatgpt, model) for model in await codex.models()])


async def ask(codex: AsyncCodex, chatgpt: LoopbackChatGPT, model: Model) -> Seen:
    chatgpt.reset()
    await codex.complete(PROMPT, instructions=INSTRUCTIONS, output=SCHEMA, model=model.id)
    asked = chatgpt.model_requests[-1]
    # The POST that carries the request has the request's own time; a WebSocket's upgrade and prewarm come before it.
    before = [f"{one.method} {one.path}" for one in chatgpt.requests if one.at < asked.at]
    before += ["prewarm" for one in chatgpt.prewarms if one.at < asked.at]
    return Seen(
        model=model,
        requests=chatgpt.model_requests,
        before=tuple(before),
        hosts=frozenset(chatgpt.connections),
        refused=chatgpt.refused.total(),
    )


def test_every_listed_model_answers_hidden_ones_too(every_model: EveryModel) -> None:
    transport, calls = every_model
    assert {call.model.hidden for call in calls} == {True, False}
    assert [[request.model for request in call.requests] for call in calls] == [[call.model.id] for call in calls]
    assert {call.request.transport for call in calls} == {transport}


def test_no_model_is_offered_a_tool(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.model.id: len(call.request.tools) for call in calls} == {call.model.id: 0 for call in calls}


def test_a_request_adds_little_to_the_callers_words(every_model: EveryModel) -> None:
    transport, calls = every_model
    limit = 2_100 if transport == "sse" else 2_200
    added = {call.model.id: beyond_the_callers(call.request) for call in calls}
    assert {model: size for model, size in added.items() if size > limit} == {}


def test_the_model_reads_the_callers_words_and_no_others(every_model: EveryModel) -> None:
    _, calls = every_model
    for call in calls:
        said = [
            (item["role"], "".join(part["text"] for part in item["content"]))
            for item in call.request.context
            if item.get("type", "message") == "message"
        ]
        assert len(said) == len(call.request.context)
        told = call.request.body.get("instructions")
        given = [(role, text) for role, text in said if role != "user"] if not told else [("developer", told)]
        assert given == [("developer", INSTRUCTIONS)]
        assert [text for role, text in said if role == "user"] == [PROMPT]
        assert call.request.schema == SCHEMA


def test_each_of_the_callers_words_is_sent_once(every_model: EveryModel) -> None:
    _, calls = every_model
    for call in calls:
        sent = compact(call.request.body).decode()
        assert {word: sent.count(word) for word in WORDS} == dict.fromkeys(WORDS, 1)


def test_at_most_four_requests_come_before_the_models(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.model.id: call.before for call in calls if len(call.before) > 4} == {}


def test_only_chatgpt_com_is_contacted(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {(call.hosts, call.refused) for call in calls} == {(frozenset({"chatgpt.com"}), 0)}


def test_the_account_that_pays_is_the_one_that_is_signed_in(every_model: EveryModel) -> None:
    _, calls = every_model
    paying = {(call.request.request.headers["chatgpt-account-id"], call.request.request.bearer) for call in calls}
    ((account, token),) = paying
    assert account == "acc_wallet"
    assert token is not None


def test_codex_is_told_our_own_name(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.request.request.headers["originator"] for call in calls} == {"codex_oauth"}


# --- what others left on the machine ----------------------------------------------------------------------------------

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


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
def test_nothing_planted_on_the_machine_changes_a_byte_of_the_request(
    planted: Planted, user_environ: dict[str, str], chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
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
        async with AsyncExitStack() as stack:
            if shared:
                await stack.enter_async_context(codex)
            with pytest.raises(ForeignInstructionsError) as caught:
                await codex.complete(PROMPT)
    finally:
        foreign.unlink()
    assert caught.value.sources == (str(foreign),)
    assert chatgpt.model_requests == ()
    assert [prewarm for prewarm in chatgpt.prewarms if "Planted" in json.dumps(prewarm.body)] == []


# --- what is left on the machine afterwards ---------------------------------------------------------------------------


def holders(folder: Path, *secrets: str) -> dict[str, Counter[str]]:
    """The files below a folder that hold any of these texts."""
    found: dict[str, Counter[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in secrets:
                if secret.encode() in content:
                    found.setdefault(secret, Counter())[path.name] += 1
    return found


def tokens_of(home: Path) -> tuple[str, ...]:
    tokens = json.loads((home / "auth.json").read_bytes())["tokens"]
    return tokens["access_token"], tokens["id_token"]


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_no_file_holds_what_was_said(
    settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, websocket: bool
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = replace(settings, inherited={**settings.inherited, "TMPDIR": str(temporary), "HOME": str(tmp_path / "home")})
    codex = AsyncCodex(settings=own)
    chatgpt.websocket = websocket
    chatgpt.script(Text(REPLY), Failed("cyber_policy", "No."), Text(REPLY))
    ask = partial(codex.complete, PROMPT, instructions=INSTRUCTIONS)
    await ask()
    with pytest.raises(CodexOAuthError):
        await ask()
    async with codex:
        await ask()
        chatgpt.script(Hang(REPLY))
        async with codex.stream(PROMPT, instructions=INSTRUCTIONS) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
    said = (INSTRUCTIONS, PROMPT, REPLY)
    assert holders(settings.state_dir, *said) == {}
    assert holders(tmp_path, *said) == {}
    assert settings.metrics is not None
    assert settings.metrics.read_bytes().count(b"\n") == 4


@pytest.mark.anyio
async def test_tokens_are_in_auth_json_alone(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    codex = AsyncCodex(settings=settings)
    secrets = set(tokens_of(settings.home))
    await codex.complete(PROMPT)
    chatgpt.revoke_access_tokens()
    chatgpt.websocket = False
    await codex.complete(PROMPT)
    secrets |= set(tokens_of(settings.home))
    assert len(secrets) == 4  # the second call had to refresh
    found = holders(settings.state_dir, *secrets, "person@example.com")
    assert {name for names in found.values() for name in names} == {"auth.json"}
    assert holders(tmp_path, *secrets, "person@example.com") == {}


def command_and_variables(pid: int) -> tuple[bytes, bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.anyio
async def test_no_process_shows_content_or_a_wrong_wallet(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    planted = {"OPENAI_API_KEY": "sk-planted", "CODEX_API_KEY": "sk-planted", "CODEX_ACCESS_TOKEN": "planted"}
    codex = AsyncCodex(settings=load_settings(environ={**environ, **planted}))
    chatgpt.script(Hang(REPLY))
    async with codex.stream(PROMPT, instructions=INSTRUCTIONS, output=SCHEMA):
        await anyio.to_thread.run_sync(chatgpt.wait_for_model_requests, 1)
        shown = [command_and_variables(pid) for pid in processes_of()]
    assert any(command.endswith(b"app-server\0") for command, _ in shown)
    for command, variables in shown:
        for secret in (INSTRUCTIONS, PROMPT, REPLY, "potoroo", *tokens_of(settings.home)):
            assert secret.encode() not in command
            assert secret.encode() not in variables
        assert b"planted" not in variables


def test_the_command_line_leaves_no_trace_either(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Text(REPLY))
    done = run_cli("complete", "--instructions", INSTRUCTIONS, stdin=PROMPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{REPLY}\n".encode(), b"")
    assert holders(settings.state_dir, INSTRUCTIONS, PROMPT, REPLY) == {}
    assert holders(tmp_path, INSTRUCTIONS, PROMPT, REPLY) == {}
