"""Commands that record: each is a process that has everything in the file, and posted, by the time it has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.recorder.reading import RecordFile
from codex_oauth.testing import Json, LoopbackChatGPT, Text
from tests.conftest import RunCLI
from tests.recorder.tapes_server import TapesServer

ALLOW = {"reason": "Only looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}
REQUEST = {
    "session_id": "s",
    "transcript_path": "",
    "hook_event_name": "PermissionRequest",
    "tool_name": "Bash",
    "tool_input": {"command": "ls"},
    "permission_mode": "default",
}


@pytest.fixture(autouse=True)
def no_spool(settings: Settings) -> Iterator[None]:
    """The state folder is that of all tests."""
    yield
    shutil.rmtree(settings.state_dir / "tapes", ignore_errors=True)


@pytest.mark.parametrize(
    ("label", "arguments"),
    [
        ("complete", ("complete", "hello", "--record", "{file}")),
        ("complete", ("complete", "hello", "--stream", "--record", "{file}")),
        ("classify", ("classify", "--command", "git status", "--json", "--record", "{file}")),
        ("hook", ("hook", "claude")),
    ],
    ids=["complete", "stream", "classify", "hook"],
)
def test_a_command_has_recorded_and_posted_by_its_end(
    run_cli: RunCLI,
    environ: dict[str, str],
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    label: str,
    arguments: tuple[str, ...],
) -> None:
    path = tmp_path / "recorded.jsonl"
    chatgpt.default = Json(ALLOW) if label != "complete" else Text("hi")
    if label == "hook":
        environ["CODEX_OAUTH_RECORD"] = str(path)
    config = tmp_path / "config" / "codex-oauth" / "config.toml"
    config.parent.mkdir(parents=True)
    with TapesServer() as tapes:
        config.write_text(f'[record]\ntapes = "{tapes.url}"\n')
        words = [word.replace("{file}", str(path)) for word in arguments]
        for _ in range(2):  # the first call of a hook makes ready what the second one begins with
            done = run_cli(*words, stdin=json.dumps({**REQUEST, "cwd": str(tmp_path)}) if label == "hook" else "")
            assert done.returncode == 0, done.stderr.decode()
        assert len(tapes.kept) == 2
    assert len(list(RecordFile(path))) == len(chatgpt.model_requests) == 2
