"""Other programs' sign-ins, and copies of this package's own: found by their refresh tokens, without showing one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.account import Copy, Store, copies, other_stores
from codex_oauth.account.sign_in import fingerprint
from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import write_sign_in

TOKEN = "rt-loopback-secret"
PRINT = fingerprint(TOKEN)
OPENCODE = {"openai": {"type": "oauth", "refresh": TOKEN, "access": "at", "expires": 1}}


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a home."""
    return {"HOME": str(tmp_path / "user")}


def write(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def pairs(found: tuple[Copy, ...]) -> list[tuple[Path, str, Path]]:
    return [(copy.ours.file, copy.other.owner, copy.other.file) for copy in found]


# --- other programs --------------------------------------------------------------------------------------------------


def test_a_user_without_other_programs_has_no_stores(user: dict[str, str]) -> None:
    assert other_stores(user) == ()


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({}, "user/.codex/auth.json"),
        ({"CODEX_HOME": "codex"}, "codex/auth.json"),
        ({"CODEX_HOME": "", "USERPROFILE": "elsewhere"}, "user/.codex/auth.json"),
        ({"HOME": "", "USERPROFILE": "profile"}, "profile/.codex/auth.json"),
    ],
)
def test_codex_own_is_found(user: dict[str, str], tmp_path: Path, variables: dict[str, str], file: str) -> None:
    write_sign_in((tmp_path / file).parent, {}, refresh_token=TOKEN)
    environ = user | {name: value and str(tmp_path / value) for name, value in variables.items()}
    assert other_stores(environ) == (Store("codex", tmp_path / file, PRINT),)


@pytest.mark.parametrize(
    ("owner", "variables", "file"),
    [
        ("opencode", {}, "user/.local/share/opencode/auth.json"),
        ("opencode", {"XDG_DATA_HOME": "data"}, "data/opencode/auth.json"),
        ("crabcode", {}, "user/.local/share/crabcode/auth.json"),
        ("crabcode", {}, "user/.local/state/crabcode/auth.json"),
        ("crabcode", {}, "user/Library/Application Support/crabcode/auth.json"),
        ("crabcode", {"XDG_DATA_HOME": "data"}, "data/crabcode/auth.json"),
        ("crabcode", {"XDG_STATE_HOME": "state"}, "state/crabcode/auth.json"),
    ],
)
def test_opencodes_and_crabcodes_are_found(
    user: dict[str, str], tmp_path: Path, owner: str, variables: dict[str, str], file: str
) -> None:
    write(tmp_path / file, OPENCODE)
    environ = user | {name: str(tmp_path / value) for name, value in variables.items()}
    assert other_stores(environ) == (Store(owner, tmp_path / file, PRINT),)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        {},
        {"anthropic": OPENCODE["openai"]},
        {"openai": None},
        {"openai": "oauth"},
        {"openai": {**OPENCODE["openai"], "type": "api"}},
        {"openai": {**OPENCODE["openai"], "refresh": ""}},
        {"openai": {**OPENCODE["openai"], "refresh": 3}},
        {"openai": {"type": "oauth"}},
        json.dumps(OPENCODE) + " " * (1024 * 1024),
    ],
    ids=lambda content: str(content)[:40],
)
def test_what_is_no_sign_in_is_left_out(user: dict[str, str], content: Any) -> None:
    write(Path(user["HOME"]) / ".local/share/opencode/auth.json", content)
    write(Path(user["HOME"]) / ".codex/auth.json", content)
    assert other_stores(user) == ()


