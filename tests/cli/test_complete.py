"""`codex-oauth complete`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Json, LoopbackChatGPT, Text
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI
from tests.test_images import PNG

SCHEMA = {"type": "object", "properties": {"prime": {"type": "boolean"}}, "required": ["prime"]}


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    """A file with a JSON Schema."""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA), encoding="utf-8")
    return path


def test_the_reply_is_printed(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("101, 103 und größer"))
    done = run_cli("complete", "Three primes?")
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, "101, 103 und größer\n", b"")
    assert chatgpt.model_requests[-1].text == "Three primes?"


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["no prompt", "a dash"])
def test_the_prompt_can_be_piped_in(run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]) -> None:
    chatgpt.script(Text("ok"))
    assert run_cli("complete", *arguments, stdin="größe\nline two\n").returncode == 0
    assert chatgpt.model_requests[-1].text == "größe\nline two\n"


def test_a_prompt_that_is_given_leaves_stdin_alone(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("ok"))
    assert run_cli("complete", "given", stdin=b"\xff\xfe").returncode == 0
    assert chatgpt.model_requests[-1].text == "given"


def test_a_prompt_that_begins_with_a_dash_follows_two_of_them(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("ok"))
    assert run_cli("complete", "--", "--not-an-option").returncode == 0
    assert chatgpt.model_requests[-1].text == "--not-an-option"


def test_stdin_that_is_no_utf8_exits_with_2(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("complete", stdin=b"ab\xff")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"stdin is not UTF-8 (byte 2)" in done.stderr
    assert chatgpt.requests == ()


def test_an_argument_that_is_no_utf8_exits_with_2(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("complete", os.fsdecode(b"ab\xff"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr
    assert chatgpt.model_requests == ()


def test_an_empty_prompt_exits_with_2(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("complete", stdin="")
    assert (done.returncode, done.stdout) == (2, b"")
    assert chatgpt.model_requests == ()


def test_a_terminal_without_a_prompt_is_not_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    shown = run_in_terminal(environ, tmp_path, "complete")
    assert shown.returncode == 2
    assert "no prompt: give one, or pipe it in" in shown.text


def test_instructions_are_sent(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("ok"))
    assert run_cli("complete", "hi", "--instructions", "Be very brief.").returncode == 0
    assert "Be very brief." in json.dumps(list(chatgpt.model_requests[-1].context))


def test_with_a_schema_the_output_is_json(run_cli: RunCLI, chatgpt: LoopbackChatGPT, schema_file: Path) -> None:
    chatgpt.script(Json({"prime": False}))
    done = run_cli("complete", "--schema", str(schema_file), "Is 91 prime?")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"prime": False}, b"")


def test_a_reply_that_does_not_fit_the_schema_exits_with_7(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, schema_file: Path
) -> None:
    chatgpt.default = Json({"prime": "secret-reply"})
    done = run_cli("complete", "--schema", str(schema_file), "Is 91 prime?")
    assert (done.returncode, done.stdout) == (7, b"")
    assert "prime" in done.stderr.decode()
    assert "secret-reply" not in done.stderr.decode()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "not JSON (line 1, column 2)"),
        (b"", "not JSON (line 1, column 1)"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "a JSON Schema is an object here"),
        (b"true", "a JSON Schema is an object here"),
        (b'{"type": "objekt"}', "#/type"),
        (b'{"$ref": "https://example.com/schema"}', "ref"),
    ],
)
def test_a_schema_that_cannot_be_used_exits_with_2(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content)
    done = run_cli("complete", "--schema", str(path), "hi")
    assert (done.returncode, done.stdout) == (2, b"")
    assert complaint in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert chatgpt.model_requests == ()


def test_a_schema_that_is_not_there_exits_with_2(run_cli: RunCLI) -> None:
    done = run_cli("complete", "--schema", "none.json", "hi")
    assert (done.returncode, done.stderr) == (2, b"codex-oauth: none.json: cannot be read: No such file or directory\n")


def test_images_are_sent_as_content(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    chatgpt.script(Text("a dot"))
    assert run_cli("complete", "--image", str(path), "--image", str(path), "What?").returncode == 0
    assert json.dumps(chatgpt.model_requests[-1].body).count("data:image/png;base64,") == 2


@pytest.mark.parametrize("name", ["none.png", "."])
def test_an_image_that_cannot_be_read_exits_with_2(run_cli: RunCLI, chatgpt: LoopbackChatGPT, name: str) -> None:
    done = run_cli("complete", "--image", name, "What?")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"cannot be read" in done.stderr
    assert chatgpt.requests == ()


def test_a_stream_prints_the_same_text(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("Once upon a time.\nThe end.", chunks=8))
    done = run_cli("complete", "--stream", "A story.")
    assert (done.returncode, done.stdout.decode()) == (0, "Once upon a time.\nThe end.\n")


@pytest.mark.parametrize("other", [("--json",), ("--schema", "s.json")])
def test_a_stream_is_text_only(run_cli: RunCLI, chatgpt: LoopbackChatGPT, other: tuple[str, ...]) -> None:
    done = run_cli("complete", "--stream", *other, "hi")
    assert (done.returncode, done.stdout) == (2, b"")
    assert chatgpt.requests == ()


def test_json_says_what_the_call_took(run_cli: RunCLI, chatgpt: LoopbackChatGPT, schema_file: Path) -> None:
    chatgpt.script(Json({"prime": False}))
    done = run_cli("complete", "--json", "--schema", str(schema_file), "Is 91 prime?")
    assert (done.returncode, done.stderr) == (0, b"")
    said = json.loads(done.stdout)
    assert set(said) == {
        *("output", "model", "effort", "usage", "account", "timing", "repaired", "warm", "turn_id"),
    }
    assert (said["output"], said["account"]) == ({"prime": False}, {"kind": "chatgpt", "plan": "plus"})
    assert said["timing"]["total"] > 0
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("extra", [(), ("--stream",)], ids=["whole", "stream"])
@pytest.mark.usefixtures("settings")
def test_control_characters_of_the_model_do_not_reach_a_terminal(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    chatgpt.script(Text("a\x1b[2Jb\x07c\x9b31md\u202ee\nnext"))
    shown = run_in_terminal(environ, tmp_path, "complete", "hi", *extra).text
    assert "\x1b[2J" not in shown
    assert not {"\x07", "\x9b", "\u202e"} & set(shown)
    assert "e\nnext" in shown


def test_a_pipe_gets_the_text_as_it_is(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("a\x1b[2Jb"))
    assert run_cli("complete", "hi").stdout == b"a\x1b[2Jb\n"


@pytest.mark.parametrize("name", ["no/such/file.jsonl", ".", "a-link"])
def test_a_file_that_cannot_be_recorded_into_is_refused_before_the_call(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a-link").symlink_to(tmp_path / "elsewhere")
    done = run_cli("complete", "hello", "--record", str(tmp_path / name))
    assert (done.returncode, chatgpt.model_requests) == (2, ())
    assert b"--record" in done.stderr


@pytest.mark.parametrize("word", ["off", "False", "0", "NO"])
def test_words_that_turn_recording_off_are_no_files(run_cli: RunCLI, settings: Settings, word: str) -> None:
    assert run_cli("complete", "hello", "--record", word).returncode == 0
    assert not (settings.state_dir / "recorded.jsonl").exists()
