"""A hook with an app-server of its own, where streams, folders, variables and permissions are not as they should be."""

from __future__ import annotations

import ctypes
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from codex_oauth.thin.key import key_of
from codex_oauth.thin.place import launch_path
from tests.cold.conftest import Start
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW, encoded
from tests.gate.test_request import CODEX_BASH

PAYLOAD: Final = encoded(CODEX_BASH)
CLASSIFY: Final = ("classify", "--command", "git status", "--json")


def without(*numbers: int) -> Callable[[], None]:
    """Closes descriptors in the child."""

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


@pytest.mark.parametrize("words", [("hook", "codex"), CLASSIFY], ids=["hook", "classify"])
@pytest.mark.parametrize("recorded", [True, False], ids=["cold", "general"])
def test_an_answer_that_cannot_be_written_is_said(
    start: Start,
    request: pytest.FixtureRequest,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    words: tuple[str, ...],
    recorded: bool,
) -> None:
    if recorded:
        request.getfixturevalue("record")
    chatgpt.default = answer("allow")
    with Path("/dev/full").open("wb") as full:
        process = start(*words, stdout=full)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.decode().splitlines()[-1] == "codex-oauth: the output could not be written: No space left on device"
    process = start(*words)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(20) == 1
    assert b"Traceback" not in err
    process.stderr.close()


@pytest.mark.parametrize("words", [("hook", "codex"), CLASSIFY], ids=["hook", "classify"])
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_closed_streams_end_in_no_verdict_or_in_the_right_one(
    start: Start, record: Path, chatgpt: LoopbackChatGPT, words: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    chatgpt.default = answer("allow")
    process = start(*words, preexec_fn=without(*closed))
    out, err = process.communicate(timeout=20)
    answered = 1 not in closed and (words[0] == "classify" or 0 not in closed)
    assert process.returncode == (0 if answered else 1), err
    if answered:
        assert out == ALLOW or json.loads(out)["behavior"] == "allow"
    else:
        assert out == b""
    assert b"Traceback" not in err
    assert (2 in closed) or answered or b"closed, so there is no" in err
    locks = list((record.parent.parent / "run").glob("cold-*.lock"))
    assert [lock.stat().st_size for lock in locks] == [0] * len(locks), "words went into a file"


@pytest.mark.parametrize("recorded", [True, False], ids=["cold", "general"])
def test_a_folder_that_is_gone_keeps_nobody_from_judging(
    start: Start,
    request: pytest.FixtureRequest,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    recorded: bool,
) -> None:
    if recorded:
        request.getfixturevalue("record")
    chatgpt.default = answer("allow")
    gone = tmp_path / "gone"
    gone.mkdir()
    inside = {"cwd": gone, "preexec_fn": gone.rmdir}
    process = start("hook", "codex", **inside)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (ALLOW, 0), err
    gone.mkdir()
    process = start(*CLASSIFY, **inside)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"", 2), err
    assert b"the folder that this runs in is gone; give --cwd DIR" in err
    gone.mkdir()
    process = start(*CLASSIFY, "--cwd", "/", **inside)
    out, err = process.communicate(timeout=20)
    assert json.loads(out)["behavior"] == "allow", err


def test_a_user_without_a_home_folder_is_told_or_answered(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    homeless = {name: value for name, value in environ.items() if name != "HOME"}
    for _ in range(2):
        process = start("hook", "codex", env=homeless)
        out, err = process.communicate(timeout=20)
        assert (out, process.returncode) == (ALLOW, 0), err


def test_places_that_only_the_folder_decides_are_found_from_there(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.default = answer("allow")
    relative = {**environ, "CODEX_OAUTH_HOME": os.path.relpath(settings.home, tmp_path)}
    process = start("hook", "codex", env=relative)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (ALLOW, 0), err
    assert not Path(launch_path(str(settings.state_dir), key_of(relative, {}))).exists()


def test_odd_values_and_arguments_are_bytes_like_others(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    odd = {**environ, "LC_MESSAGES": "\udcff", "LANG": "\udcfe", "TZ": "\udcfd", "ODD_\udcff": "\udcff"}
    for _ in range(2):
        process = start("classify", "--json", "--command", "echo \udcff\udcfe", "--mode", "\udcff", env=odd)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        # What is no text cannot be shown whole, so it is the person's to decide.
        assert json.loads(out)["source"] == "truncated"


def test_nothing_that_is_made_is_open_to_others_whatever_the_umask(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.default = answer("allow")
    state = tmp_path / "new" / "state"
    fresh = {**environ, "XDG_STATE_HOME": str(state)}
    chatgpt.sign_in(state / "codex-oauth" / "codex-home")
    for path in (tmp_path / "new", state, state / "codex-oauth", state / "codex-oauth" / "codex-home"):
        path.chmod(0o700)
    for _ in range(2):
        process = start("hook", "codex", env=fresh, umask=0)
        out, err = process.communicate(timeout=30)
        assert (out, process.returncode) == (ALLOW, 0), err
    ours = [state / "codex-oauth" / name for name in ("launch", "run")]
    paths = [*ours, *(path for folder in ours for path in folder.rglob("*"))]
    assert len(paths) > 4
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def like_others() -> None:
    """Takes root's right to pass over permissions from the child: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    if os.getuid() == 0:
        for capability in (1, 2):
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("part", "mode", "answered"),
    [
        ("", 0o000, False),
        ("codex-oauth", 0o000, False),
        ("codex-oauth", 0o500, False),
        # Neither to be counted nor to have a record only makes it slower, and a home's mode is put right.
        ("codex-oauth/run", 0o000, True),
        ("codex-oauth/run", 0o500, True),
        ("codex-oauth/launch", 0o000, True),
        ("codex-oauth/launch", 0o500, True),
        ("codex-oauth/codex-home", 0o500, True),
        ("", 0o500, True),
    ],
)
def test_a_state_folder_that_cannot_be_used_never_allows_by_mistake(
    start: Start,
    environ: dict[str, str],
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    part: str,
    mode: int,
    answered: bool,
) -> None:
    chatgpt.default = answer("allow")
    state = tmp_path / "state"
    chatgpt.sign_in(state / "codex-oauth" / "codex-home")
    for name in ("run", "launch"):
        (state / "codex-oauth" / name).mkdir(mode=0o700)
    (state / part).chmod(mode)
    process = start("hook", "codex", env={**environ, "XDG_STATE_HOME": str(state)}, preexec_fn=like_others)
    out, err = process.communicate(timeout=20)
    (state / part).chmod(0o700)
    assert b"Traceback" not in err
    assert (out, process.returncode) == ((ALLOW, 0) if answered else (b"", 1)), err
    assert answered or not chatgpt.model_requests
