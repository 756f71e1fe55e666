"""The end of a conversation: which part of the file is read, what is cut, and what is left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_oauth.gate.context import Transcript
from codex_oauth.gate.request import Host
from tests.gate.context.transcripts import (
    agent,
    call,
    heard,
    person,
    read,
    result,
    said,
    use,
    written,
)


def test_the_last_five_words_and_eight_calls_are_kept_in_order(tmp_path: Path) -> None:
    lines = [line for n in range(20) for line in (person(f"words {n}"), agent(use("Bash", {"command": f"run {n}"}, n)))]
    transcript = heard(tmp_path, *lines)
    assert transcript.user == tuple(f"words {n}" for n in range(15, 20))
    assert transcript.tools == tuple(f"Bash: run {n} [no result yet]" for n in range(12, 20))


def test_long_words_keep_their_head_and_their_tail(tmp_path: Path) -> None:
    words = "Begin here. " + "blah " * 1000 + "End here."
    (kept,) = heard(tmp_path, person(words)).user
    assert len(kept) <= 500
    assert kept.startswith("Begin here.")
    assert kept.endswith("End here.")
    assert " […] " in kept


def test_a_long_call_is_a_line_of_two_hundred_characters(tmp_path: Path) -> None:
    content = "line one\nline two\t\0\x1b[31m" + "word " * 5_000
    transcript = heard(
        tmp_path,
        agent(use("Bash", {"command": f"first {content} last"}, 1)),
        agent(use("Other", {"a": content, "b": ["x"] * 1000}, 2)),
        agent(use("n" * 10_000, {"command": "x"}, 3)),
        result("no", 3, failed=True),
    )
    assert len(transcript.tools) == 3
    assert all(len(line) <= 200 and "\n" not in line for line in transcript.tools)
    assert transcript.tools[0].startswith("Bash: first line one line two")
    assert transcript.tools[0].endswith(" last [no result yet]")
    assert transcript.tools[2].endswith(" [failed or refused]")


def test_what_is_cut_is_never_cut_within_a_word(tmp_path: Path) -> None:
    # Half a key is one that nobody would recognize, and so nobody would take out.
    key = "k" * 40
    for before in range(200, 260):
        words = "x " * (before // 2) + key + " y" * 1000 + " " + key + " z" * (before // 2)
        (kept,) = heard(tmp_path, person(words)).user
        assert set(kept.replace(key, "").replace(" […] ", "")) <= set("xyz ")


def test_a_secret_goes_before_anything_is_cut(tmp_path: Path) -> None:
    lines = [f"{n:02}" + "Kx7" * 20 + "aB" for n in range(40)]
    key = "\n".join(("-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"))
    for words in (f"{key}\nUse it.", f"Use it:\n{key}", f"{'x ' * 20_000}\n{key}\n.", f"\n{key}\n{'x ' * 20_000}"):
        transcript = heard(tmp_path, person(words), agent(use("Bash", {"command": words})))
        (kept,), (call,) = transcript.user, transcript.tools
        assert "Kx7" not in kept + call
        assert "secret" in kept


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    filler = [result("x" * 10_000, n) for n in range(100)]
    path = written(tmp_path, [person("long ago"), *filler, person("just now")])
    assert path.stat().st_size > 1_000_000
    assert read(path) == Transcript(user=("just now",))


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_line_that_the_end_begins_with_is_whole_or_left_out(tmp_path: Path, over: int) -> None:
    first = json.dumps(person("first")).encode()
    rest = json.dumps(person("last")).encode()
    blank = b" " * (256 * 1024 + over - len(first) - len(rest) - 3)
    path = written(tmp_path, [json.dumps(person("older")).encode(), first, blank, rest])
    transcript = read(path)
    assert transcript is not None
    assert transcript.user == (("first", "last") if over <= 0 else ("last",))


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, [person("whole")])
    with path.open("ab") as file:
        file.write(json.dumps(person("half")).encode()[:-20])
    assert read(path) == Transcript(user=("whole",))


GARBAGE = (
    b"",
    b"\0" * 1000,
    b"\xff\xfe\xfd",
    b"null",
    b"[]",
    b'"user"',
    b"[" * 100_000,
    b'{"type":"user","message":' + b"[" * 50_000,
    b'{"type":"user","message":{"role":"user","content":' + b"9" * 5000 + b"}}",
    b'{"type":"user"}',
    b'{"type":"user","message":"user"}',
    b'{"type":"user","message":{"content":[null,3,"x",{"type":"text"},{"type":"text","text":3}]}}',
    b'{"type":"assistant","message":{"content":[{"type":"tool_use"},{"type":"tool_use","name":3}]}}',
    b'{"type":"assistant","message":{"content":{"type":"tool_use"}}}',
    b'{"type":"attachment","attachment":{"type":"queued_command","commandMode":"prompt","prompt":{"user":1}}}',
    b'{"type":"event_msg","payload":[{"type":"user_message"}]}',
    b'{"type":"event_msg","payload":{"type":"user_message","message":["user_message"]}}',
    b'{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"UserMessage","content":7}}}',
    b'{"type":"response_item","payload":{"type":"function_call","arguments":[1]}}',
    b'{"type":"response_item","payload":{"type":["function_call"],"role":"user"}}',
    b'{"type":"response_item","payload":{"type":"function_call_output","call_id":{"a":1}}}',
)


@pytest.mark.parametrize("host", ["claude", "codex"])
def test_garbage_is_left_out(tmp_path: Path, host: Host) -> None:
    good = person("good") if host == "claude" else said("good")
    assert heard(tmp_path, *GARBAGE, good, *GARBAGE, host=host) == Transcript(user=("good",))
    assert read(written(tmp_path, GARBAGE), host) is None


@pytest.mark.parametrize("host", ["claude", "codex"])
def test_what_is_no_text_becomes_text(tmp_path: Path, host: Host) -> None:
    strange = "a\ud800b\ufffdc"
    lines: list[object] = [person(strange), agent(use("Bash", {"command": strange}))]
    if host == "codex":
        lines = [said(strange), call("exec_command", json.dumps({"cmd": strange}))]
    lines.append(b'{"type":"user","message":{"role":"user","content":"\xff"}}')
    transcript = heard(tmp_path, *lines, host=host)
    for text in (*transcript.user, *transcript.tools):
        assert text.encode().decode() == text
        assert "\N{REPLACEMENT CHARACTER}" not in text
    assert transcript.user[0] == "a\\ud800b?c"


@pytest.mark.parametrize(
    "place",
    [
        None,
        "",
        "missing.jsonl",
        ".",
        "/",
        "/dev/null",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "/proc/self/fd/0",
        "/sys/kernel/uevent_seqnum",
        "/net/example/x.jsonl",
        "\0",
        "\ud800",
        "x" * 100_000,
    ],
)
def test_a_place_that_holds_no_transcript_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(place) is None
    assert read(place, "codex") is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path / "pipe") is None


def test_a_link_is_followed_but_not_to_where_there_are_no_files(tmp_path: Path) -> None:
    path = written(tmp_path, [person("words")])
    (tmp_path / "good").symlink_to(path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "process").symlink_to("/proc/self/environ")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert read(tmp_path / "good") == Transcript(user=("words",))
    assert [read(tmp_path / name) for name in ("loop", "process", "zero")] == [None, None, None]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, [person("words")])
    os.chown(path, 12345, 12345)
    assert read(path) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, [person("words")])
    path.chmod(0)
    assert read(path) is None


def test_a_command_by_hand_has_no_conversation(tmp_path: Path) -> None:
    assert read(written(tmp_path, [person("words")]), host=None) is None
