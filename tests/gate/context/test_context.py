"""All that is gathered for a verdict: what the policy wants of it, from which places, and at what cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.config import HostHomes
from codex_oauth.gate.context import Context, GitContext, HostPermissions, Transcript
from codex_oauth.gate.context.gathering import gather
from codex_oauth.gate.context.git import git_context
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.request import Host, PermissionRequest


def gathered(
    request: PermissionRequest, policy: Policy, homes: HostHomes | None = None, project: str | None = None
) -> Context:
    """What is gathered where the request comes from."""
    return gather(request, policy, git=git_context(request.cwd), homes=homes, project=project)


def person(words: str) -> bytes:
    """A line of Claude Code's with words of the person's."""
    return json.dumps({"type": "user", "message": {"role": "user", "content": words}}).encode() + b"\n"


@pytest.fixture
def homes(tmp_path: Path) -> HostHomes:
    """The homes of both hosts; Claude Code's has a rule."""
    homes = HostHomes(claude=tmp_path / "claude", codex=tmp_path / "codex")
    homes.claude.mkdir()
    (homes.claude / "settings.json").write_text('{"permissions": {"allow": ["Read"]}}')
    return homes


@pytest.fixture
def request_in(tmp_path: Path, homes: HostHomes) -> PermissionRequest:
    """A request of Claude Code's in a folder of a repository."""
    repo = tmp_path / "repo"
    (repo / "sub").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "trunk", repo], check=True, timeout=30)
    (repo / ".claude").mkdir()
    (repo / ".claude" / "settings.json").write_text('{"permissions": {"deny": ["Bash(rm:*)"]}}')
    (repo / "sub" / "link").symlink_to("/outside/secret")
    session = tmp_path / "session.jsonl"
    session.write_bytes(person("Show me the link."))
    return PermissionRequest(
        tool="Bash",
        tool_input={"command": "cat link"},
        host="claude",
        cwd=str(repo / "sub"),
        transcript_path=str(session),
    )


def test_everything_is_gathered(request_in: PermissionRequest, homes: HostHomes, tmp_path: Path) -> None:
    assert gathered(request_in, BUILTIN_POLICY, homes=homes) == Context(
        git=GitContext(root=str(tmp_path / "repo"), branch="trunk", main_worktree=None),
        paths=("link -> /outside/secret",),
        permissions=HostPermissions(allow=("Read",), deny=("Bash(rm:*)",)),
        transcript=Transcript(user=("Show me the link.",)),
    )


def test_a_policy_can_do_without_the_conversation_and_the_hosts_rules(
    request_in: PermissionRequest, homes: HostHomes
) -> None:
    whole = gathered(request_in, BUILTIN_POLICY, homes=homes)
    silent = gathered(request_in, replace(BUILTIN_POLICY, transcript=False), homes=homes)
    assert silent == replace(whole, transcript=None)
    own = gathered(request_in, replace(BUILTIN_POLICY, host_permissions=False), homes=homes)
    assert own == replace(whole, permissions=None)


def test_the_homes_are_those_of_the_environment_unless_they_are_given(
    request_in: PermissionRequest, homes: HostHomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(homes.claude))
    assert gathered(request_in, BUILTIN_POLICY) == gathered(request_in, BUILTIN_POLICY, homes=homes)


def test_the_projects_rules_are_those_of_the_folder_where_the_host_was_started(
    request_in: PermissionRequest, homes: HostHomes, tmp_path: Path
) -> None:
    started = tmp_path / "repo" / "sub"
    (started / ".claude").mkdir()
    (started / ".claude" / "settings.json").write_text('{"permissions": {"deny": ["Write"]}}')
    found = gathered(request_in, BUILTIN_POLICY, homes=homes, project=str(started)).permissions
    assert found == HostPermissions(allow=("Read",), deny=("Write",))
    # What another session was started with says nothing about this request.
    found = gathered(request_in, BUILTIN_POLICY, homes=homes, project=str(tmp_path / "repo" / "su")).permissions
    assert found == HostPermissions(allow=("Read",), deny=("Bash(rm:*)",))


