"""The note that the service has refused to refresh a sign-in."""

from __future__ import annotations

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from codex_oauth.account import SignIn, noted, refusal_of
from codex_oauth.account.record import Refusal, forget_refusal, note_refusal, sidecar
from codex_oauth.account.sign_in import fingerprint, read_sign_in
from codex_oauth.config import Settings
from codex_oauth.errors import ReauthenticationReason, ReauthenticationRequired
from tests.account.tokens import write_sign_in

SIGN_IN = SignIn(wallet="chatgpt", fingerprint=fingerprint("rt-1"))
NEWER = SignIn(wallet="chatgpt", fingerprint=fingerprint("rt-2"))


def note_of(settings: Settings) -> Path:
    return sidecar(settings, "refused.json")


@pytest.fixture(params=["managed", "the user's own"])
def home(request: pytest.FixtureRequest, bare: Settings, tmp_path: Path) -> Settings:
    """Settings on a home that is managed, and on one that is not."""
    return bare if request.param == "managed" else replace(bare, home=tmp_path / "own", managed=False)


@pytest.mark.parametrize("reason", get_args(ReauthenticationReason))
def test_a_refusal_is_remembered_with_its_reason_and_time(home: Settings, reason: ReauthenticationReason) -> None:
    assert refusal_of(home, SIGN_IN) is None
    note_refusal(home, SIGN_IN, reason)
    refusal = refusal_of(home, SIGN_IN)
    assert refusal is not None
    assert refusal.reason == reason
    assert abs(refusal.at - time.time()) < 5


def test_it_is_about_one_refresh_token_only(home: Settings) -> None:
    note_refusal(home, SIGN_IN, "expired")
    assert refusal_of(home, NEWER) is None
    note_refusal(home, NEWER, "reused")
    assert refusal_of(home, SIGN_IN) is None
    refusal = refusal_of(home, NEWER)
    assert refusal is not None
    assert refusal.reason == "reused"


def test_it_is_about_one_home_only(bare: Settings, tmp_path: Path) -> None:
    homes = [bare, *(replace(bare, home=tmp_path / name, managed=False) for name in ("one", "other"))]
    note_refusal(homes[1], SIGN_IN, "expired")
    assert [refusal_of(home, SIGN_IN) is not None for home in homes] == [False, True, False]


def test_it_is_forgotten_where_somebody_signs_in_or_out(home: Settings) -> None:
    note_refusal(home, SIGN_IN, "expired")
    forget_refusal(home)
    forget_refusal(home)
    assert refusal_of(home, SIGN_IN) is None
    assert not note_of(home).exists()


def test_a_home_of_the_users_own_is_not_written(bare: Settings, tmp_path: Path) -> None:
    own = replace(bare, home=tmp_path / "own", managed=False)
    own.home.mkdir()
    note_refusal(own, SIGN_IN, "expired")
    assert list(own.home.iterdir()) == []
    assert bare.state_dir in note_of(own).parents


def test_no_part_of_the_sign_in_is_written(home: Settings) -> None:
    write_sign_in(home.home, {}, refresh_token="rt-loopback-secret")
    sign_in = read_sign_in(home.home)
    assert sign_in is not None
    note_refusal(home, sign_in, "expired")
    note = note_of(home)
    assert set(json.loads(note.read_bytes())) == {"sign_in", "reason", "at"}
    assert b"secret" not in note.read_bytes()
    assert b"person@example.com" not in note.read_bytes()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert [path.name for path in note.parent.iterdir() if "refused" in path.name] == [note.name]


def test_a_folder_that_cannot_be_written_is_no_error(bare: Settings) -> None:
    bare.state_dir.parent.mkdir(exist_ok=True)
    bare.state_dir.write_text("in the way", encoding="utf-8")
    note_refusal(bare, SIGN_IN, "expired")
    forget_refusal(bare)
    assert refusal_of(bare, SIGN_IN) is None


def test_a_folder_in_the_place_of_the_note_is_no_error_and_leaves_nothing(bare: Settings) -> None:
    (note_of(bare) / "in the way").mkdir(parents=True)
    note_refusal(bare, SIGN_IN, "expired")
    forget_refusal(bare)
    assert refusal_of(bare, SIGN_IN) is None
    assert [path.name for path in bare.home.iterdir()] == [note_of(bare).name]


ODD: list[dict[str, Any]] = [
    {"sign_in": None},
    {"sign_in": [SIGN_IN.fingerprint]},
    {"reason": "unheard of"},
    {"reason": ["expired"]},
    {"reason": None},
    {"at": None},
    {"at": "soon"},
    {"at": []},
    {"at": float("nan")},
    {"at": float("inf")},
    {"at": 10**400},
]
GOOD = {"sign_in": SIGN_IN.fingerprint, "reason": "expired", "at": 1.0}
JUNK = (b"", b"\xff\xfe", b"{", b"[" * 100_000, b"null", b"[]", b'"text"', b"{}")


@pytest.mark.parametrize("content", [*JUNK, *(json.dumps({**GOOD, **odd}).encode() for odd in ODD)])
def test_a_junk_note_is_no_note(bare: Settings, content: bytes) -> None:
    note_of(bare).parent.mkdir(parents=True)
    note_of(bare).write_text(json.dumps(GOOD), encoding="utf-8")
    assert refusal_of(bare, SIGN_IN) == Refusal("expired", 1.0)
    note_of(bare).write_bytes(content)
    assert refusal_of(bare, SIGN_IN) is None
    note_refusal(bare, SIGN_IN, "revoked")
    refusal = refusal_of(bare, SIGN_IN)
    assert refusal is not None
    assert refusal.reason == "revoked"


# --- what is noted ---------------------------------------------------------------------------------------------------


def refused(*, by_the_service: bool) -> ReauthenticationRequired:
    return ReauthenticationRequired("no longer", reason="reused", refused=by_the_service)


def test_a_refusal_of_the_service_is_noted_and_raised(home: Settings) -> None:
    write_sign_in(home.home, {})
    old = read_sign_in(home.home)
    assert old is not None
    error = refused(by_the_service=True)
    with pytest.raises(ReauthenticationRequired) as caught:
        noted(home, old, error)
    assert caught.value is error
    refusal = refusal_of(home, old)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "reused"


@pytest.mark.parametrize("signed_in", [True, False])
def test_what_the_service_did_not_refuse_is_not_noted(home: Settings, signed_in: bool) -> None:
    if signed_in:
        write_sign_in(home.home, {})
    old = read_sign_in(home.home)
    with pytest.raises(ReauthenticationRequired):
        noted(home, old, refused(by_the_service=not signed_in))
    assert not note_of(home).exists()


@pytest.mark.parametrize("before", [True, False], ids=["another sign-in before", "nobody before"])
def test_whoever_has_signed_in_meanwhile_is_the_sign_in(home: Settings, before: bool) -> None:
    old = None
    if before:
        write_sign_in(home.home, {})
        old = read_sign_in(home.home)
    write_sign_in(home.home, {}, refresh_token="rt-loopback-2")
    now = noted(home, old, refused(by_the_service=True))
    assert now.fingerprint == fingerprint("rt-loopback-2")
    assert not note_of(home).exists()
