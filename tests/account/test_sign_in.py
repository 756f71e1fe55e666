"""What a home's `auth.json` tells, read while codex may be writing it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.account import SignIn, read_sign_in
from codex_oauth.account.sign_in import LARGEST, claims_of, fingerprint, parse_sign_in
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import ABOUT, VALUES, jwt, write_sign_in


def jwt_about(about: object) -> str:
    """A token with this claim about its account."""
    return jwt({ABOUT: about})


def plan_of(tokens: dict[str, Any] | None = None, **fields: Any) -> SignIn:
    """The sign-in of a file with a plan's tokens, of which some are set."""
    given = {"refresh_token": "rt-1", "access_token": jwt({}), **(tokens or {})}
    sign_in = parse_sign_in({"tokens": given, **fields})
    assert sign_in is not None
    return sign_in


# --- what is there ---------------------------------------------------------------------------------------------------


def test_nobody_is_signed_in_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_sign_in(tmp_path) is None
    assert read_sign_in(tmp_path / "none") is None


def test_a_plans_sign_in_is_seen(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path, expires_in=600)
    sign_in = read_sign_in(tmp_path)
    assert sign_in is not None
    assert (sign_in.wallet, sign_in.account_id, sign_in.plan, sign_in.holds_key) == ("chatgpt", "acc_1", "plus", False)
    assert sign_in.issued_at is not None
    assert sign_in.expires_at is not None
    assert sign_in.last_refresh is not None
    assert abs(sign_in.expires_at - sign_in.issued_at - 600) <= 1
    assert abs(sign_in.last_refresh - sign_in.issued_at) <= 1


def test_an_api_key_is_the_other_wallet(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in_with_api_key(tmp_path, "sk-loopback-1")
    assert read_sign_in(tmp_path) == SignIn(wallet="apiKey", fingerprint=fingerprint("sk-loopback-1"), holds_key=True)


def test_a_plan_beside_an_api_key_is_a_plan_that_says_so(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "OPENAI_API_KEY": "sk-1"}), encoding="utf-8")
    sign_in = read_sign_in(tmp_path)
    assert sign_in is not None
    assert (sign_in.wallet, sign_in.holds_key) == ("chatgpt", True)


def test_the_account_is_the_one_of_the_file_before_the_tokens() -> None:
    access = jwt({ABOUT: {"chatgpt_account_id": "acc_claims"}})
    assert plan_of({"access_token": access, "account_id": "acc_file"}).account_id == "acc_file"
    assert plan_of({"access_token": access, "account_id": ""}).account_id == "acc_claims"
    assert plan_of({"access_token": access, "account_id": 3}).account_id == "acc_claims"
    assert plan_of({"access_token": jwt({ABOUT: {"chatgpt_account_id": None}})}).account_id is None


# --- what is odd -----------------------------------------------------------------------------------------------------


