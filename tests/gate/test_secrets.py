"""A secret in a request is in nothing but the user's own files, whatever its shape: the service is not sent it, and no
stream, no metrics and no page has it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.testing import HttpError, Json, LoopbackChatGPT, ModelRequest, Text
from tests.gate.blackbox.host import Seen
from tests.gate.blackbox.machine import Machine, host_environment
from tests.secrets_shapes import SHAPES, Shape

_PIECE: Final = 12
"""Characters of a secret in a row that are a leak of it."""
_AT_ONCE: Final = 10
"""Secrets that one request holds, where it has a text for each."""

NAMES: Final = tuple(SHAPES)
BATCHES: Final = tuple(NAMES[start : start + _AT_ONCE] for start in range(0, len(NAMES), _AT_ONCE))


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return host_environment(environ, tmp_path)


@pytest.fixture
def machine(environ: dict[str, str], settings: Settings, tmp_path: Path) -> Machine:
    assert settings.metrics is not None
    return Machine.made(environ, tmp_path, settings.metrics)


def echo(request: ModelRequest) -> Json:
    """A model that repeats everything that it was shown."""
    return Json({"reason": request.text, "rule": "destroy", "behavior": "deny", "deny_message": request.text})


# --- where a secret may stand -------------------------------------------------------------------------------------


def said_to_claude(text: str) -> list[dict[str, Any]]:
    """A transcript of Claude Code's that has it in words, in long ones, and in a call."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": text}}
    long = f"{'word ' * 60}{text}{' word' * 60}"
    return [
        {"type": "user", "message": {"role": "user", "content": f"Please run: {text}"}},
        {"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": long}]}},
        {"type": "assistant", "message": {"role": "assistant", "content": [call]}},
    ]


def said_to_codex(text: str) -> list[dict[str, Any]]:
    """A rollout of Codex's that has it in words and in a call."""
    arguments = json.dumps({"cmd": text})
    call = {"type": "function_call", "name": "exec_command", "arguments": arguments, "call_id": "call_1"}
    return [
        {"type": "event_msg", "payload": {"type": "user_message", "message": f"Please run: {text}"}},
        {"type": "response_item", "payload": call},
    ]


def patch(*texts: str) -> str:
    """A patch that leaves each alone in one file, and in another takes one out and puts it in again."""
    changes = ""
    for number, text in enumerate(texts):
        kept, gone, new = ("".join(f"{mark}{line}\n" for line in text.split("\n")) for mark in " -+")
        changes += f"*** Update File: kept-{number}.txt\n@@\n-old\n{kept}"
        changes += f"*** Update File: changed-{number}.txt\n@@\n{gone}{new}"
    return f"*** Begin Patch\n{changes}*** End Patch"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with a secret.

    Attributes:
        host: Whose it is.
        tool: The tool.
        tool_input: What it is called with.
        said: The conversation.
        more: Other fields of the request.
    """

    host: Host
    tool: str
    tool_input: Mapping[str, Any]
    said: list[dict[str, Any]]
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def payload(self, machine: Machine, folder: Path) -> dict[str, Any]:
        """The request; the transcript is in that folder, in a file of its own."""
        transcript = folder / f"{self.tool}.jsonl"
        transcript.write_text("".join(f"{json.dumps(line)}\n" for line in self.said))
        changes = {"tool_name": self.tool, "tool_input": dict(self.tool_input), "transcript_path": str(transcript)}
        return machine.payload(self.host, **changes, **self.more)


def in_a_command(text: str) -> Asked:
    suggested = {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": text}], "behavior": "allow"}
    described = {"command": text, "description": f"Runs {text}"}
    return Asked("claude", "Bash", described, said_to_claude(text), {"permission_suggestions": [suggested]})


def in_a_file(text: str) -> Asked:
    content = f"First.\n{text}\nLast.\n"
    return Asked("claude", "Write", {"file_path": "notes.txt", "content": content}, said_to_claude(text))


def in_a_patch(*texts: str) -> Asked:
    folder = {} if "/" in texts[0] else {"cwd": f"/srv/{texts[0]}"}
    return Asked("codex", "apply_patch", {"command": patch(*texts)}, said_to_codex(texts[0]), folder)


def in_arguments(texts: list[str]) -> Asked:
    arguments = {"notes": texts, "deep": [{"er": [{text: text}]} for text in texts], "text": {"of": texts[0]}}
    return Asked("codex", "mcp__a__b", arguments, said_to_codex(texts[-1]))


# --- where it must not be -----------------------------------------------------------------------------------------


def held(content: str, *shapes: Shape) -> set[str]:
    """The pieces of secrets that a text has, as they are and as addresses write them."""
    written = {form for shape in shapes for form in (shape.secret, quote(shape.secret, safe=""))}
    parts = {form[start : start + _PIECE] for form in written for start in range(max(len(form) - _PIECE, 0) + 1)}
    return {part for part in parts if part in content}


def wire(chatgpt: LoopbackChatGPT) -> Iterator[str]:
    """Everything that any service was sent, decoded."""
    for request in chatgpt.requests:
        yield json.dumps([request.host, request.path, dict(request.query), dict(request.headers)])
        yield request.body.decode("utf-8", "replace")
    for request in (*chatgpt.model_requests, *chatgpt.prewarms):
        yield json.dumps([dict(request.body), [dict(item) for item in request.context]])


def leaks(chatgpt: LoopbackChatGPT, folders: tuple[Path, ...], own: Path, *shapes: Shape) -> list[str]:
    """Where pieces of secrets are: in what was sent, and in files that are not the user's own."""
    found = [f"sent: {parts}" for content in wire(chatgpt) if (parts := held(content, *shapes))]
    for path in (Path(root, name) for folder in folders for root, _, names in os.walk(folder) for name in names):
        if path.is_file() and not path.is_relative_to(own):
            # An app-server may be on its way out yet, and tidies up after itself.
            with suppress(FileNotFoundError):
                parts = held(path.read_bytes().decode("utf-8", "replace"), *shapes)
                found += [f"{path}: {parts}"] if parts else []
    return found


