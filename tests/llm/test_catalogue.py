"""What a persona's model means, whatever the catalogue holds: no id is known beforehand."""

from __future__ import annotations

from typing import Final

import pytest

from codex_oauth.errors import UnknownModelError
from codex_oauth.llm import resolve_model
from codex_oauth.types import Model


def model(name: str, *, default: bool = False, hidden: bool = False) -> Model:
    return Model(
        id=name, name=name, description="", efforts=("low",), default_effort="low", default=default, hidden=hidden
    )


CATALOGUE: Final = (
    model("gpt-8-hidden", hidden=True),
    model("gpt-8-luna"),
    model("gpt-8-sol", default=True),
    model("gpt-7"),
    model("gpt-7-mini"),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, "gpt-8-sol"),
        ("", "gpt-8-sol"),
        # itself
        ("gpt-7", "gpt-7"),
        ("GPT-7", "gpt-7"),
        ("openai/gpt-7", "gpt-7"),
        ("openai-codex/gpt-8-luna", "gpt-8-luna"),
        ("gpt-8-hidden", "gpt-8-hidden"),
        # names for codex's own model
        ("codex", "gpt-8-sol"),
        ("codex-latest", "gpt-8-sol"),
        ("openai-codex/codex-latest", "gpt-8-sol"),
        ("Codex-Tuned", "gpt-8-sol"),
        ("codex-max", "gpt-8-sol"),
        ("codex-mini-latest", "gpt-8-luna"),
        # of a generation
        ("gpt-7-codex", "gpt-7"),
        ("openai/gpt-7-codex", "gpt-7"),
        ("gpt-7-codex-max", "gpt-7"),
        ("gpt-5.5-codex", "gpt-8-sol"),
        ("gpt-5.1-codex-max", "gpt-8-sol"),
        ("gpt-5.1-codex-mini", "gpt-8-luna"),
        ("gpt-5.3-codex-spark", "gpt-8-luna"),
    ],
)
def test_a_name_is_looked_up_in_the_catalogue(wanted: str | None, found: str) -> None:
    assert resolve_model(CATALOGUE, wanted).id == found


@pytest.mark.parametrize("wanted", ["gpt-5.4", "openai/gpt-5.1", "gpt-7-codex-wat", "codexx", "o9", "xcodex", "/"])
def test_an_unknown_one_is_an_error_that_names_those_that_there_are(wanted: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        resolve_model(CATALOGUE, wanted)
    assert caught.value.message == (
        f"unknown model {wanted!r}; the plan has gpt-8-luna, gpt-8-sol, gpt-7, gpt-7-mini, and codex-latest"
    )
    assert resolve_model(CATALOGUE, wanted, unknown="default").id == "gpt-8-sol"


def test_another_catalogue_has_another_default_and_other_small_models() -> None:
    catalogue = (model("a"), model("b-nano"), model("c", default=True))
    assert resolve_model(catalogue, "codex").id == "c"
    assert resolve_model(catalogue, "codex-mini", preference=("*-nano",)).id == "b-nano"
    assert resolve_model(catalogue, "codex-mini", preference=()).id == "c"
    assert resolve_model(catalogue[:1], None).id == "a"


def test_a_catalogue_without_a_model_is_an_error() -> None:
    for wanted in (None, "codex", "gpt-7"):
        with pytest.raises(UnknownModelError):
            resolve_model((), wanted)
