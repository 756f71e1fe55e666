"""`api.openai.com`: the wallet beside the plan, where an API key pays."""

from __future__ import annotations

from collections.abc import Iterable

from .http1 import HttpConnection
from .inference import Inference
from .messages import HttpResponse, Request, error_body

__all__ = ["Api"]


class Api:
    """Answers model requests that come with one of the keys."""

    def __init__(self, keys: Iterable[str], inference: Inference) -> None:
        self._keys = frozenset(keys)
        self._inference = inference

    async def handle(self, request: Request, http: HttpConnection) -> None:
        """Answers one request on its connection."""
        if request.bearer not in self._keys:
            # The service repeats a part of the key, which a log of the client would then hold.
            where = "You can find your API key at https://platform.openai.com/account/api-keys."
            error = error_body("invalid_api_key", f"Incorrect API key provided. {where}")
            await http.answer(HttpResponse(401, error))
        elif request.path == "/v1/responses":
            await self._inference.serve(request, http)
        else:
            error = error_body(None, f"Invalid URL ({request.method} {request.path})")
            await http.answer(HttpResponse(404, error))
