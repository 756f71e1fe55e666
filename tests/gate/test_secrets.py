"""A secret in a request is in nothing but the user's own files, whatever its shape: the service is not sent it, and no
stream, no metrics and no page has it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.testing import HttpError, Json, LoopbackChatGPT, ModelRequest, Text
from tests.gate.blackbox.machine import Machine, host_environment
from tests.secrets_shapes import SHAPES

_PIECE: Final = 12
"""Characters of a secret in a row that are a leak of it."""


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


def in_claude_transcript(text: str) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": text}}
    long = f"{'word ' * 60}{text}{' word' * 60}"
    return [
        {"type": "user", "message": {"role": "user", "content": f"Please run: {text}"}},
        {"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": long}]}},
        {"type": "assistant", "message": {"role": "assistant", "content": [call]}},
    ]


def in_codex_transcript(text: str) -> list[dict[str, Any]]:
    arguments = json.dumps({"cmd": text})
    call = {"type": "function_call", "name": "exec_command", "arguments": arguments, "call_id": "call_1"}
    return [
        {"type": "event_msg", "payload": {"type": "user_message", "message": f"Please run: {text}"}},
        {"type": "response_item", "payload": call},
    ]


def patch(text: str) -> str:
    added = "".join(f"+{line}\n" for line in text.split("\n"))
    return f"*** Begin Patch\n*** Add File: notes.txt\n{added}*** End Patch"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a request.

    Attributes:
        host: Whose request it is.
        fields: The request's, made of the text with the secret.
    """

    host: Host
    tool: str
    tool_input: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


def places(text: str) -> Iterator[Place]:
    suggested = {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": text}], "behavior": "allow"}
    described = {"command": text, "description": f"Runs {text}"}
    yield Place("claude", "Bash", described, {"permission_suggestions": [suggested]})
    yield Place("claude", "Write", {"file_path": "notes.txt", "content": f"First.\n{text}\nLast.\n"})
    yield Place("codex", "apply_patch", {"command": patch(text)})
    yield Place("codex", "mcp__a__b", {"note": text, "deep": [{"er": [text]}], text: 1})
    if "/" not in text and len(text.encode()) < 200:
        yield Place("codex", "Bash", {"command": "ls"}, {"cwd": f"/srv/{text}"})


# --- where it must not be -----------------------------------------------------------------------------------------


def pieces(secret: str) -> set[str]:
    """What must be found nowhere: every piece of it, also as JSON, HTML and addresses write it."""
    written = {secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, safe="")}
    return {form[start : start + _PIECE] for form in written for start in range(max(len(form) - _PIECE, 0) + 1)}


def held(secret: str, content: str) -> set[str]:
    """The pieces of it that a text has."""
    return {piece for piece in pieces(secret) if piece in content}


def wire(chatgpt: LoopbackChatGPT) -> Iterator[str]:
    """Everything that any service was sent, decoded."""
    for request in chatgpt.requests:
        yield json.dumps([request.host, request.path, dict(request.query), dict(request.headers)], ensure_ascii=False)
        yield request.body.decode("utf-8", "replace")
    for request in (*chatgpt.model_requests, *chatgpt.prewarms):
        yield json.dumps([dict(request.body), [dict(item) for item in request.context]], ensure_ascii=False)
        yield json.dumps(dict(request.body))


def files(*folders: Path) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes().decode("utf-8", "replace")


def test_there_are_fifteen_shapes() -> None:
    assert len(SHAPES) >= 15


@pytest.mark.parametrize("name", SHAPES)
def test_a_secret_of_this_shape_goes_nowhere(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    text, secret = SHAPES[name].text, SHAPES[name].secret
    own = tmp_path / "own"
    own.mkdir()
    transcripts: dict[Host, Path] = {"claude": own / "claude.jsonl", "codex": own / "codex.jsonl"}
    for path, lines in zip(transcripts.values(), (in_claude_transcript(text), in_codex_transcript(text)), strict=True):
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    host_settings = Path(machine.environ["HOME"]) / ".claude" / "settings.json"
    host_settings.parent.mkdir()
    host_settings.write_text(json.dumps({"permissions": {"allow": [f"Bash({text})"], "deny": [text]}}))
    chatgpt.default = echo
    shown: list[str] = []
    asked = list(places(text))
    payloads: list[bytes] = []
    for place in asked:
        request = machine.payload(
            place.host,
            tool_name=place.tool,
            tool_input=place.tool_input,
            transcript_path=str(transcripts[place.host]),
            **place.more,
        )
        payloads.append(json.dumps(request).encode())
        seen = machine.ask(place.host, request)
        assert seen.status == 0, seen.stderr
        assert b'"deny"' in seen.stdout
        shown += [seen.stdout.decode(), json.loads(seen.stdout)["hookSpecificOutput"]["decision"]["message"]]
        shown.append(seen.stderr)
    assert len(chatgpt.model_requests) == len(asked)
    # It was there, and was taken out.
    assert all("[secret: " in request.text for request in chatgpt.model_requests)
    page = tmp_path / "page.html"
    for command, stdin in (
        (("metrics",), b""),
        (("metrics", "--json", "--html", str(page)), b""),
        (("gate", "explain"), payloads[0]),
        (("gate", "explain", "--no-call", "--json"), payloads[3]),
    ):
        done = machine.run(*command, stdin=stdin)
        assert done.returncode == 0, done.stderr
        shown += [done.stdout.decode(), done.stderr.decode()]
    assert page.exists()
    assert [sorted(held(secret, content)) for content in shown] == [[]] * len(shown)
    assert [found for content in wire(chatgpt) if (found := held(secret, content))] == []
    found = {path for path, content in files(settings.state_dir, tmp_path) if held(secret, content)}
    assert found == {*transcripts.values(), host_settings}


@pytest.mark.parametrize("name", list(SHAPES)[:3])
def test_no_failure_tells_it_either(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    text, secret = SHAPES[name].text, SHAPES[name].secret

    def refuse(request: ModelRequest) -> HttpError:
        return HttpError(400, {"error": {"code": "bad", "message": f"Not this: {request.text}"}})

    def babble(request: ModelRequest) -> Text:
        return Text(request.text)

    shown: list[str] = []
    for answer in (refuse, babble):
        chatgpt.default = answer
        request = machine.payload("codex", tool_input={"command": text})
        for options in ((), ("--on-failure", "deny")):
            seen = machine.ask("codex", request, *options)
            shown += [seen.stdout.decode(), seen.stderr]
    # Not even JSON: nothing of it may be quoted.
    seen = machine.ask("claude", f'{{"tool_name": "Bash", "tool_input": {{"command": {text}'.encode())
    shown += [seen.stdout.decode(), seen.stderr]
    assert all("git" not in line for line in shown)
    assert [content for content in (*shown, *wire(chatgpt)) if held(secret, content)] == []
    assert [path for path, content in files(settings.state_dir, tmp_path) if held(secret, content)] == []
