"""`chatgpt.com`: the routes the codex binary uses, behind the bearer token the service would ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .http1 import HttpConnection
from .inference import Inference
from .messages import HttpResponse, Request, Route
from .oauth import AuthServer
from .recording import Recording
from .tokens import Account, TokenAuthority, TokenRejectedError

__all__ = ["Backend", "Responder"]

Responder: TypeAlias = Route | Callable[[Request], Route | None]


class Backend:
    """Answers the requests of both hosts, overrides first."""

    def __init__(self, recording: Recording, tokens: TokenAuthority, auth: AuthServer, inference: Inference) -> None:
        self.models: list[Mapping[str, Any]] = []
        self.overrides: dict[str, Responder] = {}
        self._recording = recording
        self._tokens = tokens
        self._auth = auth
        self._inference = inference

    async def handle(self, request: Request, http: HttpConnection) -> None:
        """Answers one request on its connection."""
        override = self._override(request)
        if override is not None:
            await http.answer(override)
        elif request.host == "auth.openai.com":
            await http.answer(await self._auth.answer(request))
        else:
            await self._chatgpt(request, http)

    def _override(self, request: Request) -> Route | None:
        responder = self.overrides.get(request.path)
        if not callable(responder):
            return responder
        try:
            return responder(request)
        except Exception as error:  # noqa: BLE001 - the caller's own code may raise anything; the end of the block raises it again
            self._recording.error(error)
            return HttpResponse(500, {"detail": "the override raised"})

    async def _chatgpt(self, request: Request, http: HttpConnection) -> None:
        if not request.path.startswith("/backend-api/"):
            await http.answer(_NOT_FOUND)
            return
        try:
            account = self._tokens.authenticate(request.bearer)
        except TokenRejectedError as rejected:
            error = {
                "message": f"{rejected.message} Please try signing in again.",
                "type": "invalid_request_error",
                "code": rejected.code,
                "param": None,
            }
            await http.answer(HttpResponse(401, {"error": error, "status": 401}))
            return
        match request.method, request.path:
            case "POST", "/backend-api/codex/responses":
                await self._inference.post(request, http)
            case "GET", "/backend-api/codex/responses" if request.headers.get("upgrade", "").lower() == "websocket":
                await self._inference.upgrade(request, http)
            case "GET", "/backend-api/codex/models":
                await http.answer(HttpResponse(200, {"models": list(self.models)}))
            case "GET", "/backend-api/wham/accounts/check":
                await http.answer(HttpResponse(200, _accounts(account)))
            case "GET", "/backend-api/wham/settings/user":
                await http.answer(HttpResponse(200, {}))
            case "GET", "/backend-api/wham/usage":
                await http.answer(HttpResponse(200, self._usage(account)))
            case _:
                await http.answer(_NOT_FOUND)

    def _usage(self, account: Account) -> dict[str, Any]:
        limits = self._inference.rate_limits
        if limits is None:
            return {"plan_type": account.plan, "rate_limit": None, "credits": None}
        weekly = limits.weekly_used_percent
        full = max(limits.used_percent, weekly or 0.0) >= 100
        return {
            "plan_type": account.plan,
            "rate_limit": {
                "allowed": not full,
                "limit_reached": full,
                "primary_window": _window(limits.used_percent, limits.window_minutes, limits.resets_in),
                "secondary_window": None
                if weekly is None
                else _window(weekly, limits.weekly_window_minutes, limits.weekly_resets_in),
            },
            "credits": None,
        }


_NOT_FOUND = HttpResponse(404, {"detail": "Not Found"})


def _window(used_percent: float, minutes: int, resets_in: float) -> dict[str, Any]:
    return {
        "used_percent": round(used_percent),
        "limit_window_seconds": minutes * 60,
        "reset_after_seconds": int(resets_in),
        "reset_at": int(time.time() + resets_in),
    }


def _accounts(account: Account) -> dict[str, Any]:
    entry = {
        "id": account.account_id,
        "plan_type": account.plan,
        "structure": "personal",
        # The client only believes an https origin here, and routes every later request to it.
        "workspace_backend_origin": "https://chatgpt.com",
        "account_routing_override": "NO_CONSTRAINT",
    }
    return {"accounts": [entry], "account_ordering": [account.account_id], "default_account_id": account.account_id}
