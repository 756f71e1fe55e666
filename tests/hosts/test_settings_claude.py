"""The hook within Claude Code's settings, and what in them keeps it from being asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts import (
    Report,
    SettingsFile,
    Wanted,
    claude_settings,
    hooks_in,
    look_at_claude,
    read_settings,
    with_hook,
    without_hook,
)

HOOK = Wanted(host="claude", command="/bin/codex-oauth hook claude", timeout=60)
OWN = {"type": "command", "command": "/bin/codex-oauth hook claude", "timeout": 60}
OTHER = {"type": "command", "command": "/bin/other"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Claude Code's own folder."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A folder within a repository."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / ".claude").mkdir()
    (tmp_path / "repo" / "sub").mkdir()
    return tmp_path / "repo" / "sub"


def written(path: Path, value: Any) -> SettingsFile:
    """A settings file with this in it."""
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), encoding="utf-8")
    return read_settings(path)


def asking(*groups: Any, **others: Any) -> dict[str, Any]:
    """Settings with these groups of hooks for permission requests."""
    return {**others, "hooks": {"PermissionRequest": list(groups)}}


def group(*hooks: Any, matcher: str = "") -> dict[str, Any]:
    """A group of hooks."""
    return {"matcher": matcher, "hooks": list(hooks)}


def installed(file: SettingsFile, wanted: Wanted = HOOK) -> Any:
    """The settings once the hook is in them."""
    return json.loads(with_hook(file, wanted).text)


# --- put in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "{}", "{\n}\n", '{"hooks": {}}', '{"hooks":{"PermissionRequest":[]}}'])
def test_settings_without_hooks_get_the_one(home: Path, before: str) -> None:
    assert installed(written(home / "settings.json", before)) == asking(group(OWN))


def test_the_hook_comes_after_those_of_others_and_all_else_stays(home: Path) -> None:
    before = {
        "permissions": {"allow": ["Bash(ls:*)"]},
        "hooks": {"PreToolUse": [group(OTHER)], "PermissionRequest": [group(OTHER, matcher="Bash")]},
        "model": "opus",
    }
    after = installed(written(home / "settings.json", before))
    assert after["hooks"]["PermissionRequest"] == [group(OTHER, matcher="Bash"), group(OWN)]
    assert list(after) == list(before)
    assert {**after, "hooks": None} == {**before, "hooks": None}
    assert after["hooks"]["PreToolUse"] == [group(OTHER)]


def test_only_the_lines_of_the_hook_are_new(home: Path) -> None:
    before = '{\n\t"b": [1,2 ,3],\n\t"a":{"x":1e5},\n\t"hooks": {\n\t\t"Stop": []\n\t}\n}'
    after = with_hook(written(home / "settings.json", before), HOOK).text
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert kept == [line for line in before.splitlines() if line != '\t\t"Stop": []']
    assert '\n\t\t"Stop": [],\n\t\t"PermissionRequest": [\n\t\t\t{\n\t\t\t\t"matcher": "",' in after


def test_a_second_time_there_is_nothing_to_do(home: Path) -> None:
    once = with_hook(written(home / "settings.json", asking(group(OTHER))), HOOK)
    twice = with_hook(written(home / "settings.json", once.text), HOOK)
    assert (once.what, twice.what, twice.text) == ("added", "none", once.text)


def test_an_older_one_is_brought_up_to_date_where_it_is(home: Path) -> None:
    old = {"type": "command", "command": "python3 -m codex_oauth hook claude", "async": True, "note": "mine"}
    file = written(home / "settings.json", asking(group(old, OTHER, matcher="Bash"), group(OTHER)))
    change = with_hook(file, HOOK)
    new = {"type": "command", "command": HOOK.command, "note": "mine", "timeout": 60}
    assert (change.what, change.shifts) == ("updated", False)
    assert json.loads(change.text) == asking(group(new, OTHER, matcher="Bash"), group(OTHER))


def test_of_several_the_first_stays(home: Path) -> None:
    file = written(home / "settings.json", asking(group(OWN), group(OTHER, OWN), group(OWN), group(OTHER)))
    change = with_hook(file, HOOK)
    assert (change.what, change.shifts) == ("updated", True)
    assert json.loads(change.text) == asking(group(OWN), group(OTHER), group(OTHER))


def test_a_number_of_another_kind_is_another_number(home: Path) -> None:
    file = written(home / "settings.json", asking(group({**OWN, "timeout": 60.0})))
    assert with_hook(file, HOOK).what == "updated"


def test_a_command_line_of_the_users_own_is_not_doubled_and_not_changed(home: Path) -> None:
    line = {"type": "command", "command": "codex-oauth hook claude 2>>/tmp/log"}
    file = written(home / "settings.json", asking(group(line)))
    with pytest.raises(ConfigurationError, match=r"a command line of your own runs the hook already: codex-oauth hook"):
        with_hook(file, HOOK)
    change = without_hook(file, "claude")
    assert (change.what, change.wrapped) == ("none", (line["command"],))


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ('{\n"hooks": []}', ":2: 'hooks' is not an object, {…}; mend it"),
        ('{\n"hooks": null}', ":2: 'hooks' is not an object, {…}; mend it"),
        ('{"hooks": {\n"PermissionRequest": {}}}', ":2: 'hooks.PermissionRequest' is not a list, […]; mend it"),
        ('{"hooks": {"PermissionRequest": [\n3]}}', ":2: 'hooks.PermissionRequest[0]' is not an object, {…}; mend it"),
        (
            '{"hooks": {"PermissionRequest": [\n{"hooks": {}}]}}',
            ":2: 'hooks.PermissionRequest[0].hooks' is not a list, […]; mend it",
        ),
        (
            '{"hooks": {"PermissionRequest": [\n{"hooks": ["/bin/x"]}]}}',
            ":2: 'hooks.PermissionRequest[0].hooks[0]' is not an object; mend it",
        ),
        ('{"hooks": {},\n"hooks": {}}', ":2: the key 'hooks' stands twice in one object; take one out"),
        (
            '{"hooks": {"PermissionRequest": [],\n"PermissionRequest": []}}',
            ":2: the key 'PermissionRequest' stands twice in one object; take one out",
        ),
        (
            '{"hooks": {"PermissionRequest": [{"hooks": [],\n"hooks": []}]}}',
            ":2: the key 'hooks' stands twice in one object; take one out",
        ),
    ],
)
def test_hooks_of_another_shape_are_told_with_their_line(home: Path, before: str, message: str) -> None:
    file = written(home / "settings.json", before)
    for change in (lambda: with_hook(file, HOOK), lambda: without_hook(file, "claude")):
        with pytest.raises(ConfigurationError) as caught:
            change()
        assert caught.value.message == f"{home}/settings.json{message}. Nothing was changed"


# --- taken out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        "{}",
        '{\n  "model": "opus"\n}\n',
        '{"model":"opus"}',
        '{\n    "hooks": {\n        "Stop": []\n    }\n}',
        '{"hooks": {"PermissionRequest": [{"hooks": [{"type": "command", "command": "x"}]}]}, "z": [ ]}',
    ],
)
def test_put_in_and_taken_out_the_settings_are_what_they_were_to_the_letter(home: Path, before: str) -> None:
    after = with_hook(written(home / "settings.json", before), HOOK).text
    change = without_hook(written(home / "settings.json", after), "claude")
    assert (change.what, change.text) == ("removed", before)


def test_what_the_hook_leaves_empty_goes_with_it(home: Path) -> None:
    file = written(home / "settings.json", asking(group(OWN), model="opus"))
    assert json.loads(without_hook(file, "claude").text) == {"model": "opus"}
    file = written(home / "settings.json", {"hooks": {"Stop": [], "PermissionRequest": [group(OWN)]}})
    assert json.loads(without_hook(file, "claude").text) == {"hooks": {"Stop": []}}


def test_others_in_the_same_group_stay(home: Path) -> None:
    file = written(home / "settings.json", asking(group(OTHER, OWN, matcher="Bash"), group(OWN), group(OTHER)))
    change = without_hook(file, "claude")
    assert json.loads(change.text) == asking(group(OTHER, matcher="Bash"), group(OTHER))


def test_where_there_is_none_there_is_nothing_to_take_out(home: Path) -> None:
    for value in ("", "{}", asking(group(OTHER)), asking(group({**OWN, "command": "codex-oauth hook codex"}))):
        file = written(home / "settings.json", value)
        change = without_hook(file, "claude")
        assert (change.what, change.text) == ("none", file.text)


@pytest.mark.parametrize(
    ("groups", "shifts"),
    [
        ([group(OWN)], False),
        ([group(OTHER), group(OWN)], False),
        ([group(OTHER, OWN)], False),
        ([group(OWN), group(OTHER)], True),
        ([group(OWN, OTHER)], True),
        ([group(OTHER, OWN), group(OTHER)], False),
        ([group(OWN), group(OWN)], False),
    ],
)
def test_it_is_known_whether_others_move_up(home: Path, groups: list[Any], shifts: bool) -> None:
    file = written(home / "settings.json", asking(*groups))
    assert without_hook(file, "claude").shifts == shifts


# --- where the settings are ------------------------------------------------------------------------------------------


def test_a_repositorys_settings_are_at_its_root(home: Path, repo: Path) -> None:
    assert claude_settings(home, repo, "user") == home / "settings.json"
    assert claude_settings(home, repo, "project") == repo.parent / ".claude" / "settings.json"
    assert claude_settings(home, repo, "local") == repo.parent / ".claude" / "settings.local.json"


def test_outside_of_a_repository_they_are_where_one_is(home: Path, tmp_path: Path) -> None:
    assert claude_settings(home, tmp_path, "project") == tmp_path / ".claude" / "settings.json"


# --- what keeps it from being asked ----------------------------------------------------------------------------------


def look(home: Path, folder: Path) -> Report:
    """How it stands, for verdicts of at most 30 seconds."""
    return look_at_claude(home, folder, timeout=lambda _: 30)


def startable(tmp_path: Path, **more: Any) -> dict[str, Any]:
    """A hook whose program exists."""
    program = tmp_path / "codex-oauth"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    return {"type": "command", "command": f"{program} hook claude", "timeout": 60, **more}


def test_nothing_is_said_of_a_hook_that_is_not_there(home: Path, repo: Path) -> None:
    written(home / "settings.json", asking(group(OTHER), disableAllHooks=True))
    assert look(home, repo) == Report("claude")


def test_a_hook_that_is_asked_has_nothing_in_its_way(home: Path, repo: Path, tmp_path: Path) -> None:
    written(home / "settings.json", asking(group(startable(tmp_path), matcher="*")))
    assert look(home, repo) == Report("claude", (home / "settings.json",), commands=(startable(tmp_path)["command"],))


@pytest.mark.parametrize(
    ("settings", "gravity", "finding", "mend"),
    [
        (
            {"disableAllHooks": True},
            "off",
            "Claude Code runs no hooks: disableAllHooks is true in {file}",
            "take disableAllHooks out of {file}",
        ),
        (
            {"permissions": {"defaultMode": "bypassPermissions"}},
            "off",
            "Claude Code asks nobody, and so not the hook: permissions.defaultMode is bypassPermissions in {file}",
            "take permissions.defaultMode out of {file}",
        ),
        (
            {"permissions": {"defaultMode": "dontAsk"}},
            "off",
            "Claude Code asks nobody, and so not the hook: permissions.defaultMode is dontAsk in {file}",
            "take permissions.defaultMode out of {file}",
        ),
        (
            {"permissions": {"allow": ["Bash(*)", "Bash(ls:*)", "Read"]}},
            "partly",
            "Bash(*) in permissions.allow of {file} lets all of it happen without the hook",
            "take Bash(*) out of permissions.allow in {file}",
        ),
        (
            {"permissions": {"allow": ["mcp__github", "mcp__jira__get_issue"]}},
            "partly",
            "mcp__github in permissions.allow of {file} lets all of it happen without the hook",
            "take mcp__github out of permissions.allow in {file}",
        ),
    ],
    ids=["disableAllHooks", "bypassPermissions", "dontAsk", "Bash(*)", "MCP server"],
)
@pytest.mark.parametrize("scope", ["user", "project", "local"])
def test_what_keeps_claude_code_from_asking_it_is_found(
    home: Path, repo: Path, tmp_path: Path, scope: Any, settings: dict[str, Any], gravity: str, finding: str, mend: str
) -> None:
    written(home / "settings.json", asking(group(startable(tmp_path))))
    file = claude_settings(home, repo, scope)
    before: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    written(file, {**before, **settings})
    (found,) = look(home, repo).obstacles
    assert (found.gravity, found.finding) == (gravity, finding.format(file=file))
    assert found.mend == mend.format(file=file)


def test_the_stronger_settings_win(home: Path, repo: Path, tmp_path: Path) -> None:
    mode = {"permissions": {"defaultMode": "bypassPermissions"}}
    written(home / "settings.json", asking(group(startable(tmp_path)), disableAllHooks=True, **mode))
    local = {"disableAllHooks": False, "permissions": {"defaultMode": "default"}}
    written(claude_settings(home, repo, "local"), local)
    assert look(home, repo).obstacles == ()


@pytest.mark.parametrize("rule", ["*", "Bash", "Bash()", "Write(*)", "Edit(**)", "WebFetch", "mcp__my-server__*"])
def test_a_rule_for_all_of_a_tool_is_found(home: Path, repo: Path, tmp_path: Path, rule: str) -> None:
    written(home / "settings.json", asking(group(startable(tmp_path)), permissions={"allow": [rule]}))
    assert [found.gravity for found in look(home, repo).obstacles] == ["partly"]


def test_rules_for_a_part_of_a_tool_are_only_counted(home: Path, repo: Path, tmp_path: Path) -> None:
    rules = {
        "permissions": {"allow": ["Bash(git status)", "WebFetch(domain:example.com)"], "defaultMode": "acceptEdits"}
    }
    written(home / "settings.json", asking(group(startable(tmp_path)), **rules))
    report = look(home, repo)
    assert report.obstacles == ()
    assert report.notes == (
        "2 allow rules: what they match is done without the hook",
        "permissions.defaultMode is acceptEdits: edits of files are made without the hook",
    )


def test_others_that_may_decide_first_are_listed(home: Path, repo: Path, tmp_path: Path) -> None:
    written(home / "settings.json", asking(group(startable(tmp_path), OTHER)))
    project = written(claude_settings(home, repo, "project"), asking(group({"type": "prompt", "prompt": "x"})))
    (found,) = look(home, repo).obstacles
    assert found.finding == "2 other permission hooks: whichever decides first has decided"
    assert found.details == (f"prompt ({project.path})", f"/bin/other ({home / 'settings.json'})")


def test_a_hook_in_two_places_judges_twice(home: Path, repo: Path, tmp_path: Path) -> None:
    hook = startable(tmp_path)
    written(home / "settings.json", asking(group(hook)))
    written(claude_settings(home, repo, "local"), asking(group(hook)))
    report = look(home, repo)
    assert report.installed == (claude_settings(home, repo, "local"), home / "settings.json")
    assert [found.finding for found in report.obstacles] == [
        "the hook is installed 2 times, and each request is judged that often"
    ]


def test_an_entry_that_cannot_work_is_found(home: Path, repo: Path, tmp_path: Path) -> None:
    path = written(
        claude_settings(home, repo, "local"),
        asking(
            group(
                {**OWN, "command": f"{tmp_path}/gone/codex-oauth hook claude", "timeout": 30, "async": True},
                matcher="Bash",
            )
        ),
    ).path
    assert [(found.gravity, found.finding, found.mend) for found in look(home, repo).obstacles] == [
        (
            "off",
            f"the hook in {path} cannot start: {tmp_path}/gone/codex-oauth does not exist",
            "codex-oauth install claude --local",
        ),
        ("off", f"the hook in {path} is 'async', so its answer is not used", "codex-oauth install claude --local"),
        (
            "partly",
            f"the host waits 30 s for the hook in {path}, and a verdict may take 30 s; one that comes later is lost",
            "codex-oauth install claude --local",
        ),
        (
            "partly",
            f"the hook in {path} is asked about the tools that match 'Bash', and about no others",
            f'make its matcher "" in {path}',
        ),
    ]


def test_settings_that_cannot_be_read_are_told_as_far_as_they_matter(home: Path, repo: Path) -> None:
    path = home / "settings.json"
    path.write_text('{"a": 1,}', encoding="utf-8")
    report = look(home, repo)
    assert (report.installed, report.obstacles, len(report.notes)) == ((), (), 1)
    path.write_text('{"command": "codex-oauth hook claude",}', encoding="utf-8")
    (found,) = look(home, repo).obstacles
    assert (found.gravity, found.mend) == ("off", f"mend {path}")


def test_hooks_are_listed_in_order(home: Path) -> None:
    file = written(home / "settings.json", asking(group(OTHER, OWN), group({"type": "prompt"}, matcher="Bash")))
    assert [(hook.group, hook.index, hook.matcher, hook.command, hook.ours) for hook in hooks_in(file, "claude")] == [
        (0, 0, "", "/bin/other", None),
        (0, 1, "", OWN["command"], "own"),
        (1, 0, "Bash", "", None),
    ]
