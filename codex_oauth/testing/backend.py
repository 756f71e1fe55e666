"""`chatgpt.com`: the routes the codex binary uses, behind the bearer token the service would ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from . import pages
from .api import Api
from .certificates import API_HOST
from .http1 import HttpConnection
from .inference import Inference
from .limits import usage
from .messages import HttpResponse, Request, Route, error_body
from .oauth import AuthServer
from .recording import Recording
from .tokens import Account, TokenAuthority, TokenRejectedError

__all__ = ["Backend", "Responder"]

Responder: TypeAlias = Route | Callable[[Request], Route | None]


class Backend:
    """Answers the requests of all hosts, overrides first."""

    def __init__(
        self, recording: Recording, tokens: TokenAuthority, auth: AuthServer, inference: Inference, api: Api
    ) -> None:
        self.models: list[Mapping[str, Any]] = []
        self.overrides: dict[str, Responder] = {}
        self._recording = recording
        self._tokens = tokens
        self._auth = auth
        self._inference = inference
        self._api = api

    async def handle(self, request: Request, http: HttpConnection) -> None:
        """Answers one request on its connection."""
        override = self._override(request)
        if override is not None:
            await http.answer(override)
        elif request.host == API_HOST:
            await self._api.handle(request, http)
        elif (request.method, request.path) == ("GET", "/codex/open-app"):
            # Where codex sends the browser at the end of a sign-in with `useHostedLoginSuccessPage`.
            await http.answer(pages.notice("You are signed in", "You may close this page and go back to Codex."))
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
            error = error_body(rejected.code, f"{rejected.message} Please try signing in again.")
            await http.answer(HttpResponse(401, {**error, "status": 401}))
            return
        match request.method, request.path:
            case _, "/backend-api/codex/responses":
                await self._inference.serve(request, http)
            case "GET", "/backend-api/codex/models":
                await http.answer(HttpResponse(200, {"models": list(self.models)}))
            case "GET", "/backend-api/wham/accounts/check":
                await http.answer(HttpResponse(200, _accounts(account)))
            case "GET", "/backend-api/wham/settings/user":
                await http.answer(HttpResponse(200, {}))
            case "GET", "/backend-api/wham/config/bundle":
                # What a workspace prescribes; asked for business, enterprise and edu plans, and required there.
                await http.answer(HttpResponse(200, {}))
            case "GET", "/backend-api/wham/usage":
                await http.answer(HttpResponse(200, usage(account.plan, self._inference.rate_limits)))
            case _:
                await http.answer(_NOT_FOUND)


_NOT_FOUND = HttpResponse(404, {"detail": "Not Found"})


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
