"""What a persona's model means in the catalogue that the plan has today."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from codex_oauth.config import DEFAULT_MODEL_PREFERENCE
from codex_oauth.errors import UnknownModelError
from codex_oauth.llm.selection import without_prefix
from codex_oauth.models import choose_model
from codex_oauth.types import Model

__all__ = ("UnknownModel", "resolve_model")

UnknownModel: TypeAlias = Literal["error", "default"]
"""What to do about a model that the catalogue does not have."""

_ALIAS: Final = re.compile(
    r"(?:(?P<base>gpt-\d+(?:\.\d+)*)-)?codex(?:-(?P<kind>latest|tuned|max|mini|spark))?(?:-latest)?"
)
# Names that personas have for "codex's own model": `codex`, `codex-latest`, `codex-mini-latest`, `gpt-5.1-codex-max`.

_SMALL: Final = ("mini", "spark")


def resolve_model(
    models: Sequence[Model],
    wanted: str | None,
    *,
    preference: Sequence[str] = DEFAULT_MODEL_PREFERENCE,
    unknown: UnknownModel = "error",
) -> Model:
    """The model to run. No id is known here: all come from the catalogue.

    An id of the catalogue is itself. `codex`, `codex-latest`, `codex-tuned` and None are the catalogue's default.
    `gpt-N-codex` is `gpt-N`, where the catalogue has that, else its default; one with `-mini` or `-spark` is its first
    small model.

    Args:
        models: The catalogue.
        wanted: The persona's model, with or without a provider's prefix.
        preference: Patterns of small models, tried in order.
        unknown: `default` takes the catalogue's default for a model that it does not have.

    Raises:
        UnknownModelError: The catalogue does not have it. The message names those that it has.
    """
    name = without_prefix((wanted or "").strip()).lower()
    for model in models:
        if model.id.lower() == name:
            return model
    found = _ALIAS.fullmatch(name)
    if found and found["kind"] in _SMALL:
        return choose_model(models, None, preference)
    if found:
        base = next((model for model in models if model.id.lower() == found["base"]), None)
        return base or choose_model(models, None, ())
    if not name or unknown == "default":
        return choose_model(models, None, ())
    there = ", ".join(model.id for model in models if not model.hidden)
    raise UnknownModelError(f"unknown model {wanted!r}; the plan has {there or 'none'}, and codex-latest", model=name)
