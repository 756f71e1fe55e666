"""Which model and effort a call runs with."""

from __future__ import annotations

import pytest

from codex_oauth.config import DEFAULT_MODEL_PREFERENCE
from codex_oauth.errors import UnknownModelError
from codex_oauth.models import choose_effort, choose_model
from codex_oauth.types import Model


def model(
    name: str, *, default: bool = False, hidden: bool = False, efforts: tuple[str, ...] = ("low", "high")
) -> Model:
    return Model(
        id=name, name=name, description="", efforts=efforts, default_effort="high", default=default, hidden=hidden
    )


LISTED = (
    model("big", default=True),
    model("old-mini"),
    model("new-mini"),
    model("a-luna"),
    model("secret", hidden=True),
)


def test_the_first_pattern_that_matches_decides() -> None:
    assert choose_model(LISTED, None, DEFAULT_MODEL_PREFERENCE).id == "a-luna"


def test_among_the_matches_of_a_pattern_the_listed_order_decides() -> None:
    assert choose_model(LISTED, None, ("*-mini",)).id == "old-mini"


def test_without_a_match_it_is_the_accounts_default() -> None:
    assert choose_model(LISTED, None, ("*-tiny",)).id == "big"


def test_without_a_default_it_is_the_first_visible_one() -> None:
    assert choose_model((model("h", hidden=True, default=True), model("v")), None, ()).id == "v"


def test_a_hidden_model_is_not_chosen_but_can_be_named() -> None:
    assert choose_model(LISTED, None, ("secret",)).id == "big"
    assert choose_model(LISTED, "secret", ()).id == "secret"


@pytest.mark.parametrize("pattern", ["*-LUNA", "luna"])
def test_patterns_are_for_the_whole_id_in_its_own_case(pattern: str) -> None:
    assert choose_model(LISTED, None, (pattern,)).id == "big"


def test_a_name_that_is_nearly_right_is_told_the_right_one() -> None:
    with pytest.raises(UnknownModelError, match=r"did you mean 'new-mini'\? known are big, ") as caught:
        choose_model(LISTED, "new-mni", ())
    assert caught.value.model == "new-mni"


def test_an_unknown_name_is_told_the_visible_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"known are big, old-mini, new-mini, a-luna$"):
        choose_model(LISTED, "zzzzzz", ())


@pytest.mark.parametrize("models", [(), (model("h", hidden=True),)])
def test_where_no_model_is_listed_none_can_be_chosen(models: tuple[Model, ...]) -> None:
    with pytest.raises(UnknownModelError, match="no model"):
        choose_model(models, None, ("*",))


def test_the_effort_is_the_lowest_unless_one_is_named() -> None:
    assert choose_effort(model("m"), None) == "low"
    assert choose_effort(model("m"), "high") == "high"


def test_a_model_without_efforts_gets_none() -> None:
    assert choose_effort(model("m", efforts=()), None) is None


@pytest.mark.parametrize("efforts", [(), ("low", "high")])
def test_an_effort_that_is_not_listed_is_refused(efforts: tuple[str, ...]) -> None:
    listed = ", ".join(efforts) or "none"
    with pytest.raises(UnknownModelError, match=f"m has no effort 'extreme'; it lists {listed}"):
        choose_effort(model("m", efforts=efforts), "extreme")
