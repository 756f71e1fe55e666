"""Recorded sessions played back to the real binary, and what is said of a program that asks for something else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import InvalidRequestError
from codex_oauth.recorder.reading import RecordFile
from codex_oauth.recorder.record import record_of
from codex_oauth.records import replace
from codex_oauth.testing import Items, LoopbackChatGPT, Replay, ReplayMismatchError, Text, Usage, message
from codex_oauth.testing.matching import asked, difference, recorded
from codex_oauth.testing.messages import ModelRequest, Request
from tests.recorder.samples import RESPONSE, call, output, said, tool_loop
from tests.recorder.sessions import ANSWERS, USAGES, hold_session
from tests.secrets_shapes import SENTINEL, SHAPES

Record = dict[str, Any]
SettingsOf = Callable[[LoopbackChatGPT], Settings]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def write(path: Path, *records: Record) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def request_of(record: Record, *items: Any, instructions: str | None = None) -> ModelRequest:
    """A request as codex would send it for a record, or with other items."""
    told = record["instructions"] if instructions is None else instructions
    context: list[Any] = [
        {"type": "additional_tools", "role": "developer", "tools": []},
        said("developer", told, id="msg_1"),
        *(items or record["input"]),
    ]
    noted = [{**item, "internal_chat_message_metadata_passthrough": {"turn_id": "x"}} for item in context]
    http = Request("chatgpt.com", "POST", "/backend-api/codex/responses", {}, {}, b"", 0.0)
    return ModelRequest("sse", {"model": "another"}, 0, False, noted, http, 0.0)


def play(replay: Replay, request: ModelRequest) -> Any:
    assert callable(replay.default)
    return replay.default(request)


@pytest.fixture
def settings_of(environ: dict[str, str], settings: Settings) -> SettingsOf:
    """Settings of a user whose ChatGPT is a stand-in that plays back."""

    def of(stand_in: LoopbackChatGPT) -> Settings:
        stand_in.sign_in(settings.home)
        return load_settings(environ={**environ, **stand_in.environment})

    return of


@pytest.mark.anyio
async def test_a_recorded_session_is_played_back_with_its_tools_and_its_usage(
    settings: Settings, chatgpt: LoopbackChatGPT, settings_of: SettingsOf, tmp_path: Path
) -> None:
    path, again = tmp_path / "recorded.jsonl", tmp_path / "again.jsonl"
    chatgpt.script(*ANSWERS)
    given = await hold_session(AsyncCodex(settings=settings, record=path))

    with Replay(path, websocket=False) as stand_in:
        assert stand_in.remaining == len(ANSWERS)
        assert await hold_session(AsyncCodex(settings=settings_of(stand_in), record=again)) == given
        assert (stand_in.remaining, stand_in.played) == (0, len(ANSWERS))
        stand_in.rewind()
        assert stand_in.remaining == len(ANSWERS)
    usages = [Usage(*record["usage"].values()) for record in RecordFile(again)]
    assert usages == list(USAGES)
    assert [recorded(record) for record in RecordFile(again)] == [recorded(record) for record in RecordFile(path)]


@pytest.mark.anyio
async def test_a_request_that_was_not_recorded_fails_at_once_and_the_difference_is_named(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    path = write(tmp_path / "recorded.jsonl", record_of(replace(RESPONSE, input=(said("user", "Is 91 prime?"),))))

    async def ask() -> None:
        with Replay(path) as stand_in:
            stand_ins.append(stand_in)
            await AsyncCodex(settings=settings_of(stand_in)).complete("Is 97 prime?", instructions="Be brief.")

    async def ask_and_go_on() -> None:
        with Replay(path) as stand_in, pytest.raises(InvalidRequestError):
            await AsyncCodex(settings=settings_of(stand_in)).complete("Is 97 prime?", instructions="Be brief.")

    stand_ins: list[Replay] = []
    with pytest.raises(InvalidRequestError) as caught:
        await ask()
    (note,) = caught.value.__notes__
    assert "item 2 (user), from character 5: recorded is 'Is 91 prime?', but asked was 'Is 97 prime?'" in note
    assert len(stand_ins[0].model_requests) == 1, "it is not tried again"
    with pytest.raises(ReplayMismatchError, match="from character 5"):
        await ask_and_go_on()


@pytest.mark.anyio
async def test_a_turn_that_went_on_by_the_services_own_word_goes_on_again(
    settings: Settings, chatgpt: LoopbackChatGPT, settings_of: SettingsOf, tmp_path: Path
) -> None:
    path = tmp_path / "recorded.jsonl"
    chatgpt.script(Items([message("I think.", "commentary")], end_turn=False), Text("Done."))
    async with AsyncCodex(settings=settings, record=path) as codex:
        assert (await codex.complete("go on")).text == "Done."
    assert [record["number"] for record in RecordFile(path)] == [1, 2]
    with Replay(path) as stand_in:
        assert (await AsyncCodex(settings=settings_of(stand_in)).complete("go on")).text == "Done."
        assert stand_in.remaining == 0


@pytest.mark.anyio
async def test_what_was_recorded_without_its_secrets_is_played_back_to_a_program_that_has_them(
    settings: Settings, chatgpt: LoopbackChatGPT, settings_of: SettingsOf, tmp_path: Path
) -> None:
    some = [*list(SHAPES)[::8], "private key", "service account"]
    prompts = [f"Look: {SHAPES[name].text}" for name in some]
    prompts += [json.dumps({"n": number, "password": f"hunter{number}hunter"}, indent=number) for number in (1, 2)]
    path = tmp_path / "recorded.jsonl"
    async with AsyncCodex(settings=settings, record=path) as codex:
        given = [(await codex.complete(prompt)).text for prompt in prompts]
    assert SENTINEL not in path.read_text()
    with Replay(path) as stand_in:
        async with AsyncCodex(settings=settings_of(stand_in)) as codex:
            again = [(await codex.complete(prompt)).text for prompt in prompts]
    assert len(again) == len(given)
    assert not any(SENTINEL in text for text in again)


# --- what is the same request ----------------------------------------------------------------------------------------


def test_ids_metadata_and_the_order_of_results_do_not_matter(tmp_path: Path) -> None:
    records = [record_of(response) for response in tool_loop()]
    replay = Replay(write(tmp_path / "recorded.jsonl", *records))
    other = copy.deepcopy(records[2]["input"])
    for item in other:
        item.pop("id", None)
        if "call_id" in item:
            item["call_id"] = f"other-{item['call_id']}"
    other[4], other[5] = other[5], other[4]
    other = [item for item in other if item["type"] != "reasoning"]
    reply = play(replay, request_of(records[2], *other))
    assert (list(reply.items), reply.usage) == (records[2]["output"], Usage(300, 0, 7, 0))
    assert replay.remaining == 2


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("use sk-1 for a@b.example, now", True),
        ("use  for , now", True),
        ("use sk-1 for a@b.example, then", False),
        ("take sk-1 for a@b.example, now", False),
        ("use sk-1, now", False),
    ],
)
def test_what_was_taken_out_of_a_recording_may_be_anything(tmp_path: Path, text: str, same: bool) -> None:
    record = record_of(replace(RESPONSE, input=(said("user", "x"),)))
    record["input"] = [said("user", "use [secret: token] for [account], now")]
    replay = Replay(write(tmp_path / "recorded.jsonl", record))
    play(replay, request_of(record, said("user", text)))
    assert (replay.played == 1, not replay.errors) == (same, same)


def test_an_image_is_the_same_as_any_other_and_arguments_are_compared_as_json(tmp_path: Path) -> None:
    shown = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    message: Record = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}, shown]}
    items: tuple[Record, ...] = (
        message,
        call("see", {"a": 1, "b": 2}, "c1"),
        output("c1", [shown, {"type": "input_text", "text": "x"}]),
    )
    record = record_of(replace(RESPONSE, input=items))
    replay = Replay(write(tmp_path / "recorded.jsonl", record, record))
    other = copy.deepcopy(list(items))
    other[0]["content"][1]["image_url"] = "data:image/png;base64,BBBB"
    other[1]["arguments"] = '{"b":2,"a":1}'
    play(replay, request_of(record, *other))
    without = [{**message, "content": [message["content"][0]]}, *other[1:]]
    play(replay, request_of(record, *without))
    assert (replay.played, len(replay.errors)) == (1, 1)


def test_the_same_question_gets_its_answers_in_their_order_and_no_more_of_them(tmp_path: Path) -> None:
    records = [record_of(replace(RESPONSE, output=(said("assistant", word),))) for word in ("one", "two")]
    replay = Replay(write(tmp_path / "recorded.jsonl", *records))
    replies = [play(replay, request_of(records[0])) for _ in range(3)]
    assert [reply.items[0]["content"][0]["text"] for reply in replies[:2]] == ["one", "two"]
    assert replies[2].status == 400
    assert "more often than it was recorded" in str(replay.errors[0])


def test_without_strictness_the_next_response_answers_what_was_not_recorded(tmp_path: Path) -> None:
    records = [record_of(response) for response in tool_loop()]
    replay = Replay(write(tmp_path / "recorded.jsonl", *records), strict=False)
    play(replay, request_of(records[1]))
    reply = play(replay, request_of(records[0], said("user", "Something else?")))
    assert [item["type"] for item in reply.items] == ["reasoning", "function_call", "function_call"]
    play(replay, request_of(records[0], said("user", "And more?")))
    assert (replay.remaining, replay.errors) == (0, ())
    assert play(replay, request_of(records[0])).status == 400


FIRST = [("developer", "Be brief."), ("user", "What is 7 times 13?")]
DIFFERENCES: list[tuple[list[tuple[str, str]], str]] = [
    ([("developer", "Be long."), FIRST[1]], "item 1 (developer), from character 4"),
    ([FIRST[0], ("user", "What is 7 times 14?")], "item 2 (user), from character 18"),
    ([FIRST[1]], "item 1: recorded is developer 'Be brief.', but asked was user"),
    ([FIRST[0]], "nothing more was asked after item 1, but recorded is user 'What is"),
    ([*FIRST, ("user", "And?")], "nothing more was recorded after item 2, but asked was user 'And?'"),
    ([FIRST[0], ("user", "What is 7 times 13?" + "!" * 500)], "…"),
]


@pytest.mark.parametrize(("asked_for", "words"), DIFFERENCES)
def test_the_first_difference_is_named(asked_for: list[tuple[str, str]], words: str) -> None:
    assert words in difference(tuple(FIRST), tuple(asked_for))


def test_instructions_count_wherever_the_request_has_them() -> None:
    record = record_of(RESPONSE)
    usual = request_of(record)
    older = ModelRequest("sse", {"instructions": "Be brief."}, 0, False, usual.context[2:], usual.request, 0.0)
    assert asked(usual) == asked(older) == recorded(record) == tuple(FIRST)


# --- files -----------------------------------------------------------------------------------------------------------


def test_both_files_of_a_recording_are_played_and_a_line_that_was_cut_off_is_not(tmp_path: Path) -> None:
    one, two, three = (record_of(response) for response in tool_loop())
    write(tmp_path / "recorded.jsonl.1", one, two)
    path = write(tmp_path / "recorded.jsonl", three)
    path.write_text('{"version": 1, "inp\n' + path.read_text())
    assert Replay(path).remaining == 3


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, OSError, "recorded.jsonl"),
        ("", ValueError, "no recorded response"),
        ('{"command": "complete"}\nno JSON\n[]\n', ValueError, "no recorded response"),
        ('{"version": 2}\n', ValueError, "later version"),
        (json.dumps({**record_of(RESPONSE), "usage": {}}), ValueError, "no recorded response"),
        (json.dumps({**record_of(RESPONSE), "input": [output("a", [1])]}), ValueError, "no recorded response"),
    ],
)
def test_a_file_that_holds_no_recording_is_refused(
    tmp_path: Path, text: str | None, error: type[Exception], words: str
) -> None:
    path = tmp_path / "recorded.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=words):
        Replay(path)


def test_the_fixture_plays_the_recording_that_the_marker_names(tmp_path: Path) -> None:
    write(tmp_path / "recorded.jsonl", *(record_of(response) for response in tool_loop()))
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["codex_oauth.testing.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        '@pytest.mark.recorded("recorded.jsonl", strict=False, plan="pro")\n'
        "def test_marked(replayed_chatgpt):\n"
        "    assert replayed_chatgpt.remaining == 3\n"
        "def test_unmarked(replayed_chatgpt):\n"
        "    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert 'replayed_chatgpt needs @pytest.mark.recorded("recorded.jsonl")' in done.stdout
