"""What becomes of each parameter of a request: passed on, ignored and said so, or refused.

OpenAI treats some parameters as hints, and an answer without them is still an answer: those are ignored, and the
response header `x-codex-oauth-ignored` names them. What would give the answer another shape or another meaning is
refused, and so is what nobody knows. `docs/endpoint.md` has this table for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.endpoint.refusals import ApiError, bad_request

__all__ = ("CHAT", "Parameter", "Treatment", "check")

Treatment: TypeAlias = Literal["used", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request.

    Attributes:
        name: Its name.
        treatment: What becomes of it.
        silent: Values that mean what happens anyway: nobody is told that they were given. null always is one.
        why: For people, where it is not used: what the plan does instead, or what to do.
    """

    name: str
    treatment: Treatment = "used"
    silent: tuple[Any, ...] = ()
    why: str = ""


def _used(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name) for name in names)


_NO_SAMPLING: Final = "the plan has no such setting"
_NO_CACHE_KEY: Final = "codex has a cache key of its own for each call"
_NOT_KEPT: Final = "nothing is kept here"

CHAT: Final[tuple[Parameter, ...]] = (
    *_used(
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "max_completion_tokens",
        "max_tokens",
        "stream",
        "stream_options",
    ),
    Parameter("temperature", "ignored", (1,), _NO_SAMPLING),
    Parameter("top_p", "ignored", (1,), _NO_SAMPLING),
    Parameter("presence_penalty", "ignored", (0,), _NO_SAMPLING),
    Parameter("frequency_penalty", "ignored", (0,), _NO_SAMPLING),
    Parameter("seed", "ignored", (), _NO_SAMPLING),
    Parameter("verbosity", "ignored", (), "say in the instructions how long the answer shall be"),
    Parameter("user", "ignored", (), "the plan has one user"),
    Parameter("safety_identifier", "ignored", (), "the plan has one user"),
    Parameter("store", "ignored", (False,), _NOT_KEPT),
    Parameter("metadata", "ignored", ({},), _NOT_KEPT),
    Parameter("service_tier", "ignored", ("auto", "default"), "the plan decides"),
    Parameter("prompt_cache_key", "ignored", (), _NO_CACHE_KEY),
    Parameter("prompt_cache_options", "ignored", (), _NO_CACHE_KEY),
    Parameter("prompt_cache_retention", "ignored", (), _NO_CACHE_KEY),
    Parameter("n", "refused", (1,), "one answer is given for each request; ask as often as there shall be answers"),
    Parameter("logprobs", "refused", (False,), "codex does not tell them"),
    Parameter("top_logprobs", "refused", (0,), "codex does not tell them"),
    Parameter("logit_bias", "refused", ({},), _NO_SAMPLING),
    Parameter("stop", "refused", ([],), _NO_SAMPLING),
    Parameter("modalities", "refused", (["text"],), "answers are text"),
    Parameter("audio", "refused", (), "answers are text"),
    Parameter("prediction", "refused", (), _NO_SAMPLING),
    Parameter("moderation", "refused", (), _NO_SAMPLING),
    Parameter("web_search_options", "refused", (), "nothing is looked up here"),
    Parameter("functions", "refused", (), "give them as `tools`"),
    Parameter("function_call", "refused", (), "give it as `tool_choice`"),
)
"""The parameters of `POST /v1/chat/completions`."""


def check(body: Mapping[str, Any], table: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The names of what is ignored, in the table's order.

    Args:
        body: The request.
        table: The API's parameters by name.

    Raises:
        ApiError: A parameter is refused, or unknown.
    """
    for name in body:
        if name not in table:
            raise bad_request(f"unknown parameter: {name[:60]!r}", param=name[:60], code="unknown_parameter")
    ignored: list[str] = []
    for name, parameter in table.items():
        value = body.get(name)
        if value is None or parameter.treatment == "used" or _is_silent(value, parameter.silent):
            continue
        if parameter.treatment == "refused":
            raise _refused(parameter)
        ignored.append(name)
    return tuple(ignored)


def _is_silent(value: Any, silent: tuple[Any, ...]) -> bool:
    # True is not 1 here.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in silent)


def _refused(parameter: Parameter) -> ApiError:
    if parameter.silent:
        allowed = " or ".join(map(json.dumps, parameter.silent))
        message = f"{parameter.name}: only {allowed} can be given here: {parameter.why}"
        return bad_request(message, param=parameter.name, code="unsupported_value")
    message = f"{parameter.name} is not supported here: {parameter.why}"
    return bad_request(message, param=parameter.name, code="unsupported_parameter")
