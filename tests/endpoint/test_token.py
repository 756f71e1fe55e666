"""The bearer token's file."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codex_oauth.endpoint.bearer import PREFIX, bearer_token
from codex_oauth.errors import ConfigurationError


def test_a_token_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "endpoint-token"
    token, made = bearer_token(path)
    assert made
    assert token.startswith(PREFIX)
    assert len(token) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bearer_token(path) == (token, False)
    assert [entry.name for entry in path.parent.iterdir()] == ["endpoint-token"]


def test_those_who_start_at_once_have_one_token(tmp_path: Path) -> None:
    path = tmp_path / "endpoint-token"
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(bearer_token, [path] * 64))
    assert len({token for token, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["endpoint-token"]


def test_a_token_of_ones_own_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("a-token-of-my-own-0123456789\n")
    path.chmod(0o600)
    assert bearer_token(path) == ("a-token-of-my-own-0123456789", False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "mine"
    path.write_text("a-token-of-my-own-0123456789\n")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="others may read or write"):
        bearer_token(path)


@pytest.mark.parametrize("content", ["", "short", "two words are no token at all", "x" * 5000, "é" * 30])
def test_what_is_no_token_is_refused_without_being_repeated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="must hold a token") as caught:
        bearer_token(path)
    assert not content or content not in str(caught.value)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-my-own-0123456789")
    (tmp_path / "link").symlink_to(tmp_path / "token")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, word in (("link", "a link"), ("pipe", "not a regular file"), (".", "not a regular file")):
        with pytest.raises(ConfigurationError, match=word):
            bearer_token(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-of-my-own-0123456789")
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        bearer_token(path)
