"""What a home's `auth.json` tells, read while codex may be writing it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in, sign_in_command
from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT


def test_nobody_is_signed_in_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_sign_in(tmp_path) is None
    assert read_sign_in(tmp_path / "none") is None


def test_a_plans_sign_in_is_seen(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    sign_in = read_sign_in(tmp_path)
    assert sign_in is not None
    assert (sign_in.wallet, sign_in.account_id, sign_in.plan, sign_in.holds_key) == ("chatgpt", "acc_1", "plus", False)


def test_an_api_key_is_no_plan(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in_with_api_key(tmp_path)
    assert read_sign_in(tmp_path) is None


def test_a_plan_beside_an_api_key_is_not_taken_for_a_plan(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "OPENAI_API_KEY": "sk-1"}), encoding="utf-8")
    assert read_sign_in(tmp_path) is None


def test_half_a_file_is_no_sign_in_and_no_error(tmp_path: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(tmp_path)
    path = tmp_path / "auth.json"
    whole = path.read_bytes().rstrip()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert read_sign_in(tmp_path) is None


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
        "[" * 100_000,
    ],
)
def test_an_odd_file_is_no_sign_in_and_no_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(content, encoding="utf-8")
    assert read_sign_in(tmp_path) is None


def test_bytes_that_are_no_text_are_no_sign_in(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_bytes(b"\xff\xfe\xfd")
    assert read_sign_in(tmp_path) is None


@pytest.mark.parametrize("name", ["plain", "with spaces", "it's", 'say "hi"', "$HOME;`x`"])
def test_the_command_that_signs_in_can_be_pasted_into_a_shell(name: str) -> None:
    settings = Settings(home=Path("/homes") / name, managed=False, state_dir=Path("/state"))
    command = sign_in_command(settings, Path("/bin") / name)
    assert shlex.split(command) == [f"CODEX_HOME=/homes/{name}", f"/bin/{name}", "login"]
