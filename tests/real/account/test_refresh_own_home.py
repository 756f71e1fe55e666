"""A token about to expire in a home of the user's own: refreshed once too, and nothing else is written there."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ConfigurationError, ReauthenticationRequired
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT
from tests.real.account.crowd import crowd, is_whole, replies
from tests.real.samples import PROMPT

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture
def theirs(environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path) -> Settings:
    """Settings on a CODEX_HOME of the user's own, in which their codex has run, and whose token has expired."""
    home = tmp_path / "dot-codex"
    home.mkdir()
    settings = load_settings(codex_home=home, environ={**environ, "XDG_STATE_HOME": str(tmp_path / "state")})
    chatgpt.sign_in(home)
    subprocess.run(
        [find_binary(settings).path, "exec", "--skip-git-repo-check", PROMPT],
        env={**settings.inherited, "CODEX_HOME": str(home)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=True,
    )
    chatgpt.sign_in(home, expires_in=-60)
    chatgpt.reset()
    return settings


def names_in(folder: Path) -> set[str]:
    """Its files, but for those that codex makes and removes."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}
    # The locks are those of a refresh, from 0.169 on.
    return {name for name in names if not name.startswith((".tmp", "tmp", "auth.lock", "auth.json.lock"))}


async def test_a_home_of_the_users_own_is_refreshed_once_and_not_written_by_this_package(
    theirs: Settings, environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    codexs_own = names_in(theirs.home)
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    with crowd(4, environ, tmp_path, "--codex-home", str(theirs.home)) as programs:
        programs.go()
        ends = programs.ends()
    assert Counter((status, said, "") for status, said, _ in ends) == replies(4), ends
    assert len(chatgpt.refresh_requests) == 1
    assert is_whole(theirs.home)
    assert names_in(theirs.home) == codexs_own
    assert {path.suffix for path in (theirs.state_dir / "homes").iterdir()} == {".lock"}


async def test_a_refusal_on_a_home_of_the_users_own_is_noted_beside_our_own_files(
    theirs: Settings, chatgpt: LoopbackChatGPT
) -> None:
    codexs_own = names_in(theirs.home)
    chatgpt.refuse_refresh("expired")
    codex = AsyncCodex(settings=replace(theirs, metrics=None))
    for _ in range(2):
        with pytest.raises(ReauthenticationRequired) as caught:
            await codex.complete(PROMPT)
        command = f"CODEX_HOME={theirs.home} {find_binary(theirs).path} login"
        assert caught.value.message.endswith(f"; sign in again: {command}")
    assert names_in(theirs.home) == codexs_own
    (note,) = (theirs.state_dir / "homes").glob("*.json")
    sign_in = read_sign_in(theirs.home)
    assert sign_in is not None
    assert json.loads(note.read_bytes())["sign_in"] == sign_in.fingerprint


async def test_nobody_is_signed_in_or_out_in_a_home_of_the_users_own(
    theirs: Settings, chatgpt: LoopbackChatGPT
) -> None:
    before = (theirs.home / "auth.json").read_bytes()
    codexs_own = names_in(theirs.home)
    codex = AsyncCodex(settings=theirs)
    for opening in (codex.login_browser(), codex.login_device()):
        with pytest.raises(ConfigurationError, match="use codex itself to sign in there"):
            async with opening:
                pass
    with pytest.raises(ConfigurationError, match="use codex itself to sign out there"):
        await codex.logout()
    assert (theirs.home / "auth.json").read_bytes() == before
    assert names_in(theirs.home) == codexs_own
    assert chatgpt.connections == {}
