"""What a request asks for, whichever of the two APIs it came by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ("Asked", "ToolChoice")

ToolChoice: TypeAlias = Literal["auto", "none", "required"] | tuple[Literal["function"], str]
"""`("function", name)` is the one function that has to be called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request, read and checked. Its content is in no `repr`.

    Attributes:
        model: The model as the request named it, an alias or None for the default too; `answering` resolves it.
        instructions: The first system or developer message, or the `instructions` of a response; None for none.
        items: Input items, as `AsyncCodex.respond` takes them.
        tools: The caller's functions, as `{"name", "description", "inputSchema"}`.
        tool_choice: Which of them may or has to be called.
        parallel_tool_calls: Whether more than one call may be given back.
        schema: The JSON Schema that the text has to fit; None for none. Its properties are in the caller's order.
        json_object: Whether the text has to be one JSON object, of any shape.
        effort: The reasoning effort as the request named it; None for the lowest. `answering` takes the nearest.
        max_output_tokens: After how many output tokens the reply is cut off; None for never.
        stream: Whether the answer is wanted as a stream.
        include_usage: Whether a chat's stream ends with the tokens.
        ignored: Names of the request's parameters that were ignored, for the response header.
        echo: Members of the request that the response object repeats.
    """

    model: str | None = None
    instructions: str | None = field(default=None, repr=False)
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    json_object: bool = False
    effort: str | None = None
    max_output_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    ignored: tuple[str, ...] = ()
    echo: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
