"""The model's endpoint: the Responses API over POST with server-sent events, and over a WebSocket."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from .certificates import API_HOST
from .http1 import HttpConnection
from .limits import limits_event, limits_headers
from .messages import HttpResponse, ModelRequest, Request
from .recording import Recording
from .replies import Empty, HttpError, RateLimits, Reply, Usage
from .responses import Drop, Event, Pause, Refuse, Stall, Step, render
from .script import Script
from .stream import Stream
from .websocket import WebSocket

__all__ = ["Inference"]

Item = Mapping[str, Any]


class _Outlet(Protocol):
    """One response on its way to the peer."""

    @property
    def stream(self) -> Stream: ...

    async def event(self, data: dict[str, Any]) -> None: ...

    async def refuse(self, error: HttpError) -> None: ...

    async def stall(self) -> None: ...


class Inference:
    """Answers model requests from the script, and records them."""

    def __init__(self, recording: Recording, script: Script) -> None:
        self.websocket = True
        self.latency = 0.0
        self.rate_limits: RateLimits | None = None
        self._recording = recording
        self._script = script
        self._serial = itertools.count(1)

    async def serve(self, request: Request, http: HttpConnection) -> None:
        """Answers its endpoint, under whichever address: a POST, or the upgrade to a WebSocket."""
        if request.method == "POST":
            await self._post(request, http)
        elif request.method == "GET" and request.headers.get("upgrade", "").lower() == "websocket":
            await self._upgrade(request, http)
        else:
            await http.answer(HttpResponse(405, {"detail": "Method Not Allowed"}))

    async def _post(self, request: Request, http: HttpConnection) -> None:
        try:
            body = _object(request.body)
        except ValueError:
            await http.answer(HttpResponse(400, {"detail": "Invalid request body"}))
            return
        context = _input(body)
        if context is None:
            await http.answer(HttpResponse(400, {"detail": "Input must be a list"}))
            return
        model_request = ModelRequest("sse", body, len(request.body), False, context, request, request.at)
        outlet = _ServerSentEvents(http, limits_headers(self._limits(request)))
        await self._answer(model_request, outlet)
        await outlet.finish()

    async def _upgrade(self, request: Request, http: HttpConnection) -> None:
        if not self.websocket:
            await http.answer(HttpResponse(426, {"detail": "Upgrade Required"}))
            return
        socket = WebSocket(http.stream)
        if not await socket.accept(http.handed_over()):
            return
        # The service keeps what was said for the life of the connection only (`store` is false).
        said: dict[str, Sequence[Item]] = {}
        outlet = _WebSocketEvents(socket)
        while (frame := await socket.receive()) is not None:
            await self._frame(frame, request, outlet, said)

    async def _frame(
        self, frame: str, request: Request, outlet: _WebSocketEvents, said: dict[str, Sequence[Item]]
    ) -> None:
        try:
            body = _object(frame)
        except ValueError:
            await outlet.refuse(_bad_request("invalid_json", "The message is not a JSON object."))
            return
        if body.get("type") != "response.create":
            await outlet.refuse(_bad_request("unknown_message", f"Unknown message type {body.get('type')!r}."))
            return
        previous = body.get("previous_response_id")
        earlier = () if previous is None else said.get(str(previous))
        if earlier is None:
            text = f"Previous response with id '{previous}' not found."
            await outlet.refuse(_bad_request("previous_response_not_found", text, "previous_response_id"))
            return
        added = _input(body)
        if added is None:
            await outlet.refuse(_bad_request("invalid_type", "Input must be a list", "input"))
            return
        context = [*earlier, *added]
        prewarm = body.get("generate") is False
        size = len(frame.encode())
        model_request = ModelRequest("websocket", body, size, prewarm, context, request, time.monotonic())
        outlet.rate_limits = None if prewarm else self._limits(request)
        response_id, output = await self._answer(model_request, outlet)
        said[response_id] = [*context, *output]

    async def _answer(self, request: ModelRequest, outlet: _Outlet) -> tuple[str, list[Item]]:
        """Plays one reply; returns the response's id and its finished output items."""
        response_id = f"resp_{next(self._serial)}"
        output: list[Item] = []
        # Taken before the request is recorded: who waits for the request and queues a reply then means the next one.
        steps = self._steps(request, response_id)
        with self._recording.answer():
            self._recording.model_request(request)
            if self.latency and await outlet.stream.gone_within(self.latency):
                return response_id, output
            for step in steps:
                match step:
                    case Event(data):
                        await outlet.event(data)
                        if data["type"] == "response.output_item.done":
                            output.append(data["item"])
                    case Refuse(error):
                        await outlet.refuse(error)
                    case Pause(seconds):
                        if await outlet.stream.gone_within(seconds):
                            break
                    case Stall():
                        await outlet.stall()
                    case Drop():
                        outlet.stream.abort()
        return response_id, output

    def _steps(self, request: ModelRequest, response_id: str) -> Iterator[Step]:
        if request.prewarm:
            # A prewarm must not have an output: the client would take it for a part of the conversation.
            return _without_output(response_id)
        return render(self._reply(request), response_id)

    def _reply(self, request: ModelRequest) -> Reply:
        try:
            return self._script.next_reply(request)
        except Exception as error:  # noqa: BLE001 - the caller's own code may raise anything; the end of the block raises it again
            self._recording.error(error)
            return HttpError(500, {"error": {"type": "server_error", "message": "the scripted reply raised"}})

    def _limits(self, request: Request) -> RateLimits | None:
        """How much of the plan is used, where it is a plan that pays."""
        return None if request.host == API_HOST else self.rate_limits


