"""Which model and effort a call runs with."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from codex_oauth.errors import UnknownModelError
from codex_oauth.types import Model

__all__ = ("choose_effort", "choose_model", "prefers")


def choose_model(models: Sequence[Model], wanted: str | None, preference: Sequence[str]) -> Model:
    """The model to run.

    Args:
        models: What the app-server lists, in its order.
        wanted: A model's id; None for the first visible one that matches a pattern, else the default.
        preference: Patterns such as `*-mini`, tried in order.

    Raises:
        UnknownModelError: `wanted` is not listed, or nothing is. An unlisted id would be sent as it is, in a form that
            the service may not take.
    """
    if wanted is not None:
        for model in models:
            if model.id == wanted:
                return model
        raise _unknown(models, wanted)
    visible = [model for model in models if not model.hidden]
    for pattern in preference:
        for model in visible:
            if prefers((pattern,), model):
                return model
    for model in visible:
        if model.default:
            return model
    if visible:
        return visible[0]
    raise UnknownModelError("the app-server lists no model at all")


def choose_effort(model: Model, wanted: str | None) -> str | None:
    """The reasoning effort to ask for: the wanted one, else the lowest that the model lists.

    Raises:
        UnknownModelError: The model does not list the wanted one; codex would send any word.
    """
    if wanted is None:
        return model.efforts[0] if model.efforts else None
    if wanted not in model.efforts:
        raise UnknownModelError(
            f"{model.id} has no effort {wanted!r}; it lists {', '.join(model.efforts) or 'none'}", model=model.id
        )
    return wanted


def prefers(preference: Sequence[str], model: Model) -> bool:
    """Whether a pattern of the preference list matches the model."""
    return any(fnmatchcase(model.id, pattern) for pattern in preference)


def _unknown(models: Sequence[Model], wanted: str) -> UnknownModelError:
    visible = [model.id for model in models if not model.hidden]
    near = difflib.get_close_matches(wanted, visible, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownModelError(f"unknown model {wanted!r}; {hint}known are {', '.join(visible)}", model=wanted)
