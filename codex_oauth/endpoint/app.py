"""The endpoint as an ASGI application: its routes, and who may take which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_oauth.endpoint import responses
from codex_oauth.endpoint.bodies import ClientGone, Receive
from codex_oauth.endpoint.exchange import Exchange, Send
from codex_oauth.endpoint.refusals import ApiError, as_refusal

if TYPE_CHECKING:
    from codex_oauth.endpoint.access import AccessLog
    from codex_oauth.endpoint.calls import Calls
    from codex_oauth.endpoint.guard import Guard
    from codex_oauth.endpoint.site import Site

__all__ = ("Endpoint",)

Route: TypeAlias = Callable[[Exchange], Awaitable[None]]

_MODELS: Final = "/v1/models"


class Endpoint:
    """The application.

    Args:
        guard: Who is let in.
        calls: What asks the model.
        site: The page and what else is about the endpoint itself.
        log: The access log; None for none.
    """

    def __init__(self, guard: Guard, calls: Calls, site: Site, log: AccessLog | None = None) -> None:
        self._guard = guard
        self._calls = calls
        self._tally = calls.tally
        self._log = log
        self._routes: dict[str, dict[str, Route]] = {
            **{path: {"POST": route} for path, route in calls.routes().items()},
            _MODELS: {"GET": self._models},
            "/": {"GET": site.page, "POST": site.sign_in},
            "/metrics": {"GET": site.metrics},
            "/healthz": {"GET": self._health},
        }

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except ClientGone:
            exchange.error = "client_gone"
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            refusal = as_refusal(error)
            exchange.failed(refusal)
            if not exchange.begun:
                await exchange.refuse(refusal)
        finally:
            call = exchange.call()
            self._tally.add(call)
            if self._log is not None:
                self._log.write(exchange.line(call))

    async def _serve(self, exchange: Exchange) -> None:
        self._guard.check_place(exchange.headers)
        # The page asks a person for the token, and everybody may know that something listens here.
        if exchange.path not in ("/", "/healthz"):
            self._guard.check_token(exchange.headers)
        route = self._route(exchange)
        await route(exchange)

    def _route(self, exchange: Exchange) -> Route:
        path, method = exchange.path, exchange.method
        methods = self._routes.get(path)
        if methods is None and path.startswith(f"{_MODELS}/"):
            methods = {"GET": self._model}
        if path.startswith(f"{responses.API.path}/"):
            raise responses.not_stored(path.removeprefix(f"{responses.API.path}/"))
        if methods is None:
            there = ", ".join(path for path in self._routes if path != "/")
            raise ApiError(404, f"there is nothing at this path; there is {there}", code="unknown_url")
        if method == "HEAD" and "GET" in methods:
            return methods["GET"]  # uvicorn sends no body
        if method not in methods:
            allowed = ", ".join(methods)
            raise ApiError(405, f"this path takes {allowed}", code="method_not_allowed", headers={"allow": allowed})
        return methods[method]

    async def _models(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._calls.catalogue.listed())

    async def _model(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._calls.catalogue.one(exchange.path.removeprefix(f"{_MODELS}/")))

    async def _health(self, exchange: Exchange) -> None:
        await exchange.answer_json({"status": "ok"})
