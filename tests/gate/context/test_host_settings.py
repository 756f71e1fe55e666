"""The host's own permission rules: merged, bounded, and left out where they cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_oauth.config import HostHomes
from codex_oauth.gate.context import HostPermissions
from codex_oauth.gate.context.host_settings import host_permissions
from codex_oauth.gate.request import Host, PermissionRequest


@pytest.fixture
def homes(tmp_path: Path) -> HostHomes:
    """Both hosts' homes, empty."""
    for name in ("claude", "codex", "repo/.claude"):
        (tmp_path / name).mkdir(parents=True)
    return HostHomes(claude=tmp_path / "claude", codex=tmp_path / "codex")


@pytest.fixture
def root(tmp_path: Path, homes: HostHomes) -> Path:
    """A project's root."""
    return tmp_path / "repo"


def rules(homes: HostHomes, root: Path | str | None, host: Host | None = "claude") -> HostPermissions | None:
    """What is found."""
    request = PermissionRequest(tool="Bash", tool_input={}, host=host)
    return host_permissions(request, homes, None if root is None else str(root))


def put(path: Path, **permissions: object) -> None:
    """Writes a settings file."""
    path.write_text(json.dumps({"model": "x", "permissions": {"defaultMode": "plan", **permissions}, "hooks": {}}))


def test_the_users_the_projects_and_the_projects_own_local_rules_are_merged(homes: HostHomes, root: Path) -> None:
    put(homes.claude / "settings.json", allow=["Bash(git status)", "Read"], deny=["Read(~/.ssh/**)"])
    put(root / ".claude" / "settings.json", allow=["Read", "Bash(npm test:*)"], ask=["Bash(git push:*)"])
    put(root / ".claude" / "settings.local.json", allow=["WebFetch(domain:example.com)"], deny=["Bash(rm:*)"])
    assert rules(homes, root) == HostPermissions(
        allow=("Bash(git status)", "Read", "Bash(npm test:*)", "WebFetch(domain:example.com)"),
        ask=("Bash(git push:*)",),
        deny=("Read(~/.ssh/**)", "Bash(rm:*)"),
    )


def test_one_file_is_enough(homes: HostHomes, root: Path) -> None:
    put(root / ".claude" / "settings.local.json", deny=["Bash(rm:*)"])
    assert rules(homes, root) == HostPermissions(deny=("Bash(rm:*)",))
    assert rules(homes, None) is None
    assert rules(homes, "relative") is None


def test_a_project_that_is_the_home_itself_is_read_once(homes: HostHomes, tmp_path: Path) -> None:
    own = HostHomes(claude=tmp_path / "repo" / ".claude", codex=homes.codex)
    put(own.claude / "settings.json", allow=["Read"])
    assert rules(own, tmp_path / "repo") == HostPermissions(allow=("Read",))


@pytest.mark.parametrize("host", ["codex", None])
def test_other_hosts_have_none_of_the_kind(homes: HostHomes, root: Path, host: Host | None) -> None:
    put(homes.claude / "settings.json", allow=["Read"])
    (homes.codex / "rules").mkdir()
    (homes.codex / "rules" / "default.rules").write_text('prefix_rule(pattern=["git"], decision="allow")\n')
    assert rules(homes, root, host) is None


def test_at_most_fifty_rules_of_two_hundred_characters(homes: HostHomes, root: Path) -> None:
    put(homes.claude / "settings.json", allow=[f"Bash(run {n} {'very ' * 100})" for n in range(40)], deny=["Read"])
    put(root / ".claude" / "settings.json", allow=[f"Bash(make {n})\n" for n in range(40)])
    found = rules(homes, root)
    assert found is not None
    assert len(found.allow) == 50
    assert all(len(rule) <= 200 and "\n" not in rule for rule in found.allow)
    assert found.allow[0].startswith("Bash(run 0 very")
    assert found.allow[49] == "Bash(make 9)"
    assert found.deny == ("Read",)


GARBAGE = {
    "nothing": b"",
    "no json": b"{oops",
    "no text": b"\xff\xfe\0\0",
    "null": b"null",
    "a list": b'["permissions"]',
    "a text": b'"permissions"',
    "no permissions": b"{}",
    "permissions of another form": b'{"permissions": ["Read"]}',
    "lists of another form": b'{"permissions": {"allow": "Read", "ask": {"Read": 1}, "deny": null}}',
    "rules of another form": b'{"permissions": {"allow": [1, null, ["Read"], {"Read": 1}, "", " \\n"]}}',
    "depth": b"[" * 200_000,
    "numbers": b'{"permissions": {"allow": [' + b"9" * 5000 + b"]}}",
    "size": b'{"permissions": {"allow": ["Read"]}, "x": "' + b"x" * 600_000 + b'"}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_cannot_be_understood_is_left_out(homes: HostHomes, root: Path, name: str) -> None:
    (homes.claude / "settings.json").write_bytes(GARBAGE[name])
    assert rules(homes, root) is None
    put(root / ".claude" / "settings.json", ask=["Read"])
    assert rules(homes, root) == HostPermissions(ask=("Read",))


def test_a_byte_order_mark_does_no_harm(homes: HostHomes, root: Path) -> None:
    (homes.claude / "settings.json").write_bytes(b'\xef\xbb\xbf{"permissions": {"allow": ["Read"]}}')
    assert rules(homes, root) == HostPermissions(allow=("Read",))


def test_what_is_no_text_becomes_text(homes: HostHomes, root: Path) -> None:
    (homes.claude / "settings.json").write_bytes(b'{"permissions": {"allow": ["a\xffb", "c\\ud800d"]}}')
    assert rules(homes, root) == HostPermissions(allow=("a?b", "c\\ud800d"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "process", "zero"])
def test_what_is_no_file_is_not_waited_for(homes: HostHomes, root: Path, kind: str) -> None:
    path = homes.claude / "settings.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"loop": "settings.json", "process": "/proc/self/environ", "zero": "/dev/zero"}[kind])
    assert rules(homes, root) is None


@pytest.mark.parametrize("place", ["/missing", "/\0", "/\ud800", "/net/example", "/dev/null", "/" + "x" * 5000])
def test_a_root_that_is_none_is_no_error(homes: HostHomes, place: str) -> None:
    assert rules(homes, place) is None
    assert rules(HostHomes(claude=Path(place), codex=Path(place)), None) is None
