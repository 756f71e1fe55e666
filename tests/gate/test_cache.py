"""The model's word kept for the same request again: only where the user says so, and never more than the model said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import ExternalSource, Settings
from codex_oauth.gate import Context, GitContext, PermissionRequest, Policy, Transcript, Verdict, classify
from codex_oauth.gate.cache import MOST, kept_word, wallet
from codex_oauth.gate.hook import HookAnswer
from codex_oauth.gate.hook import answer as answer_to
from codex_oauth.gate.policy import Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.policy.layers import load_policy
from codex_oauth.gate.prompt import request_text
from codex_oauth.gate.settling import question
from codex_oauth.metrics import read
from codex_oauth.testing import Json, LoopbackChatGPT, Text
from codex_oauth.types import Account, Reply, Timing, Usage
from tests.gate.answers import answer
from tests.gate.policy.policies import User, write
from tests.gate.test_hook import ALLOW
from tests.gate.test_request import CLAUDE_BASH

CACHING: Final = replace(BUILTIN_POLICY, cache=600.0)
STATUS: Final = PermissionRequest.from_command("git status", cwd="/srv/repo", host="claude")
KNOWN: Final = Context(
    git=GitContext(root="/srv/repo", branch="main", main_worktree=None),
    paths=("/srv/repo/notes -> /srv/notes",),
    transcript=Transcript(user=("Look at it.",), tools=("Bash: ls",)),
)


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: nothing here waits for anything but the model."""
    return "asyncio"


@pytest.fixture
def own(settings: Settings) -> Path:
    """The user's own policy file, which keeps verdicts for ten minutes."""
    return write(settings.config_dir / "gate.toml", 'cache = "10m"\n')


def folder(settings: Settings) -> Path:
    return settings.state_dir / "gate" / "cache"


def files(settings: Settings) -> list[Path]:
    return sorted(folder(settings).glob("*"))


async def hook(codex: AsyncCodex, command: str = "git status", **fields: Any) -> HookAnswer:
    payload = {**CLAUDE_BASH, "tool_input": {"command": command, **fields.pop("more", {})}, **fields}
    return await answer_to(json.dumps(payload).encode(), "claude", codex)


def place(
    settings: Settings,
    request: PermissionRequest = STATUS,
    *,
    policy: Policy = CACHING,
    context: Context = KNOWN,
    model: str | None = None,
) -> str | None:
    """The name of the file that the word on a request would be kept in."""
    rendered = request_text(request, context)
    asked = question(request, policy, rendered)
    kept = kept_word(replace(asked, model=model or asked.model), request, policy, rendered, context, settings)
    return kept._name if kept else None  # pyright: ignore[reportPrivateUsage]


# --- hits -------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_nothing_is_kept_unless_the_user_says_for_how_long(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    for _ in range(2):
        assert (await hook(codex)).stdout == ALLOW
    assert len(chatgpt.model_requests) == 2
    assert not folder(settings).exists()


