"""What a launch record rests on, and what is done about one that is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from codex_oauth.cold.record import remember, rivals
from codex_oauth.config import Settings, load_settings
from codex_oauth.process import Binary, find_binary
from codex_oauth.session.request import TurnRequest
from codex_oauth.testing import Json, LoopbackChatGPT
from codex_oauth.thin.greeting import thread_path
from codex_oauth.thin.key import key_of
from codex_oauth.thin.launch import read_launch
from codex_oauth.thin.place import launch_path
from tests.cold.conftest import Run
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW, encoded
from tests.gate.test_request import CODEX_BASH

PAYLOAD = encoded(CODEX_BASH)
CLASSIFY = ("classify", "--command", "git status", "--json")


@pytest.mark.parametrize("line", [b"7\n", b"{}\n", b'{"params": 1}\n', b"\xff\n", b"", b"no end"])
def test_a_damaged_line_for_the_thread_is_mended(run: Run, record: Path, chatgpt: LoopbackChatGPT, line: bytes) -> None:
    path = Path(thread_path(str(record)))
    whole = path.read_bytes()
    path.write_bytes(line)
    chatgpt.script(answer("allow"))
    assert run("hook", "codex", stdin=PAYLOAD).stdout == ALLOW
    if line.endswith(b"\n") and line != b'{"params": 1}\n':
        assert path.read_bytes() == whole


def test_a_reply_of_pairs_is_no_reply(run: Run, record: Path, chatgpt: LoopbackChatGPT) -> None:
    pairs = [["reason", "Because."], ["rule", "read-only"], ["behavior", "allow"], ["deny_message", ""]]
    chatgpt.script(Json(pairs), answer("deny", deny_message="No."))
    verdict = json.loads(run(*CLASSIFY).stdout)
    assert (verdict["behavior"], verdict["repaired"]) == ("deny", True)


def test_a_link_to_codex_that_leads_elsewhere_makes_a_record_worthless(
    environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    link = tmp_path / "codex"
    link.symlink_to(find_binary(settings).path)
    named = {**environ, "CODEX_OAUTH_CODEX_BIN": str(link)}
    path = launch_path(str(settings.state_dir), key_of(named, {}))
    anyio.run(remember, load_settings(environ=named), path, thread_path(path), None, TurnRequest(text=""))
    launch = read_launch(path)
    assert launch is not None
    assert launch.holds(named)
    link.unlink()
    link.symlink_to("/bin/true")
    assert not launch.holds(named)


def test_whatever_comes_earlier_on_the_path_is_a_rival(tmp_path: Path) -> None:
    path = tmp_path / "3" / "codex"
    binary = Binary(path=Path("/opt/codex"), size=1, mtime_ns=1, source="PATH", named=path)
    folders = [str(tmp_path / "1"), "relative", str(tmp_path / "2"), str(tmp_path / "3"), str(tmp_path / "4")]
    found = rivals(binary, {"PATH": ":".join(folders)})
    assert set(found) == {tmp_path / "1" / "codex", tmp_path / "2" / "codex", path}


def test_a_binary_that_was_named_has_only_its_link_for_a_rival(tmp_path: Path) -> None:
    binary = Binary(path=Path("/opt/codex"), size=1, mtime_ns=1, source="option", named=tmp_path / "codex")
    assert rivals(binary, {"PATH": str(tmp_path)}) == [tmp_path / "codex"]


def test_the_thread_is_asked_for_with_the_rules_of_the_last_call(
    run: Run, record: Path, chatgpt: LoopbackChatGPT
) -> None:
    policy = record.parent / "gate.toml"
    policy.write_text('[[append_rules]]\nid = "mine"\nallow = "Whatever this very rule says."\n')
    line = Path(thread_path(str(record)))
    before = line.read_bytes()
    for _ in range(2):
        chatgpt.script(answer("allow", rule="mine"))
        run("hook", "codex", "--policy", str(policy), stdin=PAYLOAD)
        assert line.read_bytes() != before
    assert b"Whatever this very rule says." in line.read_bytes()
    # The first had a thread too many, the second none.
    assert len(chatgpt.prewarms) == 3
