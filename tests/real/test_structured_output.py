"""Replies as values: what comes back for a type or a schema, and what becomes of a reply that does not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import OutputValidationError
from codex_oauth.events import RepairStarted
from codex_oauth.testing import Json, LoopbackChatGPT, Text, Usage
from codex_oauth.types import Usage as Tokens
from tests.conftest import RunCLI
from tests.real.samples import PNG, PRIME


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
    reply = await codex.complete("Is 91 prime?", output=PRIME)
    assert (reply.output, json.loads(reply.text)) == ({"prime": False}, {"prime": False})


# --- repairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_a_reply_that_does_not_fit_is_repaired_on_the_same_thread(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Json({"prime": "perhaps"}, Usage(100, 40, 10, 4)), Json({"prime": False}, Usage(150, 90, 12, 5)))
    async with codex.stream("Is 91 prime?", instructions="Be exact.", output=PRIME) as stream:
        repairs = [event for event in [event async for event in stream] if isinstance(event, RepairStarted)]
        reply = await stream.reply()
    assert (reply.output, reply.repaired) == ({"prime": False}, True)
    assert reply.usage == Tokens(input=250, cached=130, output=22, reasoning=9)
    first, second = chatgpt.model_requests
    assert first.body["client_metadata"]["thread_id"] == second.body["client_metadata"]["thread_id"]
    ((error,),) = [event.errors for event in repairs]
    assert "prime" in error
    assert "perhaps" not in error
    assert f"- {error}" in second.text
    said = json.dumps(second.context)
    assert (said.count("Is 91 prime?"), said.count("perhaps")) == (1, 1)
    assert second.schema == first.schema == PRIME
    assert second.tools == []


@pytest.mark.anyio
async def test_a_repair_does_not_send_the_images_again(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.websocket = False
    chatgpt.script(Text("no JSON"), Json({"prime": False}))
    await codex.complete("Is it prime?", output=PRIME, images=[PNG])
    assert [json.dumps(request.body).count("data:image/png") for request in chatgpt.model_requests] == [1, 1]


@pytest.mark.anyio
async def test_a_reply_that_does_not_fit_twice_is_an_error(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": "perhaps"}), Json({"prime": "possibly"}))
    with pytest.raises(OutputValidationError) as caught:
        await codex.complete("Is 91 prime?", output=PRIME)
    assert caught.value.reply == '{"prime": "possibly"}'
    assert len(caught.value.errors) == 1
    for shown in (str(caught.value), repr(caught.value), *caught.value.errors):
        assert "possibly" not in shown
    assert len(chatgpt.model_requests) == 2


def test_the_command_line_prints_nothing_of_a_reply_that_does_not_fit(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(PRIME))
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
