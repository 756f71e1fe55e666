"""The hook within Codex's settings, and what keeps it from being asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts import (
    HookListing,
    ListedHook,
    Report,
    Wanted,
    codex_config,
    codex_hooks_file,
    hand_written,
    look_at_codex,
    moves,
    read_settings,
    with_hook,
    without_hook,
)

HOOK = Wanted(host="codex", command="/bin/codex-oauth hook codex", timeout=60)
OWN = {**HOOK.entry}
OTHER = {"type": "command", "command": "/bin/other", "timeout": 5}

BY_HAND = """
[[hooks.PermissionRequest]]
[[hooks.PermissionRequest.hooks]]
type = "command"
command = "codex-oauth hook codex"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A hook whose program exists."""
    program = tmp_path / "codex-oauth"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    return f"{program} hook codex"


def put(home: Path, *commands: str, **others: Any) -> None:
    """Write `hooks.json` with a group for each of these."""
    groups = [
        {"matcher": "", "hooks": [{"type": "command", "command": command, "timeout": 60}]} for command in commands
    ]
    value = {"hooks": {"PermissionRequest": groups}, **others}
    (home / "hooks.json").write_text(json.dumps(value), encoding="utf-8")


def listed(
    home: Path, command: str, place: int = 0, *, trust: str = "trusted", enabled: bool = True, file: str = "hooks.json"
) -> ListedHook:
    """A hook as Codex sees it."""
    return ListedHook(
        key=f"{home / file}:permission_request:{place}:0",
        event="permissionRequest",
        command=command,
        matcher="",
        source="user",
        path=str(home / file),
        enabled=enabled,
        trust=trust,
        fingerprint=f"sha256:{command}",
    )


def seen(*hooks: ListedHook, complaints: tuple[str, ...] = ()) -> Callable[[], HookListing]:
    """What Codex answers."""
    return lambda: HookListing(hooks, complaints)


def unasked() -> HookListing:
    """An answer that nobody has asked for."""
    raise AssertionError("Codex was started")


# --- the settings ----------------------------------------------------------------------------------------------------


def test_the_hook_has_a_word_for_the_screen_and_is_the_last(home: Path) -> None:
    put(home, "/bin/other", description="mine")
    change = with_hook(read_settings(codex_hooks_file(home)), HOOK)
    groups = json.loads(change.text)["hooks"]["PermissionRequest"]
    assert groups[-1] == {"matcher": "", "hooks": [OWN]}
    assert OWN["statusMessage"] == "codex-oauth: judging the request"
    assert len(groups) == 2


def test_a_key_for_which_codex_passes_over_the_file_is_refused_with_its_line(home: Path) -> None:
    codex_hooks_file(home).write_text('{\n  "hooks": {},\n  "version": 1\n}', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        with_hook(read_settings(codex_hooks_file(home)), HOOK)
    assert caught.value.message == (
        f"{home}/hooks.json:3: Codex passes over the whole file because of the key 'version'; take that out. "
        "Nothing was changed"
    )


def test_taken_out_it_is_gone_whatever_else_is_at_the_top(home: Path) -> None:
    put(home, HOOK.command, version=1)
    assert json.loads(without_hook(read_settings(codex_hooks_file(home)), "codex").text) == {"version": 1}


def test_a_hook_that_was_put_into_the_configuration_by_hand_is_found(home: Path) -> None:
    (home / "config.toml").write_text(f'model = "x"\n{BY_HAND}', encoding="utf-8")
    assert hand_written(codex_config(home)) == ["codex-oauth hook codex"]


@pytest.mark.parametrize("config", ["", "hooks = 3", "[hooks]\nPermissionRequest = 3", "broken ="])
def test_a_configuration_of_another_shape_has_no_such_hook(home: Path, config: str) -> None:
    (home / "config.toml").write_text(config, encoding="utf-8")
    assert hand_written(codex_config(home)) == []


# --- how it stands ---------------------------------------------------------------------------------------------------


def test_codex_is_not_started_where_the_hook_is_not_installed(home: Path) -> None:
    assert look_at_codex(home, unasked, timeout=lambda _: 30) == Report("codex")
    put(home, "/bin/other")
    assert look_at_codex(home, unasked, timeout=lambda _: 30) == Report("codex")


def test_a_trusted_hook_has_nothing_in_its_way(home: Path, program: str) -> None:
    put(home, program)
    report = look_at_codex(home, seen(listed(home, program)), timeout=lambda _: 30)
    assert report == Report("codex", (home / "hooks.json",), trusted=True, commands=(program,))


@pytest.mark.parametrize(
    ("hook", "finding"),
    [
        ({"trust": "untrusted"}, "Codex does not trust the hook, and passes over it without a word"),
        (
            {"trust": "modified"},
            "Codex trusted the hook as it was, and not as it is now, and passes over it without a word",
        ),
        ({"enabled": False}, "the hook is switched off in {home}/config.toml (enabled = false)"),
        ({"trust": "new word"}, "Codex does not run the hook: it is new word"),
    ],
)
def test_a_hook_that_codex_does_not_run_is_found(home: Path, program: str, hook: Any, finding: str) -> None:
    put(home, program)
    report = look_at_codex(home, seen(listed(home, program, **hook)), timeout=lambda _: 30)
    (found,) = report.obstacles
    assert (found.gravity, found.finding) == ("off", finding.format(home=home))
    assert (found.mend, report.trusted) == ("codex-oauth install codex --trust", False)


def test_a_hook_that_codex_does_not_see_comes_with_its_complaints(home: Path, program: str) -> None:
    put(home, program)
    (found,) = look_at_codex(home, seen(complaints=("failed to parse",)), timeout=lambda _: 30).obstacles
    assert (found.gravity, found.finding, found.details) == ("off", "Codex does not see the hook", ("failed to parse",))


@pytest.mark.parametrize("feature", ["hooks", "codex_hooks"])
def test_hooks_that_are_switched_off_altogether_are_found_without_asking(
    home: Path, program: str, feature: str
) -> None:
    put(home, program)
    (home / "config.toml").write_text(f"[features]\n{feature} = false\n", encoding="utf-8")
    (found,) = look_at_codex(home, unasked, timeout=lambda _: 30).obstacles
    assert (found.gravity, found.mend) == ("off", "codex features enable hooks")
    assert found.finding == f"Codex runs no hooks: {feature} is false under [features] in {home}/config.toml"


def test_a_key_for_which_codex_passes_over_the_file_is_found_without_asking(home: Path, program: str) -> None:
    put(home, program, version=1)
    (found,) = look_at_codex(home, unasked, timeout=lambda _: 30).obstacles
    assert (found.gravity, found.mend) == ("off", f"take 'version' out of {home}/hooks.json")


def test_others_that_decide_too_are_listed_if_codex_runs_them(home: Path, program: str) -> None:
    put(home, program)
    others = (
        listed(home, "/bin/runs", 1),
        listed(home, "/bin/untrusted", 2, trust="untrusted"),
        listed(home, "/bin/off", 3, enabled=False),
        listed(home, "/bin/managed", 0, trust="managed", file="requirements.toml"),
    )
    (found,) = look_at_codex(home, seen(listed(home, program), *others), timeout=lambda _: 30).obstacles
    assert found.gravity == "partly"
    assert found.finding.startswith("2 other permission hooks: Codex asks all of them, any denial wins")
    assert found.details == (f"/bin/runs ({home}/hooks.json)", f"/bin/managed ({home}/requirements.toml)")


def test_where_codex_cannot_be_asked_that_is_no_failure(home: Path, program: str) -> None:
    put(home, program)
    (found,) = look_at_codex(home, lambda: "no codex binary", timeout=lambda _: 30).obstacles
    assert (found.gravity, found.mend) == ("partly", "codex, then /hooks")
    assert found.finding == "whether Codex trusts the hook is not known: no codex binary"


def test_a_hook_of_ones_own_hand_counts_as_installed(home: Path) -> None:
    (home / "config.toml").write_text(f'approval_policy = "never"\n{BY_HAND}', encoding="utf-8")
    hook = listed(home, "codex-oauth hook codex", file="config.toml")
    report = look_at_codex(home, seen(hook), timeout=lambda _: 30)
    assert (report.installed, report.obstacles, report.trusted) == ((home / "config.toml",), (), True)
    assert report.notes == ("approval_policy is never: the hook is asked about MCP tools only",)


def test_a_hook_in_both_files_judges_twice(home: Path, program: str) -> None:
    put(home, program)
    (home / "config.toml").write_text(BY_HAND, encoding="utf-8")
    (found,) = look_at_codex(home, seen(listed(home, program)), timeout=lambda _: 30).obstacles
    assert found.finding == "the hook is installed 2 times, and each request is judged that often"


def test_hooks_that_cannot_be_read_matter_if_the_hook_is_among_them(home: Path) -> None:
    (home / "hooks.json").write_text("{]", encoding="utf-8")
    assert look_at_codex(home, unasked, timeout=lambda _: 30).installed == ()
    (home / "hooks.json").write_text('{"codex-oauth"]', encoding="utf-8")
    (found,) = look_at_codex(home, unasked, timeout=lambda _: 30).obstacles
    assert (found.gravity, found.mend) == ("off", f"mend {home}/hooks.json")


# --- places ----------------------------------------------------------------------------------------------------------


def test_what_others_have_lost_by_moving_up_is_known_and_what_would_put_it_back(home: Path) -> None:
    path = home / "hooks.json"
    before = HookListing(
        (
            listed(home, HOOK.command, 0),
            listed(home, "/bin/a", 1),
            listed(home, "/bin/b", 2, trust="untrusted"),
            listed(home, "/bin/c", 3, enabled=False),
        ),
        (),
    )
    after = HookListing(
        (
            listed(home, "/bin/a", 0, trust="modified"),
            listed(home, "/bin/b", 1, trust="modified"),
            listed(home, "/bin/c", 2, trust="untrusted"),
        ),
        (),
    )
    moved = moves(before, after, path)
    keys = [f"{path}:permission_request:{place}:0" for place in range(4)]
    assert [hook.command for hook in moved.lost] == ["/bin/a", "/bin/c"]
    assert moved.forget == tuple(keys)
    assert moved.states == {
        keys[0]: {"trusted_hash": "sha256:/bin/a"},
        keys[2]: {"trusted_hash": "sha256:/bin/c", "enabled": False},
    }
    assert moved.own == (keys[0],)


def test_nothing_is_lost_where_nothing_moves(home: Path) -> None:
    first = listed(home, "/bin/a", 0)
    moved = moves(
        HookListing((first, listed(home, HOOK.command, 1)), ()), HookListing((first,), ()), home / "hooks.json"
    )
    assert (moved.lost, moved.states) == ((), None)
    assert moved.own == (f"{home}/hooks.json:permission_request:1:0",)


def test_hooks_of_other_files_do_not_move(home: Path) -> None:
    others = (listed(home, "/bin/t", 0, file="config.toml"),)
    moved = moves(HookListing((listed(home, HOOK.command), *others), ()), HookListing(others, ()), home / "hooks.json")
    assert moved.lost == ()


def test_where_somebody_else_has_changed_the_file_too_nothing_is_put_back(home: Path) -> None:
    before = HookListing((listed(home, HOOK.command, 0), listed(home, "/bin/a", 1)), ())
    after = HookListing((listed(home, "/bin/b", 0, trust="modified"),), ())
    moved = moves(before, after, home / "hooks.json")
    assert ([hook.command for hook in moved.lost], moved.states) == (["/bin/b"], None)