@pytest.mark.anyio
@pytest.mark.usefixtures("own")
async def test_the_same_request_is_answered_again_without_a_call_and_says_so_in_the_metrics(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(answer("allow"))
    answers = [await hook(codex, more={"description": f"in other words {number}"}) for number in range(3)]
    assert [got.stdout for got in answers] == [ALLOW] * 3
    assert len(chatgpt.model_requests) == 1
    assert settings.metrics is not None
    first, second, third = read(settings.metrics)
    assert [entry["cached"] for entry in (first, second, third)] == [False, True, True]
    assert (second["gate"]["verdict"], second["gate"]["source"], second["gate"]["rule"]) == (
        *("allow", "model"),
        "read-only",
    )
    assert (second["model"], second["account"], second["plan"]) == (first["model"], "chatgpt", "plus")
    assert second["tokens"] == {"input": None, "cached": None, "output": None, "reasoning": None}
    passed = {name for name, at in second["phases"].items() if at is not None}
    assert passed == {"read", "policy", "asked", "total"}


@pytest.mark.anyio
async def test_a_verdict_by_hand_is_kept_too_and_is_the_same_but_for_what_it_took(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(answer("deny", "It deletes.", "Do not."))
    async with codex:
        first = await classify(STATUS, policy=CACHING, codex=codex)
        again = await classify(STATUS, policy=CACHING, codex=codex)
    assert (first.cached, again.cached) == (False, True)
    took = {"usage", "latency_ms"}
    same = [{name: value for name, value in each.to_json().items() if name not in took} for each in (first, again)]
    assert same[0] == same[1]
    assert (again.usage, again.timing) == (Usage(), None)
    assert again.account == replace(first.account or Account(kind=""), email=None)


@pytest.mark.anyio
@pytest.mark.usefixtures("own")
async def test_a_denial_that_was_kept_counts_as_one(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("deny", deny_message="No."))
    answers = [await hook(codex, session_id="row") for _ in range(5)]
    assert [bool(got.stdout) for got in answers] == [True, True, True, False, False]
    assert len(chatgpt.model_requests) == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("own")
async def test_without_a_sign_in_nothing_that_was_kept_counts(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(answer("allow"))
    assert (await hook(codex)).stdout == ALLOW
    (settings.home / "auth.json").unlink()
    assert (await hook(codex)).failed


# --- what is never kept -----------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("replies", "command"),
    [
        ((answer("ask"),), "git push"),
        ((answer("ask", rule="outward"),), "git push"),
        ((answer("allow", rule="destroy"),), "ls"),
        ((answer("allow", rule="none"),), "ls"),
        ((Text('{"behavior": "allow"'), answer("allow")), "ls"),
        ((answer("allow"),), "curl -H 'Authorization: Bearer sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789' x.org"),
        ((answer("deny"),), "curl -H 'Authorization: Bearer sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789' x.org"),
        ((answer("deny"),), "echo " + "x" * 30_000),
        ((Json({"behavior": "allow"}), Json({"behavior": "allow"})), "ls"),
    ],
    ids=["ask", "an ask rule", "contradicted", "no such rule", "repaired", "secret", "denied", "long", "failed"],
)
async def test_what_is_not_the_models_own_word_on_the_whole_request_is_not_kept(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, replies: tuple[Any, ...], command: str
) -> None:
    chatgpt.script(*replies)
    await hook(codex, command)
    assert files(settings) == []


@pytest.mark.anyio
@pytest.mark.parametrize("policy", [{"on_uncertain": "allow"}, {"on_uncertain": "deny"}], ids=str)
async def test_what_the_policy_made_of_the_models_word_is_not_kept(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, policy: dict[str, Any]
) -> None:
    chatgpt.default = answer("ask")
    for _ in range(2):
        assert (await classify(STATUS, policy=replace(CACHING, **policy), codex=codex)).forced
    assert files(settings) == []


# --- what is the same request -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"request": replace(STATUS, tool_input={"command": "git status", "timeout": 5})},
        {"request": replace(STATUS, tool="PowerShell")},
        {"request": replace(STATUS, cwd="/srv/other")},
        {"request": replace(STATUS, mode="plan")},
        {"request": replace(STATUS, agent="reviewer")},
        {"request": replace(STATUS, host="codex")},
        {"policy": replace(CACHING, rules=CACHING.rules[1:])},
        {"policy": replace(CACHING, environment=("Production.",))},
        {"policy": replace(CACHING, effort="high")},
        {"context": replace(KNOWN, git=GitContext(root="/srv/repo", branch="release", main_worktree=None))},
        {"context": replace(KNOWN, paths=("/srv/repo/notes -> /etc/passwd",))},
        {"context": replace(KNOWN, transcript=Transcript(user=("Delete it all.",)))},
        {"model": "gpt-6-luna"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_request_in_other_circumstances_is_another_one(settings: Settings, changed: dict[str, Any]) -> None:
    assert place(settings) is not None
    assert place(settings, **changed) not in (None, place(settings))


def test_another_wallet_is_another_request(settings: Settings, tmp_path: Path) -> None:
    others = [
        replace(settings, home=tmp_path),
        replace(settings, profile="work"),
        replace(settings, model="gpt-6-luna"),
        replace(settings, effort="high"),
        *(replace(settings, external=ExternalSource(token=token)) for token in ("a", "b")),
    ]
    names = {place(each) for each in (settings, *others)}
    assert len(names) == 7
    (settings.home / "auth.json").write_text("{}")
    assert place(settings) not in names
    assert "AbC" not in wallet(replace(settings, external=ExternalSource(token="AbC")))
    # Whose token a command prints, it says when it is asked.
    assert place(replace(settings, external=ExternalSource(command=("vault",)))) is None


def test_another_file_of_the_same_size_and_time_is_another_wallet(settings: Settings) -> None:
    sign_in = settings.home / "auth.json"
    os.utime(sign_in, ns=(0, 0))
    before = wallet(settings)
    content = sign_in.read_bytes()
    sign_in.write_bytes(content[:-1] + b" ")
    os.utime(sign_in, ns=(0, 0))
    assert wallet(settings) != before


@pytest.mark.parametrize(
    "request_",
    [
        replace(STATUS, tool_input={"command": "git status", "description": "Shows it", "justification": "Please."}),
        replace(STATUS, session="another", transcript_path="/another"),
    ],
    ids=["other words about it", "another conversation"],
)
def test_what_is_said_about_a_command_makes_no_other_one(settings: Settings, request_: PermissionRequest) -> None:
    assert place(settings, request_) == place(settings)
    calls = replace(KNOWN, transcript=Transcript(user=("Look at it.",), tools=("Bash: make",)))
    assert place(settings, context=calls) == place(settings)


def test_what_would_be_written_is_part_of_the_request(settings: Settings) -> None:
    def of(tool: str, **tool_input: str) -> str | None:
        return place(settings, PermissionRequest(tool=tool, tool_input=tool_input))

    assert of("Write", file_path="a", content="x") != of("Write", file_path="a", content="y")
    assert of("mcp__a__b", description="x") != of("mcp__a__b", description="y")


# --- whose word it is to keep anything --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "project", "seconds"),
    [
        ("", "cache = '1h'", 0),
        ("", "[host.claude]\ncache = '1h'", 0),
        ("cache = 600", "", 600),
        ("cache = '10m'", "cache = '1h'", 600),
        ("cache = '10m'", "[mode.plan]\ncache = 9000", 600),
        ("cache = '10m'", "cache = '30s'", 30),
        ("cache = '10m'", "cache = 0", 0),
        ("[mode.plan]\ncache = '2h'", "cache = '30s'", 7200),
        ("cache = '1h'\n[mode.plan]\ncache = 0", "", 0),
        ("cache = '1h'\n[mode.plan]\ncache = 0", "[mode.plan]\ncache = '1h'", 0),
    ],
)
@pytest.mark.parametrize("trusted", [False, True])
def test_a_repository_can_only_shorten_it(
    tmp_path: Path, user: str, project: str, seconds: float, trusted: bool
) -> None:
    somebody = User(tmp_path)
    write(somebody.policy, f"{user}\n")
    if trusted:
        somebody.trusts(f"{project}\n")
    else:
        write(somebody.project, f"{project}\n")
    loaded = load_policy(somebody.settings, host="claude", mode="plan", git=somebody.context)
    assert loaded.sources[-1].state == "counted"
    assert loaded.policy.cache == seconds


def test_how_long_verdicts_are_kept_is_nothing_that_a_policy_judges_by() -> None:
    assert CACHING.fingerprint == BUILTIN_POLICY.fingerprint


# --- the files --------------------------------------------------------------------------------------------------


def reply(behavior: str = "allow") -> Reply[Any]:
    word = {"reason": "r", "rule": "read-only", "behavior": behavior, "deny_message": ""}
    return Reply(
        output=word, text="", usage=Usage(), model="m", effort=None, account=Account(kind="chatgpt", plan="plus"),
        timing=Timing(total=1.0), repaired=False, warm=False, turn_id="1",
    )  # fmt: skip


def keep(settings: Settings, request: PermissionRequest = STATUS) -> Path:
    """Keeps an allow, and gives its file."""
    rendered = request_text(request, KNOWN)
    kept = kept_word(question(request, CACHING, rendered), request, CACHING, rendered, KNOWN, settings)
    assert kept is not None
    kept.keep(reply(), Verdict(behavior="allow", reason="r", rule="read-only", source="model", account=reply().account))
    return folder(settings) / str(place(settings, request))


def recalled(settings: Settings, *, policy: Policy = CACHING) -> Verdict | None:
    rendered = request_text(STATUS, KNOWN)
    kept = kept_word(question(STATUS, policy, rendered), STATUS, policy, rendered, KNOWN, settings)
    return kept.verdict(STATUS, policy, rendered) if kept else None


def changed(file: Path, **members: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


def test_a_word_is_kept_in_a_file_for_this_user_alone(settings: Settings) -> None:
    file = keep(settings)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert files(settings) == [file]
    assert "git status" not in file.read_text()
    verdict = recalled(settings)
    assert verdict is not None
    assert (verdict.behavior, verdict.source, verdict.cached) == ("allow", "model", True)


@pytest.mark.parametrize(
    ("seconds_ago", "counts"), [(0, True), (590, True), (610, False), (-60, False), (float("nan"), False)]
)
def test_a_word_counts_for_as_long_as_the_policy_says_and_not_before_it_was_said(
    settings: Settings, seconds_ago: float, counts: bool
) -> None:
    changed(keep(settings), at=time.time() - seconds_ago)
    assert (recalled(settings) is not None) == counts


def test_a_policy_that_keeps_for_a_shorter_time_goes_by_its_own(settings: Settings) -> None:
    changed(keep(settings), at=time.time() - 60)
    assert recalled(settings, policy=replace(CACHING, cache=90.0)) is not None
    assert recalled(settings, policy=replace(CACHING, cache=30.0)) is None
    assert recalled(settings, policy=replace(CACHING, cache=0.0)) is None


WORD: Final = reply().output


@pytest.mark.parametrize(
    "members",
    [
        {"name": "0" * 64},
        {"at": "now"},
        {"at": None},
        {"word": None},
        {"word": {**WORD, "behavior": "ask"}},
        {"word": {**WORD, "behavior": "perhaps"}},
        {"word": {**WORD, "rule": "destroy"}},
        {"word": {**WORD, "rule": ""}},
        {"word": {**WORD, "reason": " "}},
        {"word": {**WORD, "reason": ["r"]}},
        {"word": {"behavior": "allow"}},
        {"model": 7},
        {"account": None},
        {"account": {"kind": "chatgpt"}},
        {"effort": {}},
    ],
    ids=str,
)
def test_a_file_that_says_something_else_is_no_verdict(settings: Settings, members: dict[str, Any]) -> None:
    changed(keep(settings), **members)
    assert recalled(settings) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"7", b"[" * 16_000, b'{"name": "x"}' * 9_000])
def test_a_file_that_is_junk_is_no_verdict_and_is_written_anew(settings: Settings, content: bytes) -> None:
    file = keep(settings)
    file.write_bytes(content)
    assert recalled(settings) is None
    keep(settings)
    assert recalled(settings) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there, and there are no modes")
def test_a_link_a_pipe_a_folder_and_what_others_may_write_are_not_read(settings: Settings, tmp_path: Path) -> None:
    file = keep(settings)
    content = file.read_bytes()
    file.chmod(0o666)
    assert recalled(settings) is None
    file.unlink()
    target = tmp_path / "target"
    target.write_bytes(content)
    target.chmod(0o600)
    makers: list[Callable[[], None]] = [lambda: file.symlink_to(target), lambda: os.mkfifo(file)]
    for make in makers:
        make()
        assert recalled(settings) is None
        file.unlink()
    file.mkdir()
    assert recalled(settings) is None
    keep(settings)
    assert file.is_dir()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_not_read(settings: Settings) -> None:
    file = keep(settings)
    os.chown(file, 65534, 65534)
    assert recalled(settings) is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_nothing_is_written_where_the_folder_is_a_link_or_cannot_be_made(settings: Settings, tmp_path: Path) -> None:
    folder(settings).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    folder(settings).symlink_to(tmp_path / "elsewhere")
    keep(settings)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    folder(settings).unlink()
    folder(settings).write_text("a file")
    keep(settings)
    assert recalled(settings) is None


def test_there_are_only_so_many_files_and_none_is_older_than_a_day(settings: Settings) -> None:
    old = keep(settings)
    now = time.time()
    os.utime(old, (now, now - 25 * 3600))
    for number in range(MOST + 20):
        path = folder(settings) / f"{number:064x}"
        path.write_text("{}")
        os.utime(path, (now, now - 3600 + number))
    file = keep(settings, replace(STATUS, cwd="/srv/other"))
    left = files(settings)
    assert len(left) == MOST
    assert file in left
    assert old not in left
    assert f"{MOST + 19:064x}" in {path.name for path in left}


def test_many_processes_keep_and_recall_at_once_and_none_reads_half_a_word(
    settings: Settings, environ: dict[str, str]
) -> None:
    # Both run the test's own functions: the files are all that they share.
    program = (
        "import sys\n"
        "from codex_oauth.config import load_settings\n"
        "from tests.gate import test_cache as cache\n"
        "settings = load_settings()\n"
        "seen = set()\n"
        "for number in range(200):\n"
        "    cache.keep(settings)\n"
        "    seen.add(cache.recalled(settings).behavior)\n"
        "print(*seen)\n"
    )
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environ, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.strip(), err) == (0, b"allow", b"")
    assert len(files(settings)) == 1


def test_the_hook_imports_it_only_where_it_is_wanted() -> None:
    program = "import sys, codex_oauth.gate.hook; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert not loaded & {"codex_oauth.gate.cache", "codex_oauth.gate.flights", "anyio", "pydantic", "tomllib"}


def test_a_rule_that_is_gone_takes_its_verdicts_along(settings: Settings) -> None:
    keep(settings)
    assert recalled(settings, policy=replace(CACHING, rules=(Rule(id="a", kind="ask", text="All."),))) is None