def test_half_a_file_is_no_sign_in_and_no_error(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    whole = (tmp_path / "auth.json").read_bytes().rstrip()

    def read(length: int) -> SignIn | None:
        home = tmp_path / str(length)
        home.mkdir()
        (home / "auth.json").write_bytes(whole[:length])
        return read_sign_in(home)

    # Half a file is read again for a while; together, all of them take no longer than one.
    with ThreadPoolExecutor(64) as threads:
        assert set(threads.map(read, range(0, len(whole), 5))) == {None}


def test_a_file_that_is_being_written_is_read_again_until_it_is_whole(tmp_path: Path) -> None:
    write_sign_in(tmp_path, {})
    # As codex writes it: emptied first, then filled. The writer goes on each time that the reader has looked.
    program = """if True:
        import sys, threading
        from pathlib import Path
        from codex_oauth.account.sign_in import read_sign_in

        file = Path(sys.argv[1]) / "auth.json"
        whole = file.read_bytes()
        file.write_bytes(b"")
        looks, turn, done = 0, threading.Semaphore(0), threading.Semaphore(0)

        def write():
            for content in (whole[:1], whole[:-2], whole):
                turn.acquire()
                file.write_bytes(content)
                done.release()

        def on_open(event, arguments):
            global looks
            if event == "open" and str(arguments[0]) == str(file) and str(arguments[1]).startswith("r"):
                looks += 1
                if looks > 1:
                    turn.release()
                    done.acquire()

        writer = threading.Thread(target=write)
        writer.start()
        sys.addaudithook(on_open)
        sign_in = read_sign_in(file.parent)
        print(looks, sign_in.fingerprint)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.stdout) == ("", f"4 {fingerprint('rt-loopback-1')}\n")


@pytest.mark.parametrize(
    "content",
    [
        "null",
        "[]",
        "3",
        '"tokens"',
        "{}",
        '{"tokens": null}',
        '{"tokens": []}',
        '{"tokens": "refresh_token"}',
        '{"tokens": {}}',
        '{"tokens": {"refresh_token": ""}}',
        '{"tokens": {"refresh_token": null}}',
        '{"tokens": {"access_token": "a.b.c"}}',
        '{"OPENAI_API_KEY": ""}',
        '{"OPENAI_API_KEY": ["sk-1"]}',
        "[" * 100_000,
        '{"tokens": {"refresh_token": ' + "9" * 5000 + "}}",
    ],
)
def test_an_odd_file_is_no_sign_in_and_no_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(content, encoding="utf-8")
    assert read_sign_in(tmp_path) is None


def test_bytes_that_are_no_text_are_no_sign_in(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_bytes(b"\xff\xfe\xfd")
    assert read_sign_in(tmp_path) is None


def test_a_pipe_a_folder_and_a_link_to_nowhere_hold_nothing_up(tmp_path: Path) -> None:
    for name in ("pipe", "folder", "link", "loop"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe/auth.json")
    (tmp_path / "folder/auth.json").mkdir()
    (tmp_path / "link/auth.json").symlink_to(tmp_path / "none")
    (tmp_path / "loop/auth.json").symlink_to(tmp_path / "loop/auth.json")
    assert [read_sign_in(tmp_path / name) for name in ("pipe", "folder", "link", "loop")] == [None] * 4


def test_a_file_too_large_to_be_a_sign_in_is_not_read(tmp_path: Path) -> None:
    write_sign_in(tmp_path, {})
    file = tmp_path / "auth.json"
    whole = file.read_bytes()
    file.write_bytes(whole + b" " * (LARGEST - len(whole)))
    assert read_sign_in(tmp_path) is not None
    file.write_bytes(whole + b" " * (LARGEST - len(whole) + 1))
    assert read_sign_in(tmp_path) is None


@pytest.mark.parametrize(
    "claims",
    [
        None,
        [],
        "text",
        {"exp": "soon", "iat": None},
        {"exp": True, "iat": False},
        {"exp": float("nan"), "iat": float("-inf")},
        {"exp": 10**400, "iat": -(10**400)},
        {ABOUT: None},
        {ABOUT: "acc_1"},
        {ABOUT: {"chatgpt_account_id": 3, "chatgpt_plan_type": ["plus"]}},
    ],
)
def test_odd_claims_are_claims_that_are_not_there(claims: Any) -> None:
    sign_in = plan_of({"access_token": jwt(claims)})
    assert sign_in == SignIn(wallet="chatgpt", fingerprint=fingerprint("rt-1"))


@pytest.mark.parametrize(
    "token",
    [None, 3, [], "", "..", "a.b", "a.b.c.d", "a.größe.c", "a.%%%.c", f"a.{base64.b64encode(b'[1]').decode()}.c"],
)
def test_what_is_no_jwt_has_no_claims(token: object) -> None:
    assert claims_of(token) == {}
    assert plan_of({"access_token": token}).expires_at is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-01T00:00:00Z", 1_767_225_600.0),
        ("2026-01-01T00:00:00.123456789Z", 1_767_225_600.123456),
        ("2026-01-01T02:00:00+02:00", 1_767_225_600.0),
        ("", None),
        ("yesterday", None),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139.0),
        (20260101, None),
        (None, None),
        ({}, None),
    ],
)
def test_the_last_refresh_is_a_moment_or_unknown(written: object, read: float | None) -> None:
    assert plan_of(last_refresh=written).last_refresh == read


@given(VALUES)
def test_whatever_the_file_holds_is_a_sign_in_or_none(content: object) -> None:
    assert isinstance(parse_sign_in(content), SignIn | None)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tokens": st.fixed_dictionaries(
                {},
                optional={
                    "refresh_token": VALUES,
                    "access_token": VALUES | st.builds(jwt, VALUES) | st.builds(jwt_about, VALUES),
                    "account_id": VALUES,
                },
            ),
            "OPENAI_API_KEY": VALUES,
            "last_refresh": VALUES | st.datetimes().map(str),
        },
    )
)
def test_a_file_of_the_right_shape_is_a_sign_in_or_none_too(content: object) -> None:
    sign_in = parse_sign_in(content)
    if sign_in is not None:
        assert sign_in.wallet in ("chatgpt", "apiKey")
        assert len(sign_in.fingerprint) == 16


# --- what is secret --------------------------------------------------------------------------------------------------


def test_no_secret_is_in_the_result(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    path = tmp_path / "auth.json"
    content: dict[str, Any] = {**json.loads(path.read_bytes()), "OPENAI_API_KEY": "sk-loopback-secret"}
    path.write_text(json.dumps(content), encoding="utf-8")
    sign_in = read_sign_in(tmp_path)
    assert sign_in is not None
    tokens: dict[str, str] = content["tokens"]
    secrets = ["sk-loopback-secret", tokens["id_token"], tokens["access_token"], tokens["refresh_token"]]
    values = [repr(sign_in), *(str(getattr(sign_in, name)) for name in SignIn.__slots__)]
    assert [secret for secret in secrets if any(secret in value for value in values)] == []
    assert "person@example.com" not in repr(sign_in)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_fingerprint_tells_two_tokens_apart_in_64_bits(one: str, other: str) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)
    assert len(bytes.fromhex(fingerprint(one))) == 8


def test_a_refresh_token_of_any_characters_has_a_fingerprint() -> None:
    assert plan_of({"refresh_token": "\ud800größe"}).fingerprint == fingerprint("\ud800größe")
