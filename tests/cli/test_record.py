"""`codex-oauth record`: what was recorded, shown, counted and handed on."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.recorder import TapesSink
from codex_oauth.recorder.export import ImagesLeftOut, chat_example, last_of_threads
from codex_oauth.recorder.record import record_of
from codex_oauth.recorder.spool import Spool
from codex_oauth.recorder.tally import tally
from codex_oauth.records import replace
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI
from tests.recorder.contract import check
from tests.recorder.samples import RESPONSE, VALIDATOR, call, number, output, said, tool_loop

SECRET = "sk-proj-" + "Ab3dEf6hIj9lMn2pQr5t"
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}


@pytest.fixture
def file(environ: dict[str, str], tmp_path: Path) -> Path:
    """The file that calls would be recorded in."""
    environ["CODEX_OAUTH_RECORD"] = str(tmp_path / "recorded.jsonl")
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    return tmp_path / "recorded.jsonl"


def fill(file: Path, *records: dict[str, Any] | str) -> None:
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def some() -> list[dict[str, Any]]:
    loop = [record_of(response, label="conversation") for response in tool_loop()]
    return [*loop, record_of(number(9, model="gpt-6.1-sol"), label="complete")]


def test_the_last_response_is_shown_with_its_request(run_cli: RunCLI, file: Path) -> None:
    fill(file, *some())
    done = run_cli("record", "show")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert shown.splitlines() == [
        "2025-10-09T08:53:21.500Z  resp_9  complete",
        "gpt-6.1-sol (low); 1.25 s; 120 tokens in, 20 of them cached; 30 out, 5 of them reasoning; chatgpt plus",
        "thread thread-9, turn turn-1, response 1",
        "instructions",
        "  Be brief.",
        "user",
        "  What is 7 times 13?",
        "answer",
        "assistant",
        "  91",
    ]


def test_a_response_is_found_by_the_beginning_of_its_id(run_cli: RunCLI, file: Path) -> None:
    fill(file, *some())
    done = run_cli("record", "show", "resp_2")
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("resp_2  conversation")
    assert lines[lines.index("tools") :] == [
        *("tools", "  get_weather", "user", "  Weather in Paris and Rome?", "reasoning", "  Two cities."),
        *("call of get_weather c1", '  {"city": "Paris"}', "call of get_weather c2", '  {"city": "Rome"}'),
        *("output of c2", "  20C", "output of c1", "  18C", "answer", "assistant", "  18 and 20."),
    ]
    several, none = run_cli("record", "show", "resp_"), run_cli("record", "show", "other")
    assert (several.returncode, none.returncode) == (2, 2)
    assert "4 responses have ids that begin with resp_" in several.stderr.decode()
    assert "no response with the id other" in none.stderr.decode()
    assert run_cli("record", "show", "resp_1", "--last", "2").returncode == 2


def test_what_is_shown_holds_no_secrets_and_nothing_that_moves_the_cursor(run_cli: RunCLI, file: Path) -> None:
    secret = replace(
        RESPONSE,
        instructions=f"Use {SECRET}.",
        input=(said("user", "\x1b[2Jhello"), call("x", {"key": SECRET}, "c1"), output("c1", [IMAGE])),
    )
    raw = record_of(secret, redact=False, images=True)
    assert SECRET in json.dumps(raw)
    fill(file, raw, record_of(number(2)))
    for arguments in (("--last", "2"), ("resp_1",), ("--last", "9", "--json"), ("resp_1", "--json")):
        done = run_cli("record", "show", *arguments)
        assert done.returncode == 0
        assert SECRET not in done.stdout.decode()
        assert b"\x1b" not in done.stdout
    assert b"[secret: " in done.stdout
    one = json.loads(done.stdout)
    VALIDATOR.validate(one)
    assert "bytes=8" in one["input"][2]["output"][0]["image_url"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_terminal_gets_colours(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    fill(file, *some())
    shown = run_in_terminal(environ, tmp_path, "record", "show", "resp_1")
    assert shown.returncode == 0
    assert "\x1b[32m" in shown.text
    assert "answer\n" in shown.plain


def test_responses_are_counted_by_day_model_and_label(run_cli: RunCLI, environ: dict[str, str], file: Path) -> None:
    environ["TZ"] = "Europe/Berlin"
    fill(file, *some(), "no record", some()[0])
    done = run_cli("record", "stats")
    assert done.returncode == 0
    first, facts, _, *tables = done.stdout.decode().splitlines()
    assert first.startswith(f"{file}: ")
    assert facts == "5 responses in 2 threads; 1 recorded twice"
    assert [line.split() for line in tables] == [
        ["day", "responses", "in", "cached", "out", "reasoning", "mean", "time"],
        ["2025-10-09", "5", "860", "60", "97", "15", "1.25", "s"],
        [],
        ["model", "responses", "in", "cached", "out", "reasoning", "mean", "time"],
        ["gpt-6-luna", "4", "740", "40", "67", "10", "1.25", "s"],
        ["gpt-6.1-sol", "1", "120", "20", "30", "5", "1.25", "s"],
        [],
        ["label", "responses", "in", "cached", "out", "reasoning", "mean", "time"],
        ["conversation", "4", "740", "40", "67", "10", "1.25", "s"],
        ["complete", "1", "120", "20", "30", "5", "1.25", "s"],
    ]
    assert "lines that are no records and were left out: 1" in done.stderr.decode()


def test_stats_say_what_waits_for_a_tapes_server(run_cli: RunCLI, environ: dict[str, str], file: Path) -> None:
    sink = TapesSink("http://127.0.0.1:9", spool=Path(environ["XDG_STATE_HOME"], "codex-oauth", "tapes"))
    sink.write(record_of(RESPONSE))
    sink.close(20)
    refused = Spool(sink.spool.folder)
    refused.add("resp_2", b"{}")
    assert refused.reject(refused.waiting()[-1], 422, "why")

    done = run_cli("record", "stats")
    assert done.returncode == 0, "without a file of records too"
    assert [line.split(" (")[0].split(";")[0] for line in done.stdout.decode().splitlines()[1:]] == [
        "  waiting for the tapes server: 1",
        "  refused by it: 1",
    ]
    fill(file, *some())
    value = json.loads(run_cli("record", "stats", "--json").stdout)
    assert [(spool["waiting"], spool["rejected"], spool["lost"]) for spool in value["spools"]] == [(1, 1, 0)]
    assert (value["responses"], value["threads"], value["tokens"]["input"]) == (4, 2, 740)
    assert value["models"]["gpt-6-luna"]["responses"] == 3
    assert (value["first"], value["bytes"]) == ("2025-10-09T08:53:21.500Z", file.stat().st_size)


@pytest.mark.parametrize("form", ["jsonl", "openai-chat", "tapes"])
def test_records_are_exported_a_json_value_a_line(run_cli: RunCLI, file: Path, tmp_path: Path, form: str) -> None:
    fill(file, *some(), '{"torn": ')
    done = run_cli("record", "export", "--format", form)
    assert done.returncode == 0
    values = [json.loads(line) for line in done.stdout.splitlines()]
    match form:
        case "jsonl":
            assert values == some()
        case "tapes":
            assert [check(json.dumps(value).encode())[0] for value in values] == [202] * 4
        case _:
            assert [len(value["messages"]) for value in values] == [8, 3]
    assert "no records and were left out: 1" in done.stderr.decode()

    place = tmp_path / "out" / "mine.jsonl"
    place.parent.mkdir()
    arguments = ("record", "export", "--format", form, "--output", str(place), "--label", "complete")
    assert run_cli(*arguments).returncode == 0
    assert len(place.read_text().splitlines()) == 1
    assert sys.platform == "win32" or stat.S_IMODE(place.stat().st_mode) == 0o600
    again = run_cli(*arguments)
    assert (again.returncode, "is there already" in again.stderr.decode()) == (2, True)


@pytest.mark.parametrize("what", ["show", "stats", "export"])
def test_what_cannot_be_read_is_said(run_cli: RunCLI, file: Path, tmp_path: Path, what: str) -> None:
    missing = run_cli("record", what)
    assert (missing.returncode, missing.stdout) == (2, b"")
    assert "nothing was recorded yet" in missing.stderr.decode()
    named = run_cli("record", what, "--file", str(tmp_path / "other.jsonl"))
    assert (named.returncode, "no such file" in named.stderr.decode()) == (2, True)
    folder = run_cli("record", what, "--file", str(tmp_path))
    assert (folder.returncode, "cannot be read" in folder.stderr.decode()) == (2, True)

    file.write_bytes(b"")
    empty = run_cli("record", what)
    if what == "show":
        assert (empty.returncode, "holds no records" in empty.stderr.decode()) == (2, True)
    else:
        assert (empty.returncode, empty.stderr) == (0, b"")
    fill(file, {**record_of(RESPONSE), "version": 9})
    assert "a later version" in run_cli("record", what).stderr.decode()


# --- the parts -------------------------------------------------------------------------------------------------------


def test_a_conversation_becomes_one_example_for_a_chat_model() -> None:
    records = [record_of(response) for response in tool_loop()]
    (last,) = last_of_threads(records)
    assert chat_example(last) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Paris and Rome?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
                    for call_id, arguments in (("c1", '{"city": "Paris"}'), ("c2", '{"city": "Rome"}'))
                ],
            },
            {"role": "tool", "tool_call_id": "c2", "content": "20C"},
            {"role": "tool", "tool_call_id": "c1", "content": "18C"},
            {"role": "assistant", "content": "18 and 20."},
            {"role": "user", "content": "And in K?"},
            {"role": "assistant", "content": "291 and 293."},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "description": "The weather in a city.",
                    "parameters": tool_loop()[0].tools[0]["inputSchema"],
                },
            }
        ],
    }


def test_an_example_shows_images_that_were_kept_and_none_that_were_not() -> None:
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is it?"}, IMAGE]}
    response = replace(RESPONSE, instructions=None, input=(said("developer", "Look."), message))
    shown = chat_example(record_of(response, images=True))["messages"]
    assert shown[0] == {"role": "system", "content": "Look."}
    assert shown[1]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": IMAGE["image_url"]}},
    ]
    with pytest.raises(ImagesLeftOut):
        chat_example(record_of(response))


def test_a_remark_and_the_calls_after_it_are_one_message() -> None:
    items = (said("assistant", "I look.", phase="commentary"), call("x", {}, "c1"))
    *_, last = chat_example(record_of(replace(RESPONSE, output=items)))["messages"]
    assert (last["content"], len(last["tool_calls"])) == ("I look.", 1)


def test_no_records_add_up_to_nothing() -> None:
    found = tally([])
    assert (found.all.responses, found.threads, found.first, found.days) == (0, 0, None, {})
