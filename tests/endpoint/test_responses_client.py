"""`/v1/responses` as OpenAI's own client uses it, on the real binary: each call as in OpenAI's documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseFunctionToolCall, ResponseInputParam
from pydantic import BaseModel

from codex_oauth.testing import Cut, Hang, Items, Text, Usage, function_call, message, reasoning, usage_limit_reached
from tests.endpoint.served import TOKEN, Served

PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5"
    "ErkJggg=="
)
WEATHER: Final[Any] = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


class Prime(BaseModel):
    """An answer of a known shape."""

    reason: str
    prime: bool
    factors: list[int]


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    """OpenAI's client, pointed there."""
    with OpenAI(base_url=served.base_url, api_key=TOKEN, max_retries=0, timeout=20) as made:
        yield made


def context(served: Served) -> list[dict[str, Any]]:
    """What the model was told last, without tools."""
    told = served.chatgpt.model_requests[-1].context
    return [dict(item) for item in told if item["type"] != "additional_tools"]


def texts(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Who said what in it."""
    messages = [item for item in items if item["type"] == "message"]
    return [(item["role"], part["text"]) for item in messages for part in item["content"] if "text" in part]


def test_a_text_is_answered_with_usage_and_the_model_that_ran(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Text("No.", Usage(100, 40, 12, 5)))
    response = client.responses.create(
        model="default", instructions="Be short.", input="Is 91 prime?", metadata={"a": "b"}
    )
    assert response.output_text == "No."
    assert response.status == "completed"
    assert response.model == served.chatgpt.model_requests[-1].body["model"]
    assert response.id.startswith("resp_")
    assert response.metadata == {"a": "b"}
    assert response.usage is not None
    assert response.usage.to_dict() == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 112,
    }
    assert texts(context(served)) == [("developer", "Be short."), ("user", "Is 91 prime?")]


def test_a_stream_is_put_together_by_the_clients_own_helper(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Text("One two three", chunks=3))
    with client.responses.stream(model="default", input="Count.") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(deltas) == 3
    assert "".join(deltas) == final.output_text == "One two three"


def test_a_model_of_ones_own_is_parsed_and_its_properties_keep_their_order(served: Served, client: OpenAI) -> None:
    value = {"reason": "7 x 13", "prime": False, "factors": [7, 13]}
    served.chatgpt.script(Text(json.dumps(value)))
    response = client.responses.parse(model="default", input="Is 91 prime?", text_format=Prime)
    assert response.output_parsed == Prime(reason="7 x 13", prime=False, factors=[7, 13])
    form = served.chatgpt.model_requests[-1].body["text"]["format"]
    assert list(form["schema"]["properties"]) == ["reason", "prime", "factors"]


@pytest.mark.parametrize("streamed", [False, True])
def test_commentary_is_left_out_of_an_answer_of_a_known_shape(served: Served, client: OpenAI, streamed: bool) -> None:
    answer = json.dumps({"reason": "7 x 13", "prime": False, "factors": []})
    items = Items([message("Let me divide.", "commentary"), message(answer, "final_answer")])
    served.chatgpt.script(items, items)
    if streamed:
        with client.responses.stream(model="default", input="Is 91 prime?", text_format=Prime) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.parse(model="default", input="Is 91 prime?", text_format=Prime)
    # Clients that know of no phases read all of it.
    assert response.output_text == answer
    assert response.output_parsed == Prime(reason="7 x 13", prime=False, factors=[])
    with client.responses.stream(model="default", input="Is 91 prime?") as stream:
        phases = [item.phase for item in stream.get_final_response().output if item.type == "message"]
    assert phases == ["commentary", "final_answer"]


def test_an_answer_that_does_not_fit_is_asked_for_again_and_the_second_one_is_given(
    served: Served, client: OpenAI
) -> None:
    served.chatgpt.script(Text('{"prime": "maybe"}'), Text('{"reason": "", "prime": false, "factors": []}'))
    response = client.responses.parse(model="default", input="Is 91 prime?", text_format=Prime)
    assert response.output_parsed == Prime(reason="", prime=False, factors=[])
    assert response.usage is not None
    assert response.usage.input_tokens == 200


def test_json_of_any_shape_is_one_object(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Text("Sure: yes"), Text('{"prime": false}'))
    response = client.responses.create(
        model="default", input="Answer in JSON: is 91 prime?", text={"format": {"type": "json_object"}}
    )
    assert json.loads(response.output_text) == {"prime": False}


def test_a_tool_loop_goes_round_with_the_items_of_the_answer(served: Served, client: OpenAI) -> None:
    calls = [function_call("weather", {"city": "Rome"}, "c1"), function_call("weather", {"city": "Oslo"}, "c2")]
    served.chatgpt.script(
        Items([{**reasoning("", "sealed"), "id": "rs_1"}, message("I look.", "commentary"), *calls]), Text("18 and 3")
    )
    items: ResponseInputParam = [{"role": "user", "content": "How warm is it?"}]
    response = client.responses.create(model="default", input=items, tools=[WEATHER])
    found = [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]
    assert [(call.call_id, json.loads(call.arguments)) for call in found] == [
        ("c1", {"city": "Rome"}),
        ("c2", {"city": "Oslo"}),
    ]
    items += response.output  # type: ignore[arg-type] - as in OpenAI's documentation
    for call, output in zip(found, ("18", "3"), strict=True):
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    assert client.responses.create(model="default", input=items, tools=[WEATHER]).output_text == "18 and 3"
    kinds = [item["type"] for item in context(served)]
    assert kinds == ["message", "reasoning", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    assert [item["encrypted_content"] for item in context(served) if item["type"] == "reasoning"] == ["sealed"]


def test_a_streamed_call_is_put_together(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Items([function_call("weather", {"city": "Rome"}, "c1")]))
    with client.responses.stream(model="default", input="How warm is it in Rome?", tools=[WEATHER]) as stream:
        deltas = [event.snapshot for event in stream if event.type == "response.function_call_arguments.delta"]
        call = stream.get_final_response().output[0]
    assert isinstance(call, ResponseFunctionToolCall)
    assert deltas == [call.arguments] == ['{"city": "Rome"}']


def test_one_function_that_has_to_be_called_is_the_only_one_offered(served: Served, client: OpenAI) -> None:
    other: Any = {**WEATHER, "name": "clock"}
    served.chatgpt.script(Items([function_call("clock", {"city": "Rome"}, "c1")]))
    response = client.responses.create(
        model="default",
        input="What time is it?",
        tools=[WEATHER, other],
        tool_choice={"type": "function", "name": "clock"},
    )
    assert [item.type for item in response.output] == ["function_call"]
    assert len(response.tools) == 2
    assert '"weather"' not in json.dumps(served.chatgpt.model_requests[-1].context)


def test_an_image_is_seen(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Text("A pixel."))
    response = client.responses.create(
        model="default",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                ],
            }
        ],
    )
    assert response.output_text == "A pixel."
    assert "data:image/png;base64," in json.dumps(context(served))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_that_is_too_long_is_incomplete(served: Served, client: OpenAI, streamed: bool) -> None:
    served.chatgpt.script(Text("one two three four five six seven eight", chunks=8))
    if streamed:
        events = list(client.responses.create(model="default", input="Count.", max_output_tokens=3, stream=True))
        assert events[-1].type == "response.incomplete"
        response = events[-1].response
    else:
        response = client.responses.create(model="default", input="Count.", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text
    assert "one two three four five six seven eight".startswith(response.output_text)
    assert len(response.output_text) < 30


def test_what_has_no_effect_is_named_in_a_header_and_nothing_is_stored(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Text("Hi"))
    raw = client.responses.with_raw_response.create(model="default", input="Hi", temperature=0.1, store=True)
    assert raw.headers["x-codex-oauth-ignored"] == "temperature, store"
    response = raw.parse()
    assert response.to_dict()["store"] is False
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="no response is stored here"):
            ask(response.id)
    with pytest.raises(openai.NotFoundError, match="no response is stored here"):
        client.responses.input_items.list(response.id)
    with pytest.raises(openai.BadRequestError, match="send the earlier items") as caught:
        client.responses.create(model="default", input="And?", previous_response_id=response.id)
    assert caught.value.param == "previous_response_id"


def test_a_plan_that_is_used_up_is_an_error_before_the_stream_begins(served: Served) -> None:
    # The client's own retries would ask three times.
    with OpenAI(base_url=served.base_url, api_key=TOKEN, timeout=20) as client:
        served.chatgpt.script(usage_limit_reached())
        with pytest.raises(openai.RateLimitError) as caught:
            client.responses.create(model="default", input="Hi", stream=True)
    assert caught.value.code == "insufficient_quota"
    assert len(served.chatgpt.model_requests) == 1


def test_a_stream_that_breaks_raises_in_the_client(served: Served, client: OpenAI) -> None:
    answer = '{"reason": "long", "prime": false, "factors": [7, 13]}'
    served.chatgpt.script(Text('{"prime": "maybe"}', chunks=3), Text(answer))
    schema: Any = Prime.model_json_schema()
    schema["additionalProperties"] = False
    stream = client.responses.create(
        model="default",
        input="Is 91 prime?",
        text={"format": {"type": "json_schema", "name": "prime", "schema": schema, "strict": True}},
        stream=True,
    )
    seen: list[str] = []
    with pytest.raises(openai.APIError, match="does not fit its schema"):
        seen.extend(event.type for event in stream)
    assert seen[-1] == "response.failed"


def test_a_client_that_leaves_has_its_turn_interrupted(served: Served, client: OpenAI) -> None:
    served.chatgpt.script(Hang("One"), Text("Two"))
    with client.responses.stream(model="default", input="Count.") as stream:
        assert next(event for event in stream if event.type == "response.output_text.delta").delta == "One"
    # Its place is free again, and the next call is answered.
    assert client.responses.create(model="default", input="Go on.").output_text == "Two"


def test_a_connection_that_is_lost_on_the_way_is_made_again_and_nothing_is_repeated(
    served: Served, client: OpenAI
) -> None:
    served.chatgpt.script(Cut("One "), Text("One two"))
    with client.responses.stream(model="default", input="Count.") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text == "One two"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_asynchronous_client_does_the_same(served: Served) -> None:
    value = json.dumps({"reason": "7 x 13", "prime": False, "factors": [7, 13]})
    served.chatgpt.script(Text("No."), Text("Yes, no", chunks=2), Text(value))
    async with AsyncOpenAI(base_url=served.base_url, api_key=TOKEN, max_retries=0, timeout=20) as client:
        assert (await client.responses.create(model="default", input="Is 91 prime?")).output_text == "No."
        async with client.responses.stream(model="default", input="Sure?") as stream:
            deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        assert "".join(deltas) == final.output_text == "Yes, no"
        parsed = await client.responses.parse(model="default", input="Is 91 prime?", text_format=Prime)
        assert parsed.output_parsed == Prime(reason="7 x 13", prime=False, factors=[7, 13])
