"""The real codex, asked about hooks on a home that is not ours: signed out, offline, and leaving next to nothing."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, DeadlineExceededError, ServerCrashedError
from codex_oauth.hosts import (
    HookListing,
    Wanted,
    codex_hooks_file,
    hosts_codex,
    moves,
    open_hook_server,
    own_hooks,
    read_settings,
    trusted_state,
    with_hook,
    without_hook,
    write_settings,
)
from codex_oauth.process import find_binary

pytestmark = pytest.mark.anyio

HOOK = Wanted(host="codex", command="/bin/codex-oauth hook codex", timeout=60)


def group(command: str) -> dict[str, Any]:
    """A group with one hook."""
    return {"matcher": "", "hooks": [{"type": "command", "command": command, "timeout": 5}]}


def put(home: Path, *groups: dict[str, Any], **others: Any) -> None:
    """Write `hooks.json`."""
    value = {"hooks": {"PermissionRequest": list(groups)}, **others}
    codex_hooks_file(home).write_text(json.dumps(value, indent=2), encoding="utf-8")


def install(home: Path, wanted: Wanted = HOOK) -> None:
    """Put the hook in."""
    file = read_settings(codex_hooks_file(home))
    write_settings(file, with_hook(file, wanted).text)


async def sees(settings: Settings, home: Path, folder: Path | None = None, **writes: Any) -> HookListing:
    """What Codex sees, once it has written what is trusted."""
    async with open_hook_server(hosts_codex(settings), home, settings.inherited) as server:
        await server.write_states(writes.pop("forget", ()), writes.pop("states", {}), **writes)
        return await server.listing(folder or home)


async def trust_all(settings: Settings, home: Path) -> None:
    """What `t` does in Codex's own `/hooks`, for each of them."""
    listing = await sees(settings, home)
    await sees(settings, home, states={hook.key: trusted_state(hook) for hook in listing.hooks})


def files(home: Path) -> dict[str, bytes | None]:
    """What is in the home; None for a folder."""
    return {path.name: None if path.is_dir() else path.read_bytes() for path in home.iterdir()}


def trust(listing: HookListing) -> list[tuple[str | None, str, bool]]:
    """Command, trust, and whether it is switched on, of each."""
    return [(hook.command, hook.trust, hook.enabled) for hook in listing.hooks]


async def test_a_hook_is_trusted_from_then_on_in_every_process(codex_home: Path, host_settings: Settings) -> None:
    install(codex_home)
    (hook,) = own_hooks(await sees(host_settings, codex_home), codex_hooks_file(codex_home))
    assert (hook.trust, hook.runs, hook.command) == ("untrusted", False, HOOK.command)
    again = await sees(host_settings, codex_home, states={hook.key: trusted_state(hook)})
    assert [hook.runs for hook in again.hooks] == [True]
    assert [hook.runs for hook in (await sees(host_settings, codex_home)).hooks] == [True]


async def test_a_hook_that_was_changed_is_no_longer_trusted(codex_home: Path, host_settings: Settings) -> None:
    install(codex_home)
    await trust_all(host_settings, codex_home)
    install(codex_home, replace(HOOK, timeout=90))
    assert trust(await sees(host_settings, codex_home)) == [(HOOK.command, "modified", True)]


async def test_a_hook_before_which_another_was_put_is_not_trusted(codex_home: Path, host_settings: Settings) -> None:
    install(codex_home)
    await trust_all(host_settings, codex_home)
    (ours,) = json.loads(codex_hooks_file(codex_home).read_bytes())["hooks"]["PermissionRequest"]
    put(codex_home, group("/bin/other"), ours)
    assert trust(await sees(host_settings, codex_home)) == [
        ("/bin/other", "modified", True),
        (HOOK.command, "untrusted", True),
    ]


async def test_a_hook_that_was_switched_off_is_switched_on_with_trust(
    codex_home: Path, host_settings: Settings
) -> None:
    install(codex_home)
    (hook,) = (await sees(host_settings, codex_home)).hooks
    await sees(host_settings, codex_home, states={hook.key: {"trusted_hash": hook.fingerprint, "enabled": False}})
    (hook,) = (await sees(host_settings, codex_home)).hooks
    assert (hook.trust, hook.enabled, hook.runs) == ("trusted", False, False)
    (hook,) = (await sees(host_settings, codex_home, states={hook.key: trusted_state(hook)})).hooks
    assert hook.runs


async def test_what_was_trusted_can_be_forgotten_to_the_last_letter(codex_home: Path, host_settings: Settings) -> None:
    config = codex_home / "config.toml"
    config.write_text("# mine\nmodel = 'x'  # this one\n", encoding="utf-8")
    install(codex_home)
    await trust_all(host_settings, codex_home)
    assert "trusted_hash" in config.read_text(encoding="utf-8")
    (hook,) = (await sees(host_settings, codex_home)).hooks
    await sees(host_settings, codex_home, forget=[hook.key], clear=True)
    assert config.read_text(encoding="utf-8").strip() == "# mine\nmodel = 'x'  # this one"
    # A key that is not there is no fault.
    await sees(host_settings, codex_home, forget=[hook.key])