def streams(seen: Seen) -> list[str]:
    """What a host got: its bytes, and the words in them."""
    words = json.loads(seen.stdout)["hookSpecificOutput"]["decision"].get("message", "") if seen.stdout else ""
    return [seen.stdout.decode(), words, seen.stderr]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Where the user's own files are that have the secret."""
    folder = tmp_path / "user"
    (folder / ".claude").mkdir()
    return folder


def test_there_are_fifteen_shapes() -> None:
    assert len(SHAPES) >= 15
    assert all(shape.secret in shape.text for shape in SHAPES.values())


def test_a_leak_would_be_found(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    shape = SHAPES[NAMES[0]]
    (tmp_path / "log").write_text(f"… {shape.secret[3:18]} …")
    assert len(leaks(chatgpt, (tmp_path,), tmp_path / "own", shape)) == 1
    assert leaks(chatgpt, (tmp_path,), tmp_path, shape) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_of_this_shape_goes_nowhere(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, own: Path, name: str
) -> None:
    shape = SHAPES[name]
    permissions = {"allow": [f"Bash({shape.text})"], "deny": [shape.text]}
    (own / ".claude" / "settings.json").write_text(json.dumps({"permissions": permissions}))
    chatgpt.default = echo
    shown: list[str] = []
    # What is written is cut and kept alike, by whichever tool.
    written = in_a_file if NAMES.index(name) % 2 else in_a_patch
    for asked in (in_a_command(shape.text), written(shape.text)):
        seen = machine.ask(asked.host, asked.payload(machine, own))
        assert (seen.status, b'"deny"' in seen.stdout) == (0, True), seen
        shown += streams(seen)
    assert len(chatgpt.model_requests) == 2
    # It was there, and was taken out.
    assert all("[secret: " in request.text for request in chatgpt.model_requests)
    assert [content for content in shown if held(content, shape)] == []
    assert leaks(chatgpt, (settings.state_dir, tmp_path), own, shape) == []


@pytest.mark.parametrize("batch", range(len(BATCHES)))
def test_many_secrets_at_once_are_in_no_report_and_no_explanation(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, own: Path, batch: int
) -> None:
    shapes = [SHAPES[name] for name in BATCHES[batch]]
    texts = [shape.text for shape in shapes]
    asked = in_arguments(texts).payload(machine, own)
    patched = in_a_patch(*texts).payload(machine, own)
    command = in_a_command(texts[0]).payload(machine, own)
    chatgpt.default = echo
    shown: list[str] = []
    for request in (asked, patched):
        seen = machine.ask("codex", request)
        assert (seen.status, b'"deny"' in seen.stdout) == (0, True), seen
        shown += streams(seen)
    page = tmp_path / "page.html"
    for arguments, stdin in (
        (("metrics",), b""),
        (("metrics", "--json", "--html", str(page)), b""),
        (("gate", "explain"), json.dumps(asked).encode()),
        (("gate", "explain", "--no-call", "--json"), json.dumps(command).encode()),
    ):
        done = machine.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        shown += [done.stdout.decode(), done.stderr.decode()]
    assert "mcp__a__b" in page.read_text(encoding="utf-8")
    assert "[secret: " in page.read_text(encoding="utf-8")
    assert [content for content in shown if held(content, *shapes)] == []
    assert leaks(chatgpt, (settings.state_dir, tmp_path), own, *shapes) == []


@pytest.mark.parametrize("name", ["bearer", "private key", "aws secret key"])
def test_no_failure_tells_it_either(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, own: Path, name: str
) -> None:
    shape = SHAPES[name]

    def refuse(request: ModelRequest) -> HttpError:
        return HttpError(400, {"error": {"code": "bad", "message": f"Not this: {request.text}"}})

    def babble(request: ModelRequest) -> Text:
        return Text(request.text)

    shown: list[str] = []
    asked = in_a_command(shape.text).payload(machine, own)
    for said in (refuse, babble):
        chatgpt.default = said
        for options in ((), ("--on-failure", "deny")):
            shown += streams(machine.ask("claude", asked, *options))
    # What is not even JSON is not quoted.
    shown += streams(machine.ask("codex", f'{{"tool_name": "Bash", "tool_input": {{"command": {shape.text}'.encode()))
    assert [content for content in shown if held(content, shape)] == []
    assert leaks(chatgpt, (settings.state_dir, tmp_path), own, shape) == []