def test_a_command_by_hand_has_a_repository_and_paths(request_in: PermissionRequest, homes: HostHomes) -> None:
    by_hand = PermissionRequest.from_command("cat link", cwd=request_in.cwd)
    whole = gathered(request_in, BUILTIN_POLICY, homes=homes)
    assert gathered(by_hand, BUILTIN_POLICY, homes=homes) == Context(git=whole.git, paths=whole.paths)


def test_codex_has_no_rules_and_says_no_folder(request_in: PermissionRequest, homes: HostHomes) -> None:
    context = gathered(replace(request_in, host="codex"), BUILTIN_POLICY, homes=homes)
    assert (context.paths, context.permissions) == (("link (relative to an unknown folder)",), None)


def test_nothing_is_known_of_a_request_without_places() -> None:
    request = PermissionRequest(tool="Bash", tool_input={"command": "ls"}, host="codex")
    assert gathered(request, BUILTIN_POLICY) == Context()


TEXT = st.text(max_size=40) | st.sampled_from(
    [
        "cat link",
        "cd /; rm -rf ~",
        "*** Add File: ../x",
        "/etc/hosts",
        "file:///x",
        "..",
        ".",
        "\0",
        "\ud800",
        "$(",
        "<<x",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    tool=st.sampled_from(["Bash", "Read", "Glob", "apply_patch", "mcp__a__b"]) | TEXT,
    tool_input=st.dictionaries(st.sampled_from(["command", "file_path", "path", "pattern", "input"]) | TEXT, JSON),
    host=st.sampled_from(["claude", "codex", None]),
    cwd=st.none() | TEXT | st.just(str(Path(__file__).parent)),
    transcript=st.none() | TEXT | st.just(__file__),
)
def test_gathering_fails_for_no_request(
    tool: str, tool_input: dict[str, Any], host: Host | None, cwd: str | None, transcript: str | None
) -> None:
    request = PermissionRequest(tool=tool, tool_input=tool_input, host=host, cwd=cwd, transcript_path=transcript)
    context = gathered(request, BUILTIN_POLICY, homes=HostHomes(claude=Path(__file__), codex=Path(__file__)))
    # All of it can be sent as it is, or a request that was seen whole would not look so.
    for text in context.paths:
        assert text.encode().decode() == text
        assert "\N{REPLACEMENT CHARACTER}" not in text


def test_gathering_starts_no_program_and_writes_nothing(
    request_in: PermissionRequest, homes: HostHomes, tmp_path: Path
) -> None:
    program = """if True:
        import sys
        seen = []
        def watch(event, arguments):
            if event.startswith(("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "socket.")):
                seen.append(event)
            if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
                seen.append(str(arguments[0]))
        from pathlib import Path
        from codex_oauth.config import HostHomes
        from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
        from codex_oauth.gate.context.gathering import gather
        from codex_oauth.gate.context.git import git_context
        from codex_oauth.gate.request import PermissionRequest
        sys.dont_write_bytecode = True
        cwd, session, home = sys.argv[1:]
        request = PermissionRequest(
            tool="Bash", tool_input={"command": "cat link"}, host="claude", cwd=cwd, transcript_path=session
        )
        sys.addaudithook(watch)
        homes = HostHomes(claude=Path(home), codex=Path(home))
        context = gather(request, BUILTIN_POLICY, git=git_context(cwd), homes=homes)
        assert context.git and context.paths and context.permissions and context.transcript
        print(seen)
    """
    arguments = [str(request_in.cwd), str(request_in.transcript_path), str(homes.claude)]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_long_session_costs_no_more_than_a_short_one(
    request_in: PermissionRequest, homes: HostHomes, tmp_path: Path
) -> None:
    session = tmp_path / "session.jsonl"
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "line\n" * 2_000}
    line = json.dumps({"type": "user", "message": {"role": "user", "content": [block]}}).encode() + b"\n"
    with session.open("wb") as file:
        for _ in range(2_000):
            file.write(line)
        file.write(person("Show me the link."))
    assert session.stat().st_size > 20_000_000
    begun = time.perf_counter()
    context = gathered(request_in, BUILTIN_POLICY, homes=homes)
    # It takes some milliseconds; the whole file would take a hundred times as long.
    assert time.perf_counter() - begun < 1
    assert context.transcript == Transcript(user=("Show me the link.",))
