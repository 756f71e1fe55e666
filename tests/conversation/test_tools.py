"""What a function or a schema becomes as a tool: its name, its schema, and how it reads a call."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from codex_oauth import AsyncCodex, ConfigurationError
from codex_oauth.tools import Tool, ToolArgumentsError, tools_of

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTheChecker

NOTHING: Final = object()


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    on: datetime.date
    kind: Literal["a"]


@dataclass
class Tree:
    name: str
    children: list[Tree]


def names_of_pydantic(schema: str, model_config: int, _private: bool = True, json: str = "") -> None: ...
def strict(when: Strict) -> None: ...
def recursive(tree: Tree | None = None) -> None: ...
def sentinel(value: Any = NOTHING) -> None: ...
def in_the_default(count: int = Field(5, ge=1)) -> None:
    """Count.

    Args:
        count: How many.
    """


def in_the_type(count: Annotated[int, Field(description="How many.", ge=1, alias="n")]) -> None: ...
def returns_a_local_name(count: int) -> OnlyForTheChecker: ...  # pyright: ignore[reportReturnType]
def in_a_folder(root: str, name: str) -> None:
    """A file of a folder."""


class Files:
    def read(self, name: str) -> None: ...
    def __call__(self, name: str) -> None: ...


NAME: Final = {"name": {"type": "string"}}

SCHEMAS: Final[list[tuple[Callable[..., Any], str, Mapping[str, Any]]]] = [
    (
        names_of_pydantic,
        "names_of_pydantic",
        {
            "schema": {"type": "string"},
            "model_config": {"type": "integer"},
            "_private": {"type": "boolean", "default": True},
            "json": {"type": "string", "default": ""},
        },
    ),
    (sentinel, "sentinel", {"value": {}}),
    (
        in_the_default,
        "in_the_default",
        {"count": {"type": "integer", "default": 5, "minimum": 1, "description": "How many."}},
    ),
    (in_the_type, "in_the_type", {"count": {"type": "integer", "minimum": 1, "description": "How many."}}),
    (returns_a_local_name, "returns_a_local_name", {"count": {"type": "integer"}}),
    (partial(in_a_folder, root="/safe"), "in_a_folder", NAME),
    (partial(partial(in_a_folder, "/safe")), "in_a_folder", NAME),
    (Files().read, "read", NAME),
    (Files(), "Files", NAME),
    (cache(in_a_folder), "in_a_folder", {"root": {"type": "string"}, **NAME}),
]


@pytest.mark.parametrize(("function", "name", "properties"), SCHEMAS)
def test_a_function_is_offered_with_its_own_parameters(
    function: Callable[..., Any], name: str, properties: Mapping[str, Any]
) -> None:
    (tool,) = tools_of([function])
    assert tool.name == name
    assert tool.schema["properties"] == properties


def read(tool: Tool, arguments: object) -> Mapping[str, Any]:
    positional, named = tool.read(json.dumps(arguments))
    assert positional == ()
    return named


def test_arguments_are_what_the_types_say() -> None:
    tools = tools_of([names_of_pydantic, strict, recursive, sentinel, partial(in_a_folder, root="/safe")])
    names, strictly, tree, default, folder = tools
    assert read(names, {"schema": "s", "model_config": 1, "json": "j"}) == {
        "schema": "s",
        "model_config": 1,
        "_private": True,
        "json": "j",
    }
    assert read(strictly, {"when": {"on": "2020-01-31", "kind": "a"}})["when"].on == datetime.date(2020, 1, 31)
    given: dict[str, Any] = {"name": "a", "children": [{"name": "b", "children": []}]}
    found = read(tree, {"tree": given})
    assert found["tree"] == Tree("a", [Tree("b", [])])
    assert read(default, {}) == {"value": NOTHING}
    with pytest.raises(ToolArgumentsError, match="/root: Extra inputs"):
        read(folder, {"root": "/etc", "name": "passwd"})


def test_each_call_has_a_default_of_its_own() -> None:
    def add(to: list[int] = []) -> None: ...  # noqa: B006 - what is tested

    (tool,) = tools_of([add])
    read(tool, {})["to"].append(1)
    assert read(tool, {}) == {"to": []}


def test_a_format_of_a_schema_is_checked() -> None:
    parameters = {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}}
    (tool,) = tools_of([{"name": "x", "handler": print, "parameters": parameters}])
    assert tool.read('{"on": "2020-01-31"}') == (({"on": "2020-01-31"},), {})
    with pytest.raises(ToolArgumentsError, match="/on: breaks 'format'"):
        tool.read('{"on": "secret"}')


async def streams(name: str) -> AsyncIterator[str]:
    yield name


def calls_back(back: Callable[[int], int]) -> None: ...
def unknown(name: Undefined) -> None: ...  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType] # noqa: F821


def described(**parameters: Any) -> dict[str, Any]:
    return {"name": "x", "handler": print, "parameters": {"type": "object", "properties": parameters}}


REFUSED: Final[list[tuple[Any, str]]] = [
    (None, "takes a list"),
    (5, "takes a list"),
    ([streams], "asynchronous generator"),
    ([calls_back], "a type that has no JSON Schema: Cannot generate"),
    ([unknown], "cannot be read: name 'Undefined' is not defined"),
    ([len], "the parameters of len cannot be read"),
    ([described(a={"$ref": "#/$defs/a"})], "nothing is at '#/\\$defs/a'"),
    ([described(a={"$ref": "https://example.com/a.json"})], "nothing is at 'https://example.com/a.json'"),
    ([described(a={"default": NOTHING})], "cannot be written as JSON"),
    ([described(a={"description": "\udcff"})], "half a surrogate pair"),
    ([{"name": "x" * 129, "handler": print}], "128 of them at most"),
    ([{"name": "mcp__x__y", "handler": print}], "codex keeps the name"),
    ([{"name": "exec_command", "handler": print}], "codex never asks for a tool"),
]


@pytest.mark.parametrize(("tools", "words"), REFUSED)
def test_what_cannot_be_a_tool_is_refused_with_its_reason(codex: AsyncCodex, tools: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        codex.conversation(tools=tools)


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


REFUSED_HISTORIES: Final[list[tuple[Any, str]]] = [
    ([message("\ud800")], r"history\[0\]: holds half a surrogate pair"),
    ([{"type": "reasoning", "summary": [5]}], "part 0 must be of type summary_text"),
    ([{"type": "reasoning", "summary": [], "encrypted_content": 5}], "encrypted_content must be text"),
]


@pytest.mark.parametrize(("history", "words"), REFUSED_HISTORIES)
def test_a_history_that_codex_would_not_read_is_refused(codex: AsyncCodex, history: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        codex.conversation(history=history)


def test_a_time_that_is_no_number_is_refused(codex: AsyncCodex) -> None:
    with pytest.raises(ConfigurationError, match="tool_timeout"):
        codex.conversation(tool_timeout=float("nan"))


def test_a_long_history_is_checked_in_no_time(codex: AsyncCodex) -> None:
    items = [
        {"type": kind, "call_id": f"c{number}", **rest}
        for number in range(10_000)
        for kind, rest in (
            ("function_call", {"name": "x", "arguments": "{}"}),
            ("function_call_output", {"output": "y"}),
        )
    ]
    assert len(codex.conversation(history=items).history) == 20_000
