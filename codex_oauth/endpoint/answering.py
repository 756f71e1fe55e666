"""From a request to its reply: one response of the model, with what the app-server has no words for.

codex always lets the model choose among the tools (`tool_choice` "auto"), and knows strict schemas but no "any JSON
object". So "none" offers no tool, one function's name offers only that one, and where a call is required the model is
told so in one developer message. An answer that is not what was asked for is asked for once more, and then refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import anyio

from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.catalogue import Catalogue
from codex_oauth.endpoint.live import Live, own_text
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.errors import DeadlineExceededError
from codex_oauth.events import Event
from codex_oauth.records import replace as replaced
from codex_oauth.schema import output_spec
from codex_oauth.schema.decode import DecodeError, decode

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.types import Reply

__all__ = ("Answering", "Tell", "in_one_shape")

Tell: TypeAlias = Callable[[Event], Awaitable[None]]
"""Takes the next event of a stream; may wait for a client that is slow to read."""

_LEAST: Final = 1.0
"""Seconds that are too few to ask again in."""

_UNREPEATABLE: Final = {"x-should-retry": "false"}


class Answering:
    """Asks a model what requests ask for.

    Args:
        codex: Who is asked; entered, so that one app-server serves all requests.
        catalogue: The models.
        timeout: Seconds for a request, everything together.
    """

    def __init__(self, codex: AsyncCodex, catalogue: Catalogue, *, timeout: float) -> None:
        self._codex = codex
        self._catalogue = catalogue
        self._timeout = timeout

    async def resolve(self, asked: Asked) -> Asked:
        """The same request with a model and an effort that there are: to be done before `answer`, which takes no other.

        Raises:
            ApiError: There is no such model.
            CodexOAuthError: The models could not be asked for.
        """
        return await self._catalogue.resolve(asked)

    async def answer(self, asked: Asked, *, label: str, tell: Tell | None = None) -> Reply[Any]:
        """Ask the model.

        Args:
            asked: A request that `resolve` has seen.
            label: What the metrics call it.
            tell: Takes the events, for a stream. Messages come in order and whole, each as `ItemStarted`, `TextDelta`s
                that repeat nothing, and `MessageCompleted`; reasoning as it comes; and `ToolCallReceived` for each call
                of the reply, at the end. Where the text may yet be refused (`json_object`, a required call, a schema
                that had to be rewritten), it comes at the end too.

        Returns:
            The reply. `text` and `items` have the text in the shape of the caller's schema; `calls` has one call at
            most where the request allows no more.

        Raises:
            CodexOAuthError: As `AsyncCodex.respond`.
            ApiError: The model did not do what `tool_choice` or `json_object` asks for, twice; or the stream cannot go
                on, because the service began its answer again and wrote another one.
        """
        end = anyio.current_time() + self._timeout
        steps = _Steps(asked)
        live = None if tell is None else Live(tell, held=steps.may_be_refused or not in_one_shape(asked.schema))
        reply = await self._ask(steps.asked, label, end, live)
        if (wrong := steps.wrong(reply)) is not None:
            first = reply
            reply = await self._ask(steps.once_more(first, wrong), label, end, live)
            reply = replaced(reply, usage=first.usage + reply.usage, repaired=True)
            if (wrong := steps.wrong(reply)) is not None:
                raise ApiError(
                    502, wrong.message, type="server_error", code=wrong.code, headers=_UNREPEATABLE, usage=reply.usage
                )
        reply = own_text(_fewer(reply, asked), asked.schema)
        if live is not None:
            await live.finish(reply)
        return reply

    async def _ask(self, asked: Asked, label: str, end: float, live: Live | None) -> Reply[Any]:
        left = end - anyio.current_time()
        if left < _LEAST and self._timeout > _LEAST:
            raise DeadlineExceededError("the time was up before the model could be asked once more")
        given: dict[str, Any] = {
            "instructions": asked.instructions,
            "tools": asked.tools,
            "output": asked.schema,
            "model": asked.model,
            "effort": asked.effort,
            "timeout": left,
            "max_output_tokens": asked.max_output_tokens,
            "label": label,
        }
        if live is None:
            return await self._codex.respond(asked.items, **given)
        async with self._codex.stream_response(asked.items, **given) as events:
            async for event in events:
                await live.see(event)
            return await events.reply()


def in_one_shape(schema: Mapping[str, Any] | None) -> bool:
    """Whether the text that the model writes for this schema is what the caller is given, word for word."""
    if schema is None:
        return True
    own = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return output_spec(schema).wire_schema == own


class _Wrong(NamedTuple):
    """Why a reply is none."""

    message: str
    code: str
    told: str


class _Steps:
    """What is asked, and asked again, for a request."""

    def __init__(self, asked: Asked) -> None:
        choice = asked.tool_choice
        self._json = asked.json_object
        self._must_call = ""
        if choice == "none":
            asked = replace(asked, tools=())
        elif choice == "required":
            self._must_call = "Call one of the functions now. Do not answer with text."
        elif isinstance(choice, tuple):
            asked = replace(asked, tools=tuple(tool for tool in asked.tools if tool["name"] == choice[1]))
            self._must_call = f"Call the function {choice[1]} now. Do not answer with text."
        if self._must_call:
            asked = replace(asked, items=(*asked.items, _developer(self._must_call)))
        self.asked = asked
        self.may_be_refused = self._json or bool(self._must_call)

    def wrong(self, reply: Reply[Any]) -> _Wrong | None:
        """What a reply lacks; None for nothing. A reply that was cut off is given back as it is."""
        if reply.finish != "stop":
            return None
        if self._must_call:
            return _Wrong(
                "the model did not call a function although tool_choice asks for it, twice",
                "tool_choice_not_honoured",
                f"That was no function call. {self._must_call}",
            )
        if not self._json:
            return None
        try:
            value = decode(reply.text)
        except DecodeError as error:
            problem = str(error)
        else:
            if isinstance(value, dict):
                return None
            problem = "not an object"
        return _Wrong(
            f"the reply is not one JSON object, twice: {problem}",
            "output_validation",
            f"Your answer is not one JSON object: {problem}. Answer with the JSON object alone.",
        )

    def once_more(self, reply: Reply[Any], wrong: _Wrong) -> Asked:
        """The same question, after the reply that would not do."""
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": reply.text}]}
        return replace(self.asked, items=(*self.asked.items, said, _developer(wrong.told)))


def _fewer(reply: Reply[Any], asked: Asked) -> Reply[Any]:
    if asked.parallel_tool_calls or len(reply.calls) < 2:
        return reply
    dropped = {call.call_id for call in reply.calls[1:]}
    items = tuple(
        item for item in reply.items if item.get("type") != "function_call" or item.get("call_id") not in dropped
    )
    return replaced(reply, calls=reply.calls[:1], items=items)


def _developer(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}
