"""A sign-in that is looked at for each call, and read when something has changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_oauth.account import SignIn
from codex_oauth.account.record import note_refusal
from codex_oauth.account.seen import SeenSignIn
from codex_oauth.config import Settings
from codex_oauth.errors import ReauthenticationRequired
from codex_oauth.session import Server
from codex_oauth.testing import LoopbackChatGPT

pytestmark = pytest.mark.anyio


def no_server(found: SignIn, inherit: tuple[int, ...]) -> Server:
    """Nothing is to be refreshed here."""
    raise AssertionError((found.expires_at, inherit))


async def ask(seen: SeenSignIn) -> SignIn | None:
    return await seen.fresh(no_server, "codex-oauth login")


@pytest.fixture
def own(fresh_settings: Settings, chatgpt: LoopbackChatGPT) -> Settings:
    """A home that holds nothing but a sign-in for an hour."""
    chatgpt.sign_in(fresh_settings.home, expires_in=3600)
    return fresh_settings


async def test_what_has_not_changed_is_not_read_again(own: Settings) -> None:
    seen = SeenSignIn(own)
    first = await ask(seen)
    assert first is not None
    assert await ask(seen) is first


async def test_somebody_elses_sign_in_is_seen_at_once(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    seen = SeenSignIn(own)
    first = await ask(seen)
    chatgpt.sign_in(own.home, account_id="acc_other", expires_in=3600)
    second = await ask(seen)
    assert first is not None
    assert second is not None
    assert (first.account_id, second.account_id) == ("acc_1", "acc_other")


async def test_a_sign_out_is_seen_at_once(own: Settings) -> None:
    seen = SeenSignIn(own)
    assert await ask(seen) is not None
    (own.home / "auth.json").unlink()
    assert await ask(seen) is None


async def test_a_refusal_that_another_process_notes_is_seen_at_once(own: Settings) -> None:
    seen = SeenSignIn(own)
    found = await ask(seen)
    assert found is not None
    note_refusal(own, found, "expired")
    with pytest.raises(ReauthenticationRequired):
        await ask(seen)
    with pytest.raises(ReauthenticationRequired):
        await ask(seen)


async def test_a_link_that_leads_elsewhere_is_another_sign_in(
    own: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for number, home in enumerate(homes):
        chatgpt.sign_in(home, account_id=f"acc_{number}", expires_in=3600)
    link = own.home / "auth.json"
    seen, found = SeenSignIn(own), list[str | None]()
    for home in homes:
        link.unlink()
        link.symlink_to(home / "auth.json")
        sign_in = await ask(seen)
        assert sign_in is not None
        found.append(sign_in.account_id)
    assert found == ["acc_0", "acc_1"]


async def test_a_token_that_is_due_is_looked_after_each_time(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(own.home, expires_in=60)
    with pytest.raises(AssertionError):
        await ask(SeenSignIn(own))


async def test_the_same_size_and_time_do_not_hide_a_change(own: Settings) -> None:
    file = own.home / "auth.json"
    seen = SeenSignIn(own)
    first = await ask(seen)
    stat = file.stat()
    content = json.loads(file.read_bytes())
    token: str = content["tokens"]["refresh_token"]
    content["tokens"]["refresh_token"] = token[:-1] + ("x" if token[-1] != "x" else "y")
    file.write_text(json.dumps(content))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = await ask(seen)
    assert first is not None
    assert second is not None
    assert first.fingerprint != second.fingerprint
