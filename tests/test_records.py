"""Records: frozen, cheap to declare, and dataclasses to everybody else."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest

from codex_oauth.records import as_values, field, names, record, replace


@record()
class Place:
    """With a secret."""

    x: int
    y: int = 0
    key: str = field(default="", repr=False)
    seen: tuple[str, ...] = field(default=(), compare=False)


@record(kw_only=True)
class Route:
    """One that holds another."""

    begin: Place
    stops: list[Place] = field(default_factory=list[Place])


def test_a_record_is_equal_and_shown_by_its_attributes() -> None:
    assert Place(1, key="k") == Place(1, 0, "k", ("a",)) != Place(2)
    assert hash(Place(1)) == hash(Place(1, seen=("a",)))
    assert repr(Place(1, key="secret")) == "Place(x=1, y=0, seen=())"
    assert Place(1) != (1, 0, "", ())
    assert Route(begin=Place(1)).stops is not Route(begin=Place(1)).stops


@pytest.mark.parametrize(
    ("values", "named", "word"),
    [((), {}, "was not given x"), ((1,), {"x": 2}, "'x', twice"), ((1,), {"z": 2}, "'z', which"), ((1,) * 5, {}, "4")],
)
def test_what_does_not_fit_is_refused(values: tuple[Any, ...], named: dict[str, Any], word: str) -> None:
    with pytest.raises(TypeError, match=word):
        Place(*values, **named)
    with pytest.raises(TypeError, match="0 positional"):
        Route(Place(1))  # type: ignore[call-arg] - the point


def test_nobody_changes_a_record() -> None:
    place: Any = Place(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        place.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del place.x
    assert replace(place, x=2) == Place(2)
    assert place == Place(1)


def test_a_record_is_a_dataclass() -> None:
    route: Any = Route(begin=Place(1), stops=[Place(2)])
    assert dataclasses.is_dataclass(Route)
    assert [one.name for one in dataclasses.fields(route)] == ["begin", "stops"] == list(names(Route))
    assert dataclasses.replace(route, begin=Place(3)).begin == Place(3)
    assert json.dumps(dataclasses.asdict(route)) == json.dumps(as_values(route))


def test_a_record_can_be_copied_and_pickled() -> None:
    route = Route(begin=Place(1, key="k"), stops=[Place(2)])
    for other in (copy.copy(route), copy.deepcopy(route), pickle.loads(pickle.dumps(route))):
        assert other == route


def test_a_record_is_matched_by_position_and_by_name() -> None:
    match Place(1, 2):
        case Place(x, y=2):
            assert x == 1
        case _:
            pytest.fail("no match")


def test_declaring_one_imports_nothing() -> None:
    code = (
        "import sys, codex_oauth.records; print([m for m in ('dataclasses', 'inspect', 'typing') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"], capture_output=True, check=True
    )
    assert run.stdout.strip() == b"[]"
