"""What a call gives back: values, repairs, events, sizes, many at once, and the line that the metrics keep of it."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    ConfigurationError,
    DeadlineExceededError,
    ForbiddenItemError,
    OutputValidationError,
    PolicyBlockedError,
    UnknownModelError,
)
from codex_oauth.events import (
    Event,
    ItemCompleted,
    ItemStarted,
    MessageCompleted,
    ModelRerouted,
    PhaseReached,
    ReasoningDelta,
    RepairStarted,
    TextDelta,
    TurnCompleted,
    TurnStarted,
    UsageUpdated,
)
from codex_oauth.testing import (
    Failed,
    Hang,
    HttpResponse,
    Items,
    Json,
    LoopbackChatGPT,
    ModelRequest,
    Reply,
    Request,
    Slow,
    Text,
    Usage,
    function_call,
    message,
    reasoning,
)
from codex_oauth.testing.responses import Event as Sent
from codex_oauth.testing.responses import render
from codex_oauth.types import Usage as Tokens
from tests.conftest import RunCLI

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"prime": {"type": "boolean"}},
    "required": ["prime"],
    "additionalProperties": False,
}
RESPONSES = "/backend-api/codex/responses"


async def all_events(codex: AsyncCodex, prompt: str) -> list[Event]:
    async with codex.stream(prompt) as stream:
        return [event async for event in stream]


async def until(chatgpt: LoopbackChatGPT, predicate: Callable[[], bool]) -> None:
    await anyio.to_thread.run_sync(chatgpt.wait_until, predicate)


def thread_of(request: ModelRequest) -> str:
    return request.body["client_metadata"]["thread_id"]


# --- repairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_a_reply_that_does_not_fit_is_repaired_on_the_same_thread(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(Json({"prime": "perhaps"}, Usage(100, 40, 10, 4)), Json({"prime": False}, Usage(150, 90, 12, 5)))
    async with codex.stream("Is 91 prime?", instructions="Be exact.", output=SCHEMA) as stream:
        repairs = [event for event in [event async for event in stream] if isinstance(event, RepairStarted)]
        reply = await stream.reply()
    assert (reply.output, reply.repaired) == ({"prime": False}, True)
    assert reply.usage == Tokens(input=250, cached=130, output=22, reasoning=9)
    first, second = chatgpt.model_requests
    assert thread_of(first) == thread_of(second)
    ((error,),) = [event.errors for event in repairs]
    assert "prime" in error
    assert "perhaps" not in error
    assert f"- {error}" in second.text
    said = json.dumps(second.context)
    assert (said.count("Is 91 prime?"), said.count("perhaps")) == (1, 1)
    assert second.schema == first.schema == SCHEMA
    assert second.tools == []


@pytest.mark.anyio
async def test_a_repair_does_not_send_the_images_again(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.websocket = False
    chatgpt.script(Text("no JSON"), Json({"prime": False}))
    await codex.complete("Is it prime?", output=SCHEMA, images=[png()])
    assert [json.dumps(request.body).count("data:image/png") for request in chatgpt.model_requests] == [1, 1]


@pytest.mark.anyio
async def test_a_reply_that_does_not_fit_twice_is_an_error(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": "perhaps"}), Json({"prime": "possibly"}))
    with pytest.raises(OutputValidationError) as caught:
        await codex.complete("Is 91 prime?", output=SCHEMA)
    assert caught.value.reply == '{"prime": "possibly"}'
    assert len(caught.value.errors) == 1
    for shown in (str(caught.value), repr(caught.value), *caught.value.errors):
        assert "possibly" not in shown
    assert len(chatgpt.model_requests) == 2


def test_the_command_line_prints_nothing_of_a_reply_that_does_not_fit(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    chatgpt.default = Json({"prime": "possibly"})
    done = run_cli("complete", "--schema", str(schema), "Is 91 prime?")
    assert (done.returncode, done.stdout) == (7, b"")
    assert b"prime" in done.stderr
    assert b"possibly" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--exit-code",)], ids=["text", "json", "exit-code"])
def test_no_verdict_comes_out_of_a_reply_that_does_not_fit(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]
) -> None:
    chatgpt.default = Text("allow")
    done = run_cli("classify", "--command", "ls", *arguments)
    assert (done.returncode, done.stdout) == (7, b"")


# --- which text is the reply -----------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([message("Let me see.", "commentary"), message("No.", "final_answer")], "No."),
        ([reasoning("7 x 13"), message("Let me see.", "commentary"), message("No.")], "No."),
        ([message("No.", "final_answer"), message("That was easy.", "commentary")], "No."),
        ([message("One."), message("Two.")], "Two."),
    ],
    ids=["commentary", "reasoning-and-commentary", "commentary-after", "several"],
)
async def test_the_last_message_that_is_an_answer_is_the_reply(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, items: list[dict[str, Any]], text: str
) -> None:
    chatgpt.script(Items(items))
    assert (await codex.complete("Is 91 prime?")).text == text


@pytest.mark.parametrize("arguments", [(), ("--stream",)], ids=["whole", "streamed"])
def test_the_command_line_prints_the_answer_without_commentary(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]
) -> None:
    chatgpt.script(Items([message("Let me see.", "commentary"), message("No.", "final_answer")]))
    done = run_cli("complete", *arguments, "Is 91 prime?")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"No.\n", b"")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["exec_command", "shell", "local_shell", "apply_patch", "update_plan", "unheard_of"])
async def test_a_model_that_calls_a_tool_is_told_that_there_is_none(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "ran"
    call = {"cmd": f"touch {target}", "command": ["touch", str(target)], "plan": []}
    chatgpt.script(Items([function_call(name, call, "call_1")]), Text("It was refused."))
    assert (await codex.complete("Is 91 prime?")).text == "It was refused."
    told = [item for item in chatgpt.model_requests[1].context if item["type"] == "function_call_output"]
    assert [item["output"] for item in told] == [f"unsupported call: {name}"]
    assert not target.exists()


@pytest.mark.anyio
async def test_a_turn_that_does_something_else_than_answer_is_stopped(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "91"}}
    chatgpt.script(Items([search, message("No.")]))
    with pytest.raises(ForbiddenItemError) as caught:
        await codex.complete("Is 91 prime?")
    assert (caught.value.code, caught.value.item_type) == ("forbidden_item", "webSearch")


@pytest.mark.anyio
async def test_what_a_model_sends_of_itself_neither_runs_nor_lands_on_disk(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    target = tmp_path / "ran"
    shell = {"type": "exec", "command": ["touch", str(target)]}
    picture = base64.b64encode(png()).decode()
    chatgpt.script(
        Items(
            [
                {"type": "local_shell_call", "call_id": "call_1", "status": "completed", "action": shell},
                {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": picture},
                message("No."),
            ]
        )
    )
    assert (await codex.complete("Is 91 prime?")).text == "No."
    assert not target.exists()
    assert [path for path in settings.state_dir.rglob("*") if path.suffix == ".png"] == []


# --- values ----------------------------------------------------------------------------------------------------------


class Answer(BaseModel):
    prime: bool
    factors: list[int] = []
    note: str | None = None


@dataclass
class Plain:
    prime: bool
    factors: tuple[int, ...] = ()


@pytest.mark.anyio
async def test_a_pydantic_model_comes_back_as_one(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False, "factors": [7, 13], "note": None}))
    reply = await codex.complete("Is 91 prime?", output=Answer)
    assert reply.output == Answer(prime=False, factors=[7, 13])
    sent = chatgpt.model_requests[0].schema
    assert (set(sent["required"]), sent["additionalProperties"]) == ({"prime", "factors", "note"}, False)


@pytest.mark.anyio
async def test_a_dataclass_comes_back_as_one(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False, "factors": [7, 13]}))
    assert (await codex.complete("Is 91 prime?", output=Plain)).output == Plain(prime=False, factors=(7, 13))


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [list[int], dict[str, int], int | None, tuple[str, bool]], ids=str)
async def test_any_type_that_pydantic_knows_comes_back_as_one(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, kind: Any
) -> None:
    """The stand-in makes a value for the schema that it is sent, so this is the whole way there and back."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    reply = await codex.complete("Factors of 91?", output=adapter)
    assert chatgpt.model_requests[0].schema["type"] == "object"
    assert adapter.validate_python(reply.output, strict=True) == reply.output
    assert reply.repaired is False


