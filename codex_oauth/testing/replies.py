"""What the stand-in's model answers: plain values, rendered to either transport by `responses`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = [
    "Cut",
    "Empty",
    "Failed",
    "Hang",
    "HttpError",
    "Incomplete",
    "Items",
    "Json",
    "RateLimits",
    "Reply",
    "Slow",
    "Text",
    "Usage",
    "context_length_exceeded",
    "function_call",
    "message",
    "model_unsupported",
    "overloaded",
    "rate_limited",
    "reasoning",
    "server_error",
    "unauthorized",
    "usage_limit_reached",
    "usage_not_included",
]

Phase: TypeAlias = Literal["commentary", "final_answer"]


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens a response reports.

    Attributes:
        input_tokens: All input tokens, the cached ones included.
        cached_input_tokens: How many of them came from the cache.
        output_tokens: All output tokens, the reasoning ones included.
        reasoning_output_tokens: How many of them were reasoning.
    """

    input_tokens: int = 100
    cached_input_tokens: int = 0
    output_tokens: int = 10
    reasoning_output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much of the plan is used, reported beside every model answer and by the usage page.

    Attributes:
        used_percent: Share of the short window that is used, 0 to 100.
        window_minutes: Length of the short window.
        resets_in: Seconds until the short window starts anew.
        weekly_used_percent: Share of the long window that is used, or None for a plan without one.
        weekly_window_minutes: Length of the long window.
        weekly_resets_in: Seconds until the long window starts anew.
    """

    used_percent: float = 0.0
    window_minutes: int = 300
    resets_in: float = 3600.0
    weekly_used_percent: float | None = None
    weekly_window_minutes: int = 10080
    weekly_resets_in: float = 86400.0


@dataclass(frozen=True, slots=True)
class Text:
    """An ordinary answer: one assistant message.

    Attributes:
        text: The whole text.
        usage: The tokens reported at the end.
        chunks: In how many pieces the text streams; None sends it as one.
    """

    text: str
    usage: Usage = Usage()
    chunks: int | None = None


@dataclass(frozen=True, slots=True)
class Json:
    """An answer whose text is this value as JSON.

    Attributes:
        value: Any JSON value.
        usage: The tokens reported at the end.
    """

    value: Any
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Items:
    """An answer of any output items, e.g. reasoning, then two function calls.

    Attributes:
        items: Output items in order; `message`, `reasoning` and `function_call` build the usual ones.
        usage: The tokens reported at the end.
        end_turn: The response's own word on whether the turn is over; None leaves it out.
    """

    items: Sequence[Mapping[str, Any]]
    usage: Usage = Usage()
    end_turn: bool | None = None


@dataclass(frozen=True, slots=True)
class Empty:
    """A response that completes without any output item.

    Attributes:
        usage: The tokens reported at the end.
    """

    usage: Usage = Usage(output_tokens=0)


@dataclass(frozen=True, slots=True)
class HttpError:
    """A refusal before anything streams.

    Over SSE it is the HTTP status and the body; over a WebSocket, where the upgrade has already succeeded, it is an
    `error` frame with the same status and body.

    Attributes:
        status: The HTTP status.
        body: The JSON body, usually `{"error": {...}}` or `{"detail": ...}`.
        headers: Headers to add.
    """

    status: int
    body: Any = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Failed:
    """A response that begins and then fails (`response.failed`).

    Attributes:
        code: The service's error code, e.g. `server_error` or `rate_limit_exceeded`.
        message: Its text.
    """

    code: str
    message: str = "The request failed."


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A response that stops early (`response.incomplete`).

    Attributes:
        reason: E.g. `max_output_tokens` or `content_filter`.
        text: What was streamed before.
    """

    reason: str = "max_output_tokens"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection drops in the middle of the answer.

    Attributes:
        text: What was streamed before; with an empty text the answer had only begun.
    """

    text: str = ""


@dataclass(frozen=True, slots=True)
class Hang:
    """The answer begins and then nothing more comes until the peer goes.

    Attributes:
        text: What is streamed before.
    """

    text: str = ""


@dataclass(frozen=True, slots=True)
class Slow:
    """Another reply, with a wait before each of its events.

    Attributes:
        reply: What is answered.
        delay: Seconds before the first event and between two events.
    """

    reply: Reply
    delay: float


Reply: TypeAlias = Text | Json | Items | Empty | HttpError | Failed | Incomplete | Cut | Hang | Slow


def message(text: str, phase: Phase | None = None) -> dict[str, Any]:
    """An assistant message for `Items`; `phase` None leaves the phase out."""
    item: dict[str, Any] = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return item if phase is None else {**item, "phase": phase}


def reasoning(summary: str = "", encrypted: str = "") -> dict[str, Any]:
    """A reasoning item for `Items`, with a summary and the opaque content that is sent back in later turns."""
    parts = [{"type": "summary_text", "text": summary}] if summary else []
    return {"type": "reasoning", "summary": parts, "encrypted_content": encrypted or None}


def function_call(name: str, arguments: Any, call_id: str) -> dict[str, Any]:
    """A call of a function for `Items`; `arguments` that are not a string are sent as JSON."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function_call", "name": name, "arguments": text, "call_id": call_id}


def usage_limit_reached(resets_at: float | None = None, plan: str = "plus") -> HttpError:
    """429: the plan's allowance is used up until `resets_at` (Unix seconds; None is in an hour)."""
    reset = int(time.time() + 3600 if resets_at is None else resets_at)
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": plan,
        "resets_at": reset,
        "resets_in_seconds": max(0, reset - int(time.time())),
    }
    headers = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(reset),
    }
    return HttpError(429, {"error": error}, headers)


def usage_not_included(plan: str = "free") -> HttpError:
    """429: the plan has no allowance for Codex at all."""
    error = {"type": "usage_not_included", "message": "Usage is not included in your plan", "plan_type": plan}
    return HttpError(429, {"error": error})


def rate_limited(retry_after: int | None = None) -> HttpError:
    """429 without a plan's reason; `retry_after` in seconds becomes the header of that name."""
    error = {"type": "requests", "code": "rate_limit_exceeded", "message": "Rate limit reached."}
    return HttpError(429, {"error": error}, {} if retry_after is None else {"retry-after": str(retry_after)})


def unauthorized() -> HttpError:
    """401: this one request's token is not accepted."""
    error = {
        "message": "Your authentication token has been invalidated. Please try signing in again.",
        "type": "invalid_request_error",
        "code": "token_invalidated",
        "param": None,
    }
    return HttpError(401, {"error": error})


def model_unsupported(model: str) -> HttpError:
    """400: the model is not offered to ChatGPT accounts."""
    return HttpError(400, {"detail": f"The '{model}' model is not supported when using Codex with a ChatGPT account."})


def context_length_exceeded() -> HttpError:
    """400: the input is longer than the model's window."""
    error = {
        "type": "invalid_request_error",
        "code": "context_length_exceeded",
        "message": "Your input exceeds the context window of this model.",
        "param": "input",
    }
    return HttpError(400, {"error": error})


def overloaded() -> HttpError:
    """503: the model is at capacity."""
    error = {
        "type": "service_unavailable_error",
        "code": "server_is_overloaded",
        "message": "Our servers are currently overloaded. Please try again later.",
    }
    return HttpError(503, {"error": error})


def server_error(status: int = 500) -> HttpError:
    """A failure of the service itself, 500 unless another status is given."""
    error = {"type": "server_error", "code": "server_error", "message": "An error occurred."}
    return HttpError(status, {"error": error})
