"""Frozen records: what `dataclasses.dataclass(frozen=True)` makes, without its import and its code generation.

A hook is a process for each request, and these two took 15 of the 60 milliseconds that its own part has. To everybody
else a record is a dataclass: `dataclasses.replace`, `fields` and `asdict` know it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import field
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda decorated: decorated

    def field(*, default=..., default_factory=None, repr=True, compare=True):  # noqa: A002 - as in dataclasses
        return _Field(default, default_factory, repr, compare)


__all__ = ("as_values", "field", "names", "record", "replace")


class _Field:
    __slots__ = ("compare", "default", "factory", "repr")

    def __init__(self, default: object, factory: Callable[[], object] | None, shown: bool, compared: bool) -> None:
        self.default = default  # `...` for none
        self.factory = factory
        self.repr = shown
        self.compare = compared


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen record of the attributes that its body annotates.

    Args:
        kw_only: Whether they can be given by name alone.
    """

    def made(cls: type[T]) -> type[T]:
        fields: dict[str, _Field] = {}
        for name in cls.__annotations__:
            given = cls.__dict__.get(name, ...)
            found = given if isinstance(given, _Field) else _Field(given, None, True, True)
            fields[name] = found
            if found.default is not ...:
                setattr(cls, name, found.default)
            elif given is not ...:
                delattr(cls, name)
        own: Any = cls
        own._record_fields = fields
        own._record_names = () if kw_only else tuple(fields)
        own.__match_args__ = own._record_names
        own.__dataclass_fields__ = _Fields()
        own.__init__ = _init
        own.__repr__ = _repr
        own.__setattr__ = own.__delattr__ = _frozen
        own.__replace__ = replace
        own.__eq__, own.__hash__ = _eq, _hash
        return cls

    return made


def replace(value: T, /, **changes: Any) -> T:
    """A copy of a record with other attributes."""
    return type(value)(**{**value.__dict__, **changes})


def names(kind: Any) -> tuple[str, ...]:
    """The names of a record's attributes, in their order; of a record, or of its class."""
    return tuple(kind._record_fields)


def as_values(value: Any) -> Any:
    """A record as a dict, and so what lies in it; a tuple as a list, and anything else as it is."""
    if hasattr(value, "_record_fields"):
        return {name: as_values(getattr(value, name)) for name in names(value)}
    kind: Any = value.__class__
    if kind is list or kind is tuple:
        return [as_values(item) for item in value]
    if kind is dict:
        return {key: as_values(item) for key, item in value.items()}
    return value


def _init(self: Any, *values: object, **named: object) -> None:
    own, names, fields = self.__dict__, self._record_names, self._record_fields
    if len(values) > len(names):
        raise TypeError(f"{type(self).__name__} takes {len(names)} positional arguments, not {len(values)}")
    own.update(zip(names, values, strict=False))
    for name, value in named.items():
        if name in own or name not in fields:
            what = "twice" if name in own else "which it does not have"
            raise TypeError(f"{type(self).__name__} was given {name!r}, {what}")
        own[name] = value
    if len(own) < len(fields):
        missing: list[str] = []
        for name, found in fields.items():
            if name not in own:
                if found.factory is not None:
                    own[name] = found.factory()
                elif found.default is not ...:
                    own[name] = found.default
                else:
                    missing.append(name)
        if missing:
            raise TypeError(f"{type(self).__name__} was not given {', '.join(missing)}")
    if after := getattr(self, "__post_init__", None):
        after()


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, found in self._record_fields.items() if found.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _compared(self: Any) -> tuple[object, ...]:
    return tuple(self.__dict__[name] for name, found in self._record_fields.items() if found.compare)


def _eq(self: Any, other: object) -> bool:
    if type(other) is not type(self):
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _frozen(self: Any, name: str, *_: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"{type(self).__name__} is frozen: its {name!r} cannot be changed")


class _Fields:
    """`__dataclass_fields__`, made when somebody asks for it."""

    def __get__(self, _: object, owner: Any) -> dict[str, Any]:
        import dataclasses

        made: dict[str, Any] = {}
        for name, found in owner._record_fields.items():
            options: dict[str, Any] = {"repr": found.repr, "compare": found.compare}
            if found.factory is not None:
                options["default_factory"] = found.factory
            elif found.default is not ...:
                options["default"] = found.default
            made[name] = one = dataclasses.field(**options)
            one.name, one.type = name, owner.__annotations__[name]
            one._field_type = dataclasses._FIELD  # type: ignore[attr-defined] - what `fields` looks for
        owner.__dataclass_fields__ = made
        return made
