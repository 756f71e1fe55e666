"""The models that the plan has: what `/v1/models` lists, and what a request's `model` and effort come down to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError, bad_request
from codex_oauth.errors import UnknownModelError
from codex_oauth.models import choose_model

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.types import Model

__all__ = ("ALIASES", "EFFORTS", "Catalogue", "nearest_effort")

ALIASES: Final = ("codex-oauth", "default")
"""Names for the model that a call without one would have."""

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every word for an effort, lowest first. A model lists some of them."""

_FRESH: Final = 60.0
"""Seconds for which a list of models is used."""

_LONGEST_NAME: Final = 100
# Characters; a longer one is no model's, and is not repeated whole.


class Catalogue:
    """The models, as they were within the last minute.

    Args:
        codex: Who knows them.
    """

    def __init__(self, codex: AsyncCodex) -> None:
        self._codex = codex
        self._lock = anyio.Lock()
        self._models: tuple[Model, ...] = ()
        self._seen = -_FRESH

    async def models(self) -> tuple[Model, ...]:
        """All of them, those kept out of model pickers too.

        Raises:
            CodexOAuthError: They could not be asked for.
        """
        if anyio.current_time() - self._seen < _FRESH:
            return self._models
        async with self._lock:
            if anyio.current_time() - self._seen >= _FRESH:
                self._models = await self._codex.models()
                self._seen = anyio.current_time()
        return self._models

    async def resolve(self, asked: Asked) -> Asked:
        """The same request, with the id of a model and, where it names an effort, one that this model lists.

        Raises:
            ApiError: There is no such model, or no such effort anywhere.
        """
        model = await self._choose(None if asked.model in (None, "", *ALIASES) else asked.model)
        effort = asked.effort
        if effort is not None:
            effort = nearest_effort(model.efforts, effort)
        return replace(asked, model=model.id, effort=effort)

    async def default(self) -> str:
        """The model of a request that names none.

        Raises:
            ApiError: There is none.
            CodexOAuthError: The models could not be asked for.
        """
        return (await self._choose(None)).id

    async def listed(self) -> dict[str, Any]:
        """What `GET /v1/models` answers: the visible ones, as OpenAI lists its own."""
        return {"object": "list", "data": [_entry(model) for model in await self.models() if not model.hidden]}

    async def one(self, name: str) -> dict[str, Any]:
        """What `GET /v1/models/{id}` answers.

        Raises:
            ApiError: There is no such model.
        """
        for model in await self.models():
            if model.id == name:
                return _entry(model)
        message = f"the model {name[:80]!r} is not among those of GET /v1/models"
        raise ApiError(404, message, code="model_not_found", param="model")

    async def _choose(self, wanted: str | None) -> Model:
        settings = self._codex.settings
        if wanted is not None and len(wanted) > _LONGEST_NAME:
            wanted = f"{wanted[:_LONGEST_NAME]}…"
        try:
            return choose_model(await self.models(), wanted or settings.model, settings.model_preference)
        except UnknownModelError as error:
            raise ApiError(404, error.message, code="model_not_found", param="model") from None


def nearest_effort(listed: Sequence[str], wanted: str) -> str | None:
    """The effort of a model's list that is nearest to the wanted one, the lower of two; None where it lists none.

    Raises:
        ApiError: Nothing is called so.
    """
    if wanted in listed:
        return wanted
    if wanted not in EFFORTS:
        raise bad_request(
            f"reasoning effort: {wanted[:40]!r} is none of {', '.join(EFFORTS)}",
            param="reasoning_effort",
            code="invalid_value",
        )
    known = [effort for effort in listed if effort in EFFORTS]
    place = EFFORTS.index(wanted)
    return min(known, key=lambda effort: abs(EFFORTS.index(effort) - place), default=None)


def _entry(model: Model) -> dict[str, Any]:
    # When it was made is not known; clients want a number.
    return {"id": model.id, "object": "model", "created": 0, "owned_by": "openai"}
