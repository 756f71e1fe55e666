"""The APIs that the endpoint speaks."""

from __future__ import annotations

from typing import Final

from codex_oauth.endpoint import responses
from codex_oauth.endpoint.api import Api
from codex_oauth.endpoint.chat import completion, read_request
from codex_oauth.endpoint.chat_stream import ChatStream

__all__ = ("APIS",)

APIS: Final[tuple[Api, ...]] = (
    Api(path="/v1/chat/completions", label="chat", read=read_request, written=completion, stream=ChatStream),
    responses.API,
)
