"""What the model was sent, whichever client has asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codex_oauth.testing import LoopbackChatGPT, ModelRequest

__all__ = ("images", "kinds", "only", "outputs", "said", "tools")


def only(chatgpt: LoopbackChatGPT) -> ModelRequest:
    """The one request that was made of the model."""
    (request,) = chatgpt.model_requests
    return request


def kinds(request: ModelRequest) -> list[str]:
    """The types of the items that were said, in order."""
    return [item["type"] for item in request.context if item["type"] != "additional_tools"]


def said(request: ModelRequest) -> list[tuple[str, str]]:
    """The messages with a text: whose, and what."""
    return [
        (item["role"], "".join(part.get("text", "") for part in item["content"]))
        for item in request.context
        if item["type"] == "message"
    ]


def images(request: ModelRequest) -> list[str]:
    """The addresses of the pictures."""
    return [part["image_url"] for part in _parts(request) if part["type"] == "input_image"]


def outputs(request: ModelRequest) -> dict[str, Any]:
    """The outputs of functions, as JSON, by the call's id."""
    found = (item for item in request.context if item["type"] == "function_call_output")
    return {item["call_id"]: json.loads(item["output"]) for item in found}


def tools(request: ModelRequest) -> dict[str, Any]:
    """The functions that could be called: the schema of each one's parameters."""
    # codex puts a caller's into one namespace.
    found = list(request.tools)
    return {tool["name"]: tool["parameters"] for tool in found}


def _parts(request: ModelRequest) -> list[Mapping[str, Any]]:
    return [part for item in request.context if item["type"] == "message" for part in item["content"]]
