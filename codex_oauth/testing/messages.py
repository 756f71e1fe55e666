"""What is recorded about a request, and how a route is made to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import parse_qsl

__all__ = ["DROP", "HANG", "HttpResponse", "ModelRequest", "NoResponse", "Request", "Route", "error_body"]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as it arrived inside the TLS tunnel.

    Attributes:
        host: The host of the tunnel: `chatgpt.com`, `auth.openai.com`, or `api.openai.com` where API keys are given.
        method: Upper-case method.
        path: The path without its query.
        query: The query's parameters, the last value of each.
        headers: Header names in lower case; repeated headers joined with a comma.
        body: The body with `content-encoding` (zstd, gzip, deflate) already undone.
        at: When the request was complete, in seconds of `time.monotonic()`.
    """

    host: str
    method: str
    path: str
    # What may hold a code or a token has no place in a log or in a failed assertion.
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: float

    @property
    def json(self) -> Any:
        """The body as a JSON value.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The parameters in the body, a form or a JSON object; none where it is something else."""
        if self.headers.get("content-type", "").startswith("application/json"):
            try:
                value = self.json
            except ValueError:
                return {}
            return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def bearer(self) -> str | None:
        """The token of the `authorization: Bearer` header, or None."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request for a model's answer: a POST, or one frame of a WebSocket.

    Attributes:
        transport: How it came.
        body: The JSON object as sent. Over a WebSocket this is the `response.create` frame, which may carry only what
            is new since `previous_response_id`; `context` has the whole.
        size: Bytes of that JSON text, decompressed.
        prewarm: True for a frame with `"generate": false`, which asks for no answer.
        context: Every input item the model sees: those of the earlier responses it builds on and what was answered to
            them, then its own.
        request: The HTTP request, or the WebSocket upgrade, that carried it.
        at: When it was complete, in seconds of `time.monotonic()`.
    """

    transport: Literal["websocket", "sse"]
    body: Mapping[str, Any]
    size: int
    prewarm: bool
    context: Sequence[Mapping[str, Any]] = field(repr=False)
    request: Request = field(repr=False)
    at: float

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def schema(self) -> Any:
        """The JSON Schema the answer has to fit (`text.format`), or None when any text will do."""
        text = self.body.get("text")
        answer_format = cast("Mapping[str, Any]", text).get("format") if isinstance(text, Mapping) else None
        if not isinstance(answer_format, Mapping):
            return None
        known = cast("Mapping[str, Any]", answer_format)
        return known.get("schema") if known.get("type") == "json_schema" else None

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """Every tool that the model is offered, by itself: of `tools`, of `additional_tools` items among the input, and
        of the namespaces in either."""
        groups: list[Any] = [self.body.get("tools")]
        groups += [item.get("tools") for item in self.context if item.get("type") == "additional_tools"]
        spaces = [tool for group in groups for tool in cast("Sequence[Mapping[str, Any]]", group or ())]
        return [tool for space in spaces for tool in space.get("tools", [space])]

    @property
    def text(self) -> str:
        """The text of the last user message the model sees, or an empty string."""
        for item in reversed(self.context):
            if item.get("type", "message") == "message" and item.get("role") == "user":
                content = item.get("content")
                if isinstance(content, str):
                    return content
                parts = cast("Sequence[Mapping[str, Any]]", content or ())
                return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "input_text")
        return ""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer for `LoopbackChatGPT.respond`.

    Attributes:
        status: The HTTP status.
        body: Bytes as they are; anything else is sent as JSON.
        headers: Headers to add to `content-type` and `content-length`.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encode(self) -> tuple[bytes, dict[str, str]]:
        """The body's bytes and the complete headers, names in lower case."""
        raw = isinstance(self.body, bytes)
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"content-type": "text/plain; charset=utf-8" if raw else "application/json"}
        headers |= {name.lower(): value for name, value in self.headers.items()}
        headers["content-length"] = str(len(content))
        return content, headers


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The request is read and never answered.

    Attributes:
        drop: Close the connection at once, instead of holding it open until the peer goes.
    """

    drop: bool = False


HANG: Final = NoResponse()
"""Hold the connection open and say nothing."""

DROP: Final = NoResponse(drop=True)
"""Close the connection without an answer."""

Route: TypeAlias = HttpResponse | NoResponse


def error_body(code: str | None, message: str) -> dict[str, Any]:
    """The body of a refusal, as all of the service's hosts word it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
