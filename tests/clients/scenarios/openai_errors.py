"""The `openai` client when something goes wrong: the class of the error, and what it says. Runs with the client's own
Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
from openai import OpenAI
from openai_asked import model

__all__ = ("a_stream_that_fails", "other_apis", "raised", "respond_raised", "slow", "unreachable", "without_a_token")


def _caught(call: Callable[[], Any]) -> Any:
    try:
        result = call()
    except openai.APIError as error:
        return {
            "kind": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "param": error.param,
            "type": error.type,
            "message": error.message,
        }
    return {"kind": None, "text": result}


def _text(client: OpenAI, **more: Any) -> str | None:
    asked: dict[str, Any] = {"model": model(), "messages": [{"role": "user", "content": "hello"}], **more}
    completions: Any = client.chat.completions
    return completions.create(**asked).choices[0].message.content


def _persistent() -> OpenAI:
    # As ccgate does: it asks up to five times more.
    return OpenAI(max_retries=5)


def raised(**more: Any) -> Any:
    """A chat with these parameters."""
    client = _persistent()
    return _caught(lambda: _text(client, **more))


def respond_raised(**more: Any) -> Any:
    """A response with these parameters."""
    client = _persistent()
    responses: Any = client.responses
    return _caught(lambda: responses.create(**{"model": model(), "input": "hello", **more}).output_text)


def without_a_token() -> Any:
    """A client with another key."""
    model()
    return _caught(lambda: _text(OpenAI(api_key="sk-not-a-token")))


def other_apis() -> Any:
    """What OpenAI has besides: the class of the error of each."""
    client: Any = OpenAI()
    calls: dict[str, Callable[[], Any]] = {
        "embeddings": lambda: client.embeddings.create(model="text-embedding-3-small", input="hello"),
        "images": lambda: client.images.generate(prompt="A red dot."),
        "a chat that was stored": lambda: client.get("/chat/completions/chatcmpl-1", cast_to=object),
    }
    return {name: _caught(call)["kind"] for name, call in calls.items()}


def unreachable() -> Any:
    """An address where nobody listens."""
    model()
    return _caught(lambda: _text(OpenAI(base_url="http://127.0.0.1:9/v1", max_retries=0)))


def slow(*, stream: bool = False) -> Any:
    """An answer that does not come in time."""
    completions: Any = OpenAI(timeout=0.5, max_retries=0).chat.completions
    asked: dict[str, Any] = {"model": model(), "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    try:
        list(completions.create(**asked))
    except Exception as error:  # noqa: BLE001 - older clients let other libraries' errors through
        return {"kind": type(error).__name__}
    return {"kind": None}


def a_stream_that_fails(api: str) -> Any:
    """A stream that begins and does not end well: what had come, and the error."""
    client, pieces = OpenAI(max_retries=0), list[str]()

    def chat() -> None:
        for chunk in client.chat.completions.create(
            model=model(), messages=[{"role": "user", "content": "hello"}], stream=True
        ):
            pieces.append(chunk.choices[0].delta.content or "")

    def respond() -> None:
        for event in client.responses.create(model=model(), input="hello", stream=True):
            pieces.append(event.delta if event.type == "response.output_text.delta" else "")

    caught = _caught(chat if api == "chat" else respond)
    return {**caught, "pieces": [piece for piece in pieces if piece]}