def test_an_api_key_is_no_sign_in_that_a_copy_ends(user: dict[str, str], chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in_with_api_key(Path(user["HOME"]) / ".codex")
    assert other_stores(user) == ()


@pytest.mark.parametrize(
    "kind", ["bytes", "a folder", "a pipe", "a link to nowhere", "a file for a folder", "no access"]
)
def test_a_file_that_cannot_be_read_is_left_out_and_holds_nothing_up(user: dict[str, str], kind: str) -> None:
    if kind == "no access" and os.geteuid() == 0:
        pytest.skip("root may read anything")
    for file in (".codex/auth.json", ".local/share/opencode/auth.json", ".local/state/crabcode/auth.json"):
        path = write(Path(user["HOME"]) / file, OPENCODE)
        if kind == "bytes":
            path.write_bytes(b"\xff\xfe")
            continue
        if kind == "no access":
            path.chmod(0)
            continue
        path.unlink()
        if kind == "a folder":
            path.mkdir()
        elif kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a link to nowhere":
            path.symlink_to("nowhere")
        else:
            path.parent.rmdir()
            path.parent.touch()
    assert other_stores(user) == ()


# --- copies ----------------------------------------------------------------------------------------------------------


def test_sign_ins_of_their_own_are_no_copies(
    bare: Settings, profile: Callable[[str], Settings], user: dict[str, str], chatgpt: LoopbackChatGPT
) -> None:
    for home in (bare.home, profile("work").home, Path(user["HOME"]) / ".codex"):
        chatgpt.sign_in(home)
    assert len(other_stores(user)) == 1
    assert copies(bare, other_stores(user)) == ()


def test_a_copy_of_each_program_is_found(bare: Settings, user: dict[str, str]) -> None:
    write_sign_in(bare.home, {}, refresh_token=TOKEN)
    write_sign_in(Path(user["HOME"]) / ".codex", {"jti": "another access token"}, refresh_token=TOKEN)
    theirs = [Path(user["HOME"]) / ".codex/auth.json"]
    theirs += [
        write(Path(user["HOME"]) / f".local/share/{name}/auth.json", OPENCODE) for name in ("opencode", "crabcode")
    ]
    found = copies(bare, other_stores(user))
    ours = bare.home / "auth.json"
    owners = ("codex", "opencode", "crabcode")
    assert pairs(found) == [(ours, owner, file) for owner, file in zip(owners, theirs, strict=True)]
    assert TOKEN not in repr(found)
    assert {copy.ours.owner for copy in found} == {"codex-oauth"}


def test_a_copy_between_two_homes_of_this_package_is_found_from_either(
    bare: Settings, profile: Callable[[str], Settings]
) -> None:
    work, elsewhere = profile("work"), replace(bare, home=bare.state_dir.parent / "elsewhere")
    write_sign_in(bare.home, {}, refresh_token=TOKEN)
    for home in (work.home, elsewhere.home):
        home.mkdir(parents=True)
        shutil.copy(bare.home / "auth.json", home)
    ours, worked, other = (home / "auth.json" for home in (bare.home, work.home, elsewhere.home))
    assert pairs(copies(bare, ())) == pairs(copies(work, ())) == [(ours, "codex-oauth", worked)]
    found = {frozenset((copy.ours.file, copy.other.file)) for copy in copies(elsewhere, ())}
    assert found == {frozenset(two) for two in ((ours, worked), (ours, other), (worked, other))}


@pytest.mark.parametrize("link", ["of the file", "of the folder", "hard"])
def test_a_link_is_no_copy(bare: Settings, user: dict[str, str], link: str) -> None:
    write_sign_in(bare.home, {}, refresh_token=TOKEN)
    codex = Path(user["HOME"]) / ".codex"
    codex.parent.mkdir()
    if link == "of the folder":
        codex.symlink_to(bare.home)
    else:
        codex.mkdir()
        if link == "hard":
            (codex / "auth.json").hardlink_to(bare.home / "auth.json")
        else:
            (codex / "auth.json").symlink_to(bare.home / "auth.json")
    assert len(other_stores(user)) == 1
    assert copies(bare, other_stores(user)) == ()


def test_a_copy_of_a_backup_of_a_profile_is_found(bare: Settings, profile: Callable[[str], Settings]) -> None:
    work = profile("work")
    write_sign_in(work.home, {}, refresh_token=TOKEN)
    backup = work.home.parent.with_name("work (copy)")
    shutil.copytree(work.home.parent, backup)
    found = pairs(copies(bare, ()))
    assert found == [(work.home / "auth.json", "codex-oauth", backup / "codex-home/auth.json")]


def test_a_store_that_is_gone_meanwhile_is_no_error(bare: Settings, user: dict[str, str]) -> None:
    write_sign_in(bare.home, {}, refresh_token=TOKEN)
    theirs = write(Path(user["HOME"]) / ".local/share/opencode/auth.json", OPENCODE)
    found = other_stores(user)
    theirs.unlink()
    assert pairs(copies(bare, found)) == [(bare.home / "auth.json", "opencode", theirs)]