@pytest.mark.anyio
async def test_a_schema_gives_the_json_value(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False}))
    reply = await codex.complete("Is 91 prime?", output=SCHEMA)
    assert (reply.output, json.loads(reply.text)) == ({"prime": False}, {"prime": False})


# --- model and effort ------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_without_a_model_the_first_small_one_runs_at_its_lowest_effort(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    luna = next(model for model in await codex.models() if model.id.endswith("-luna") and not model.hidden)
    reply = await codex.complete("Is 91 prime?")
    (request,) = chatgpt.model_requests
    assert (request.model, request.body["reasoning"]["effort"]) == (luna.id, luna.efforts[0])
    assert (reply.model, reply.effort) == (luna.id, luna.efforts[0])


@pytest.mark.anyio
async def test_a_named_model_and_effort_are_the_ones_that_run(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    model = next(model for model in await codex.models() if model.default)
    effort = model.efforts[1]
    reply = await codex.complete("Is 91 prime?", model=model.id, effort=effort)
    (request,) = chatgpt.model_requests
    assert (request.model, request.body["reasoning"]["effort"]) == (model.id, effort)
    assert (reply.model, reply.effort) == (model.id, effort)


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", [{"model": "gpt-0"}, {"effort": "utmost"}], ids=["model", "effort"])
async def test_an_unknown_model_or_effort_ends_before_anything_starts(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, arguments: dict[str, Any]
) -> None:
    # An app-server asks for the account as soon as it runs, so one that had been started would have been noticed.
    with pytest.raises(UnknownModelError):
        await codex.complete("Is 91 prime?", **arguments)
    assert not chatgpt.connections


@pytest.mark.anyio
async def test_a_reply_names_the_model_that_the_service_ran_instead(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    def rerouted(request: Request) -> HttpResponse | None:
        if request.method != "POST":
            return None
        steps = [step for step in render(Text("No."), "resp_rerouted") if isinstance(step, Sent)]
        body = "".join(f"event: {step.data['type']}\ndata: {json.dumps(step.data)}\n\n" for step in steps)
        return HttpResponse(200, body.encode(), {"content-type": "text/event-stream", "openai-model": "gpt-6-astra"})

    chatgpt.websocket = False
    chatgpt.respond(RESPONSES, rerouted)
    async with codex.stream("Is 91 prime?", model="gpt-6-luna") as stream:
        events = [event async for event in stream]
        reply = await stream.reply()
    (event,) = [event for event in events if isinstance(event, ModelRerouted)]
    assert (event.from_model, event.to_model) == ("gpt-6-luna", "gpt-6-astra")
    assert (reply.text, reply.model) == ("No.", "gpt-6-astra")
    (entry,) = entries(settings)
    assert (entry["model_requested"], entry["model"]) == ("gpt-6-luna", "gpt-6-astra")


# --- what goes in, and how much of it --------------------------------------------------------------------------------


def png() -> bytes:
    """A picture of one red pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


@pytest.mark.anyio
async def test_images_travel_as_data_and_without_their_paths(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    path = tmp_path / "wallaby.png"
    path.write_bytes(png())
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    await codex.complete("What is it?", images=[path, str(path), png(), url])
    (request,) = chatgpt.model_requests
    sent = json.dumps(request.body)
    assert sent.count(url) == 4
    assert "wallaby" not in sent
    assert str(tmp_path) not in sent


@pytest.mark.anyio
async def test_what_is_no_image_ends_before_anything_starts(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    with pytest.raises(ConfigurationError):
        await codex.complete("What is it?", images=[b"GIF but not quite"])
    assert not chatgpt.connections


STRANGE = 'Ünï çødé \u202e 🦘🏽 \u0000 \x1b[31m \u2028 \ufeff \r\n\ttab \\ " 日本語 \U0010ffff'


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_every_character_survives_both_ways(codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(Text(STRANGE, chunks=7))
    reply = await codex.complete(STRANGE, instructions=STRANGE)
    (request,) = chatgpt.model_requests
    assert (request.text, reply.text) == (STRANGE, STRANGE)
    assert json.dumps(STRANGE) in json.dumps(request.body["input"][0])


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_a_prompt_of_a_megabyte_arrives_whole(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    prompt = ("numbat é🦘 " * 110_000)[:1_048_576]
    chatgpt.websocket = websocket
    chatgpt.script(Text("yes"))
    assert (await codex.complete(prompt)).text == "yes"
    assert chatgpt.model_requests[0].text == prompt


@pytest.mark.anyio
async def test_a_prompt_that_is_larger_than_codex_takes_ends_before_anything_starts(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    with pytest.raises(ConfigurationError, match="1,048,576"):
        await codex.complete("x" * 1_048_577)
    assert not chatgpt.connections


@pytest.mark.anyio
@pytest.mark.parametrize("chunks", [1, 100])
async def test_a_reply_of_five_megabytes_arrives_whole(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, chunks: int
) -> None:
    text = "quokka é🦘 " * 400_000
    assert len(text.encode()) > 5_000_000
    chatgpt.script(Text(text, chunks=chunks))
    assert (await codex.complete("Tell me everything.")).text == text


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_stream_tells_what_happens_in_order(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("7 x 13"), message("Let me see.", "commentary"), message("No.", "final_answer")]))
    events = await all_events(codex, "Is 91 prime?")
    phases = [event.phase for event in events if isinstance(event, PhaseReached)]
    assert phases == ["spawn", "initialize", "account", "thread", "first_event", "first_text", "completed"]
    times = [event.at for event in events if isinstance(event, PhaseReached)]
    assert times == sorted(times)
    kinds = [type(event) for event in events if not isinstance(event, PhaseReached)]
    known = [kind for kind in kinds if kind.__name__ != "UnknownEvent"]
    message_events = [ItemStarted, TextDelta, MessageCompleted]
    assert known == [
        TurnStarted,
        *(ItemStarted, ReasoningDelta, ItemCompleted),
        *message_events,
        *message_events,
        UsageUpdated,
        TurnCompleted,
    ]
    assert [(event.phase, event.text) for event in events if isinstance(event, MessageCompleted)] == [
        ("commentary", "Let me see."),
        ("final_answer", "No."),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_the_pieces_of_a_stream_make_up_its_text(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(Text(STRANGE, chunks=9))
    async with codex.stream("Say it.") as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
        reply = await stream.reply()
    assert len(pieces) == 9
    assert "".join(pieces) == reply.text == STRANGE


@pytest.mark.anyio
async def test_a_streams_reply_can_be_had_without_its_events(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False}))
    async with codex.stream("Is 91 prime?", output=SCHEMA) as stream:
        assert (await stream.reply()).output == {"prime": False}


@pytest.mark.anyio
async def test_no_event_shows_content_in_its_repr(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("numbat"), message("wombat")]))
    async with codex.stream("quokka", instructions="potoroo") as stream:
        shown = repr([event async for event in stream]) + repr(await stream.reply())
    assert [word for word in ("numbat", "wombat", "quokka", "potoroo", "person@") if word in shown] == []


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_leaving_a_stream_early_ends_its_turn_and_no_other(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(Hang("It is"), Text("another"))
    async with codex:
        async with codex.stream("Is 91 prime?") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        with anyio.fail_after(5):
            await until(chatgpt, lambda: chatgpt.answering == 0)
        after = await codex.complete("And 97?")
    assert (after.text, after.warm) == ("another", True)


@pytest.mark.anyio
async def test_leaving_a_stream_of_a_process_of_its_own_ends_the_process(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    chatgpt.script(Hang("It is"))
    async with codex.stream("Is 91 prime?") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        assert processes_of() != []
    assert processes_of() == []


@pytest.mark.anyio
async def test_a_failure_is_raised_by_a_streams_events_and_by_its_reply(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Failed("cyber_policy", "No."))
    async with codex.stream("Is 91 prime?") as stream:
        seen: list[Event] = []

        async def listen() -> None:
            async for event in stream:
                seen.append(event)  # noqa: PERF401 - what came before the error is looked at

        with pytest.raises(PolicyBlockedError):
            await listen()
        with pytest.raises(PolicyBlockedError):
            await stream.reply()
    assert isinstance(seen[-1], TurnCompleted)


@pytest.mark.anyio
async def test_an_exception_of_the_callers_leaves_a_stream_as_it_is(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Hang("It is"))

    async def listen() -> None:
        async with codex.stream("Is 91 prime?") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await listen()


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_sixty_four_calls_at_once_each_get_their_own_reply(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    def slowly(request: ModelRequest) -> Reply:
        return Slow(Text(f"{request.text} and no other", chunks=3), 0.15)

    chatgpt.websocket = websocket
    chatgpt.default = slowly
    replies: dict[str, str] = {}

    async def ask(prompt: str) -> None:
        async with codex.stream(prompt) as stream:
            pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
            reply = await stream.reply()
        assert "".join(pieces) == reply.text
        replies[prompt] = reply.text

    prompts = [f"call {number:02}" for number in range(64)]
    async with codex, anyio.create_task_group() as tasks:
        for prompt in prompts:
            tasks.start_soon(ask, prompt)
    assert replies == {prompt: f"{prompt} and no other" for prompt in prompts}
    assert chatgpt.peak_answering > 16
    assert len({thread_of(request) for request in chatgpt.model_requests}) == 64


# --- metrics ---------------------------------------------------------------------------------------------------------


def entries(settings: Settings) -> list[dict[str, Any]]:
    assert settings.metrics is not None
    return [json.loads(line) for line in settings.metrics.read_bytes().splitlines()]


def misfits(entry: dict[str, Any]) -> list[str]:
    """What does not fit in a line of the metrics."""
    path = Path(__file__).parents[2] / "schemas" / "metrics-entry.schema.json"
    kind = jsonschema.Draft202012Validator
    validator: Any = kind(json.loads(path.read_bytes()), format_checker=kind.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(entry)]


@pytest.mark.anyio
async def test_the_metrics_of_every_kind_of_call_fit_their_schema(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Text("No.", Usage(100, 40, 10, 4)))
    await codex.complete("Is 91 prime?", label="ok")
    chatgpt.script(Failed("insufficient_quota"))
    with pytest.raises(Exception, match="Quota"):
        await codex.complete("Is 91 prime?", label="error")
    chatgpt.script(Hang())
    with pytest.raises(DeadlineExceededError):
        await codex.complete("Is 91 prime?", timeout=0.5, label="late")
    chatgpt.script(Hang("It is"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: codex.complete("Is 91 prime?", label="cancelled"))
        await until(chatgpt, lambda: chatgpt.answering == 1 and len(chatgpt.model_requests) == 4)
        tasks.cancel_scope.cancel()
    with pytest.raises(UnknownModelError):
        await codex.complete("Is 91 prime?", model="no/such/model at all", label="unknown")
    async with codex:
        chatgpt.script(Text("No."), Json({"prime": "perhaps"}), Json({"prime": False}))
        await codex.complete("Is 91 prime?", label="cold")
        await codex.complete("Is 91 prime?", output=SCHEMA, label="warm-repaired")

    written = {entry["command"]: entry for entry in entries(settings)}
    assert [misfits(entry) for entry in written.values()] == [[]] * 7

    def of(name: str) -> dict[str, Any]:
        return {command: entry[name] for command, entry in written.items()}

    assert of("outcome") == {
        "ok": "ok",
        "error": "error",
        "late": "error",
        "cancelled": "cancelled",
        "unknown": "error",
        "cold": "ok",
        "warm-repaired": "ok",
    }
    assert of("error") == {
        **dict.fromkeys(written),
        "error": "quota_exceeded",
        "late": "deadline_exceeded",
        "unknown": "unknown_model",
    }
    assert of("warm") == {**dict.fromkeys(written, False), "warm-repaired": True}
    assert of("repaired") == {**dict.fromkeys(written, False), "warm-repaired": True}
    assert of("plan") == {**dict.fromkeys(written, "plus"), "unknown": None}
    assert written["ok"]["tokens"] == {"input": 100, "cached": 40, "output": 10, "reasoning": 4}
    assert written["warm-repaired"]["tokens"]["input"] == 200
    assert written["unknown"]["model_requested"] == "other"
    phases = written["ok"]["phases"]
    assert None not in phases.values()
    assert list(phases.values()) == sorted(phases.values())
    assert written["warm-repaired"]["phases"]["spawn"] is None


@pytest.mark.anyio
async def test_a_replys_timing_is_what_the_metrics_say(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Text("No."))
    timing = (await codex.complete("Is 91 prime?")).timing
    (entry,) = entries(settings)
    passed = [value for name, value in entry["phases"].items() if name != "total"]
    measured = [timing.spawn, timing.initialize, timing.account, timing.thread]
    measured += [timing.first_event, timing.first_text, timing.completed]
    assert passed == [round(value or 0, 1) for value in measured]
    assert all(earlier <= later for earlier, later in itertools.pairwise([*passed, round(timing.total or 0, 1)]))