async def test_what_others_lose_by_moving_up_is_put_back(codex_home: Path, host_settings: Settings) -> None:
    install(codex_home)
    (ours,) = json.loads(codex_hooks_file(codex_home).read_bytes())["hooks"]["PermissionRequest"]
    put(codex_home, group("/bin/a"), ours, group("/bin/b"), group("/bin/off"), group("/bin/untrusted"))
    listing = await sees(host_settings, codex_home)
    states = {hook.key: trusted_state(hook) for hook in listing.hooks[:4]}
    states[listing.hooks[3].key]["enabled"] = False
    before = await sees(host_settings, codex_home, states=states)
    file = read_settings(codex_hooks_file(codex_home))
    write_settings(file, without_hook(file, "codex").text)
    after = await sees(host_settings, codex_home)
    moved = moves(before, after, file.path)
    assert [hook.command for hook in moved.lost] == ["/bin/b", "/bin/off"]
    restored = await sees(host_settings, codex_home, forget=moved.forget, states=moved.states)
    assert moves(before, restored, file.path).lost == ()
    assert trust(restored) == [
        ("/bin/a", "trusted", True),
        ("/bin/b", "trusted", True),
        ("/bin/off", "trusted", False),
        ("/bin/untrusted", "untrusted", True),
    ]
    assert (codex_home / "config.toml").read_text(encoding="utf-8").count("permission_request") == 3


async def test_a_file_with_a_key_that_codex_does_not_know_is_complained_of(
    codex_home: Path, host_settings: Settings
) -> None:
    put(codex_home, group("/bin/a"), version=1)
    listing = await sees(host_settings, codex_home)
    assert listing.hooks == ()
    assert "unknown field `version`" in listing.complaints[0]


async def test_hooks_of_a_repository_are_seen_in_it(codex_home: Path, host_settings: Settings, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    (repo / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (repo / ".codex").mkdir()
    put(repo / ".codex", group("/bin/project"))
    (codex_home / "config.toml").write_text(f'[projects."{repo}"]\ntrust_level = "trusted"\n', encoding="utf-8")
    install(codex_home)
    listing = await sees(host_settings, codex_home, repo)
    assert [(hook.command, hook.source) for hook in listing.hooks] == [
        (HOOK.command, "user"),
        ("/bin/project", "project"),
    ]
    assert own_hooks(listing, codex_hooks_file(codex_home)) == list(listing.hooks[:1])


async def test_a_broken_configuration_is_complained_of(codex_home: Path, host_settings: Settings) -> None:
    install(codex_home)
    (codex_home / "config.toml").write_text("model = [\n", encoding="utf-8")
    listing = await sees(host_settings, codex_home)
    assert listing.hooks == ()
    assert "config.toml" in listing.complaints[0]


async def test_the_sign_in_is_not_used_nothing_is_sent_and_the_home_is_left_as_it_was(
    codex_home: Path, host_settings: Settings
) -> None:
    install(codex_home)
    expired = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none"}, {"exp": int(time.time()) - 60}, {})
    )
    tokens = {"id_token": expired, "access_token": expired, "refresh_token": "rt-mine", "account_id": "a"}
    auth = json.dumps({"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens})
    (codex_home / "auth.json").write_text(auth, encoding="utf-8")
    reached = codex_home.parent / "mcp-was-started"
    server = f'[mcp_servers.x]\ncommand = "/usr/bin/touch"\nargs = [{json.dumps(str(reached))}]\n'
    (codex_home / "config.toml").write_text(server, encoding="utf-8")
    before = files(codex_home)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        inherited = {**host_settings.inherited, "HTTPS_PROXY": address, "HTTP_PROXY": address}
        assert len((await sees(replace(host_settings, inherited=inherited), codex_home)).hooks) == 1
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    after = files(codex_home)
    assert after.pop("installation_id")
    after.pop("tmp", None)
    assert after == before
    assert not reached.exists()


async def test_a_codex_that_ends_at_once_is_told(codex_home: Path, host_settings: Settings, tmp_path: Path) -> None:
    fake = tmp_path / "codex"
    fake.write_text("#!/bin/sh\necho no such command >&2\nexit 3\n", encoding="utf-8")
    fake.chmod(0o755)
    with pytest.raises(ServerCrashedError, match="ended with status 3") as caught:
        await sees(replace(host_settings, codex_bin=fake), codex_home)
    assert caught.value.stderr_tail == "no such command\n"


async def test_a_codex_that_does_not_answer_is_not_waited_for(
    codex_home: Path, host_settings: Settings, tmp_path: Path
) -> None:
    fake = tmp_path / "codex"
    fake.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    fake.chmod(0o755)
    binary = hosts_codex(replace(host_settings, codex_bin=fake))
    with pytest.raises(DeadlineExceededError, match=r"did not answer within 0\.2 s"):
        async with open_hook_server(binary, codex_home, host_settings.inherited, patience=0.2):
            pass


async def test_what_goes_wrong_in_the_callers_block_is_the_callers_own(
    codex_home: Path, host_settings: Settings
) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_hook_server(hosts_codex(host_settings), codex_home, host_settings.inherited):
            raise KeyError("mine")


async def test_the_codex_on_the_path_is_the_users_own(host_settings: Settings, tmp_path: Path) -> None:
    mine = tmp_path / "bin" / "codex"
    mine.parent.mkdir()
    mine.symlink_to(find_binary(host_settings).path)
    inherited = {**host_settings.inherited, "PATH": f"{mine.parent}{os.pathsep}/nowhere"}
    named = replace(host_settings, inherited=inherited, codex_bin=tmp_path / "another")
    assert hosts_codex(named).path == mine.resolve()
    assert hosts_codex(host_settings).path == find_binary(host_settings).path
    with pytest.raises(CodexOAuthError, match="no codex binary there"):
        hosts_codex(replace(host_settings, codex_bin=tmp_path / "gone"))
