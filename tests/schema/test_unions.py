"""What a reply chose is what is built, or there is an error: never another member in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import AfterValidator, BaseModel, Field, field_validator

from codex_oauth.errors import OutputSchemaError, OutputValidationError

from .strict import spec_of


@dataclass
class Keep:
    ids: list[int] = field(default_factory=list[int])


@dataclass
class Delete:
    ids: list[int] = field(default_factory=list[int])


@dataclass
class Soft:
    name: str
    hours: int = 1


@dataclass
class Hard:
    name: str
    force: bool = True


@dataclass
class Plain:
    name: str


@dataclass
class Marked:
    name: str
    mark: str


class Picky(BaseModel):
    name: str
    mark: str

    @field_validator("mark")
    @classmethod
    def refuse(cls, value: str) -> str:
        del value
        raise ValueError("not this one")


class On(BaseModel):
    kind: Literal["on"] = "on"
    note: str | None = None


class Off(BaseModel):
    kind: Literal["off"] = "off"
    note: str | None = None


class First(NamedTuple):
    a: int


class Second(NamedTuple):
    b: int


@dataclass
class Envelope:
    deep: dict[str, list[Soft | Hard]]


ALIKE: list[Any] = [
    Keep | Delete,
    Keep | Delete | None,
    list[Keep] | list[Delete],
    dict[str, Keep] | dict[str, Delete],
    list[Keep | Delete],
    First | Second,
]


@pytest.mark.parametrize("output", ALIKE)
def test_members_that_look_alike_are_refused(output: Any) -> None:
    with pytest.raises(OutputSchemaError, match="add a Literal field that tells them apart"):
        spec_of(output)


FITTING: list[tuple[Any, list[Any]]] = [
    (Soft | Hard, [Soft("x", 2), Hard("x"), Soft("x"), Hard("x", force=False)]),
    (Plain | Marked, [Plain("x"), Marked("x", "m")]),
    (On | Off, [On(), Off(), Off(note="n")]),
    (Annotated[On | Off, Field(discriminator="kind")], [On(), Off(note="n")]),
    (list[Soft] | list[Hard], [[Soft("x")], [Hard("x")], []]),
    (dict[str, int] | dict[str, float], [{}, {"a": 1}, {"a": 1.5}]),
    (Soft | dict[str, str], [Soft("x"), {"a": "x"}]),
    (Envelope, [Envelope({"k": [Soft("x"), Hard("y")]})]),
    (Soft | Hard | int | str | None, [Soft("x"), Hard("x"), 3, "3", None]),
]


@pytest.mark.parametrize(("output", "values"), FITTING)
def test_a_member_comes_back_as_itself(output: Any, values: list[Any]) -> None:
    spec = spec_of(output)
    for value in values:
        parsed = spec.parse(spec.render(value))
        assert parsed == value
        assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("output", "reply"),
    [
        (Soft | Hard, {"value": {"name": "x", "force": None}}),
        (On | Off, {"value": {"option_2": {"kind": None, "note": None}}}),
        (Plain | Picky, {"value": {"name": "x", "mark": "m"}}),
        (Soft | dict[str, str], {"value": [{"key": "name", "value": "x"}]}),
        (Soft | dict[str, str], {"value": [{"key": "name", "value": "x"}, {"key": "more", "value": "y"}]}),
        (Annotated[Plain | Marked, Field(union_mode="left_to_right")], {"value": {"name": "x", "mark": "m"}}),
    ],
)
def test_a_reply_that_would_become_another_member_is_refused(output: Any, reply: Any) -> None:
    with pytest.raises(OutputValidationError) as caught:
        spec_of(output).parse(json.dumps(reply))
    assert caught.value.errors[0].startswith("/value")
    assert "cannot be told from another alternative" in caught.value.errors[0]


def test_what_could_be_another_member_is_not_rendered() -> None:
    with pytest.raises(OutputValidationError, match="cannot be told from another alternative"):
        spec_of(Soft | dict[str, str]).render({"name": "x"})


@pytest.mark.parametrize("text", ["1", "01"])
def test_a_map_with_one_key_is_read(text: str) -> None:
    assert spec_of(dict[int, str]).parse(json.dumps({"value": [{"key": text, "value": "x"}]})) == {1: "x"}


MERGED: list[tuple[Any, str, str]] = [
    (dict[int, str], "1", "01"),
    (dict[bool, str], "true", "1"),
    (dict[float, str], "1", "1.0"),
    (dict[Annotated[str, AfterValidator(str.lower)], str], "A", "a"),
]


@pytest.mark.parametrize(("output", "first", "second"), MERGED)
def test_keys_that_become_one_are_refused(output: Any, first: str, second: str) -> None:
    entries = [{"key": key, "value": "x"} for key in (first, second)]
    with pytest.raises(OutputValidationError) as caught:
        spec_of(output).parse(json.dumps({"value": entries}))
    assert caught.value.errors == ("/value: two different keys stand for the same one",)
    with pytest.raises(OutputValidationError) as caught:
        spec_of(list[output]).parse(json.dumps({"value": [[], entries]}))
    assert caught.value.errors == ("/value/1: two different keys stand for the same one",)
