from __future__ import annotations

import asyncio
import enum
import json
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ForwardRef, Literal, NamedTuple, NewType, NotRequired, Union
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from typing_extensions import TypedDict

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema import OutputSpec, output_spec

from .strict import assert_strict, spec_of, valid


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: str
    number: int = Field(default=1, ge=1)


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="The full name", min_length=1)
    age: int | None = None
    home: Address = Field(description="Where they live")
    work: Address | None = None
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    tags: list[str] = []
    scores: dict[str, float] = {}
    by_colour: dict[Colour, Address] = {}
    anything: Any = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str | None = None


class Pet(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")
    others: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []


class Tree(BaseModel):
    value: int
    children: list[Tree] = []
    parent: Tree | None = None


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    when: datetime
    day: date
    price: Decimal
    pause: timedelta
    id: UUID
    pair: tuple[int, str]
    many: tuple[int, ...]
    unique: set[int]


class Alias(BaseModel):
    from_: str = Field(alias="from")
    slash: int = Field(alias="a/b~c")


class Empty(BaseModel):
    pass


@dataclass
class Point:
    x: int
    y: int = 0
    marks: list[tuple[str, float]] = field(default_factory=list)


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Row(NamedTuple):
    key: str
    value: int = 3


NOON = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
STRICT = Strict(
    when=NOON,
    day=NOON.date(),
    price=Decimal("12.30"),
    pause=timedelta(seconds=90),
    id=UUID(int=7),
    pair=(1, "a"),
    many=(1, 2),
    unique={1, 2},
)
TYPES: list[tuple[Any, list[Any]]] = [
    (
        Person,
        [
            Person(name="A", home=Address(street="S")),
            Person(
                name="\u00c5",
                age=3,
                home=Address(street="S", number=2),
                work=Address(street="T"),
                colour=Colour.BLUE,
                level=Level.HIGH,
                tags=["x"],
                scores={"a": 1.5},
                by_colour={Colour.RED: Address(street="U")},
                anything={"deep": [1, None]},
            ),
        ],
    ),
    (
        Pet,
        [
            Pet(pet=Cat(kind="cat")),
            Pet(pet=Dog(kind="dog"), others=[Cat(kind="cat", lives=1), Dog(kind="dog", name="x")]),
        ],
    ),
    (Tree, [Tree(value=1), Tree(value=1, children=[Tree(value=2, parent=Tree(value=3))])]),
    (Loose, [Loose(known=1), Loose(known=1, other=[1], third=None)]),  # pyright: ignore[reportCallIssue]
    (Strict, [STRICT]),
    (Alias, [Alias.model_validate({"from": "x", "a/b~c": 1})]),
    (Empty, [Empty()]),
    (Point, [Point(1), Point(1, 2, [("a", 0.5)])]),
    (Movie, [{"title": "x"}, {"title": "x", "year": 1}]),
    (Row, [Row("a"), Row("a", 1)]),
    (Colour, [Colour.BLUE]),
    (bool, [True]),
    (int | str, [1, "x"]),
    (Cat | Dog | None, [Cat(kind="cat"), Dog(kind="dog"), None]),
    (list[Person], [[], [Person(name="A", home=Address(street="S"))]]),
    (dict[str, Address], [{}, {"a": Address(street="S")}]),
    (dict[str, Any], [{"a": [1, {"b": None}]}]),
    (tuple[int, str | None], [(1, None), (1, "x")]),
    (Literal["a", 1, None], ["a", 1, None]),
    (Annotated[int, Field(ge=3)], [3]),
    (list[Address | dict[str, str]], [[Address(street="S"), {"q": "x"}]]),
    (TypeAdapter(list[date]), [[date(2024, 2, 29)]]),
]


@pytest.mark.parametrize(("output", "values"), TYPES)
def test_a_typed_value_survives_the_way_out_and_back(output: Any, values: list[Any]) -> None:
    spec = spec_of(output)
    assert spec.wire_schema is not None
    assert_strict(spec.wire_schema)
    for value in values:
        written = spec.render(value)
        assert valid(spec.wire_schema, json.loads(written))
        parsed = spec.parse(written)
        assert parsed == value
        assert type(parsed) is type(value)


def test_the_models_words_reach_the_model_and_its_made_up_titles_do_not() -> None:
    wire: Any = output_spec(Person).wire_schema
    assert wire["description"] == "Somebody."
    assert wire["properties"]["name"] == {"description": "The full name At least 1 characters.", "type": "string"}
    assert wire["properties"]["home"]["description"] == "Where they live"
    assert list(wire["properties"])[:3] == ["name", "age", "home"]
    assert wire["properties"]["level"]["anyOf"][0] == {"$ref": "#/$defs/Level"}


def test_a_default_applies_where_the_model_says_null() -> None:
    assert output_spec(Address).parse('{"street": "S", "number": null}') == Address(street="S", number=1)


def test_a_validators_own_words_are_told_unless_they_quote_the_reply() -> None:
    class Span(BaseModel):
        start: int
        end: int

        @model_validator(mode="after")
        def ordered(self) -> Span:
            if self.start >= self.end:
                raise ValueError("end must be after start")
            return self

    with pytest.raises(OutputValidationError) as caught:
        spec_of(list[Span]).parse('{"value": [{"start": 1, "end": 2}, {"start": 2, "end": 2}]}')
    assert caught.value.errors == ("/value/1: Value error, end must be after start",)


@pytest.mark.parametrize("output", [lambda: None, Empty(), 3, type("Plain", (), {}), list["Nowhere"]])  # type: ignore[name-defined] # noqa: F821
def test_what_has_no_schema_is_refused(output: Any) -> None:
    with pytest.raises(OutputSchemaError, match="cannot be an output type"):
        spec_of(output)


def test_one_type_is_compiled_once_and_unions_keep_their_order() -> None:
    assert output_spec(Person) is output_spec(Person)
    first: Any = output_spec(int | str).wire_schema
    second: Any = output_spec(str | int).wire_schema
    assert first["properties"]["value"]["anyOf"][0] == {"type": "integer"}
    assert second["properties"]["value"]["anyOf"][0] == {"type": "string"}


def test_unhashable_metadata_is_no_obstacle() -> None:
    assert output_spec(Annotated[int, ["unhashable"]]).parse('{"value": 3}') == 3


def test_a_spec_is_shared_by_threads() -> None:
    spec: OutputSpec[list[Person]] = output_spec(list[Person])
    reply = spec.render([Person(name="A", home=Address(street="S"))])
    found: list[list[Person]] = []
    threads = [threading.Thread(target=lambda: found.append(spec.parse(reply))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert all(item == found[0] for item in found)


def test_render_refuses_what_does_not_fit() -> None:
    cases: list[tuple[Any, Any]] = [({"type": "integer"}, "x"), ({"properties": {"a": {}}}, {"b": 1})]
    for schema, value in cases:
        with pytest.raises(OutputValidationError):
            spec_of(schema).render(value)


RAN: list[str] = []
CODE = f"__import__('sys').modules[{__name__!r}].RAN.append('x') or int"


@pytest.mark.parametrize(
    "output",
    [
        CODE,
        '{"type": "object"}',
        ForwardRef(CODE),
        list[CODE],
        dict[str, list[CODE]],
        Annotated[CODE, 1],
        Union[int, CODE],  # noqa: UP007
        type("Text", (str,), {})("int"),
        NewType("Named", CODE),  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]
    ],
)
def test_text_is_never_run_as_a_type(output: Any) -> None:
    with pytest.raises(OutputSchemaError, match=r"a schema is a dict here, not its text: json\.loads it"):
        spec_of(output)
    assert RAN == []


def test_text_inside_a_literal_or_beside_a_type_is_no_type() -> None:
    assert spec_of(Literal["int", "x"]).parse('{"value": "int"}') == "int"
    assert spec_of(Annotated[int, "a note"]).parse('{"value": 3}') == 3


class Hooked:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        raise KeyError("hook")


@pytest.mark.parametrize(
    "output", [Hooked, Annotated[int, Field(discriminator="x")], Annotated[str, Field(pattern="(")]]
)
def test_whatever_pydantic_raises_says_that_the_type_has_no_schema(output: Any) -> None:
    with pytest.raises(OutputSchemaError, match="cannot be an output type"):
        spec_of(output)


def test_a_decimal_keeps_its_digits() -> None:
    spec = spec_of(list[Decimal | None])
    value = [Decimal("9007199254740993.01"), Decimal("0.10"), None]
    assert spec.parse(spec.render(value)) == value
    assert str(spec.parse('{"value": ["9007199254740993.01"]}')[0]) == "9007199254740993.01"
    with pytest.raises(OutputValidationError):
        spec.parse('{"value": [9007199254740993.01]}')


def test_the_bounds_of_a_decimal_reach_the_model() -> None:
    spec = spec_of(Annotated[Decimal, Field(ge=3)])
    wire: Any = spec.wire_schema
    assert "At least 3" in wire["properties"]["value"]["description"]
    with pytest.raises(OutputValidationError):
        spec.parse('{"value": "2.9"}')


SECRET = "s3nt1nel"


def _group(text: str) -> BaseException:
    return ExceptionGroup(text, [ValueError(text)])


@pytest.mark.parametrize(
    "raised",
    [KeyError, OSError, RuntimeError, asyncio.CancelledError, _group],
)
def test_whatever_a_validator_raises_is_a_refusal(raised: Callable[[str], BaseException]) -> None:
    def check(value: str) -> str:
        raise raised(value)

    with pytest.raises(OutputValidationError) as caught:
        spec_of(Annotated[list[str], AfterValidator(lambda values: [check(value) for value in values])]).parse(
            json.dumps({"value": [SECRET]})
        )
    name = type(raised("")).__name__ if isinstance(raised, type) else "ExceptionGroup"
    assert caught.value.errors == (f"/: the output type's validator failed ({name})",)
    assert caught.value.__cause__ is None
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_an_interrupt_in_a_validator_is_passed_on() -> None:
    def check(value: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spec_of(Annotated[int, AfterValidator(check)]).parse('{"value": 1}')