class _ServerSentEvents:
    """A response as an event stream; its head waits for the first event, which may be a refusal instead."""

    def __init__(self, http: HttpConnection, headers: Mapping[str, str]) -> None:
        self.stream = http.stream
        self._http = http
        self._headers = {"content-type": "text/event-stream", "cache-control": "no-cache", **headers}
        self._begun = False

    async def event(self, data: dict[str, Any]) -> None:
        if not self._begun:
            self._begun = True
            await self._http.begin(200, self._headers)
        await self._http.send(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode())

    async def refuse(self, error: HttpError) -> None:
        await self._http.answer(HttpResponse(error.status, error.body, error.headers))

    async def stall(self) -> None:
        await self.stream.gone.wait()

    async def finish(self) -> None:
        if self._begun and not self.stream.gone.is_set():
            await self._http.end()


class _WebSocketEvents:
    """A response as text messages."""

    def __init__(self, socket: WebSocket) -> None:
        self.stream = socket.stream
        self.rate_limits: RateLimits | None = None
        self._socket = socket

    async def event(self, data: dict[str, Any]) -> None:
        if self.rate_limits is not None and data["type"] == "response.created":
            await self._socket.send(json.dumps(limits_event(self.rate_limits)))
        await self._socket.send(json.dumps(data))

    async def refuse(self, error: HttpError) -> None:
        body: Mapping[str, Any] = cast("Any", error.body) if isinstance(error.body, Mapping) else {"error": error.body}
        frame = {**body, "type": "error", "status": error.status, "headers": dict(error.headers)}
        await self._socket.send(json.dumps(frame))

    async def stall(self) -> None:
        await self._socket.wait()


def _without_output(response_id: str) -> Iterator[Step]:
    return render(Empty(Usage(input_tokens=0, output_tokens=0)), response_id)


def _bad_request(code: str, text: str, param: str | None = None) -> HttpError:
    error = {"type": "invalid_request_error", "code": code, "message": text, "param": param}
    return HttpError(400, {"error": error})


def _input(body: Mapping[str, Any]) -> Sequence[Item] | None:
    """The input items; None when they are not a list of objects, which the service insists on."""
    items: Any = body.get("input", [])
    if not isinstance(items, list):
        return None
    known = cast("list[Any]", items)
    return known if all(isinstance(item, dict) for item in known) else None


def _object(text: bytes | str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, Any]", value)
