"""What a thread and a turn are started with, from plain values: for `Session`, and for a process that has imported
nothing else yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from codex_oauth.protocol import DynamicToolSpec, ThreadStartParams, TurnStartParams, UserInput

__all__ = ("FELL_BACK", "PROVIDER", "thread_start", "turn_start")

PROVIDER = "openai"
"""The built-in provider: the only one that a ChatGPT plan pays for."""

FELL_BACK = "Falling back from WebSockets"
"""How codex's warning begins (0.159 to 0.169) when it sends a thread's requests as POSTs from then on."""


def thread_start(
    *,
    cwd: str,
    instructions: str | None,
    model: str | None,
    effort: str | None,
    tools: Sequence[DynamicToolSpec] = (),
    raw: bool = False,
) -> ThreadStartParams:
    """What `thread/start` is sent with.

    Args:
        cwd: The folder that the app-server runs in.
        instructions: What the model is told before the input; None for nothing at all.
        model: The model's id; None for the server's default.
        effort: The reasoning effort; None for the model's own default.
        tools: The caller's tools.
        raw: Whether the service's own items are wanted, beside codex's.
    """
    params: ThreadStartParams = {
        # Empty, not absent: absent means codex's own prompt of 21,769 characters, empty means no message at all.
        "baseInstructions": instructions or "",
        # A workspace may prescribe some for all its members, past the home's own configuration.
        "developerInstructions": "",
        "cwd": cwd,
        # A home of the user's own may name a provider that another wallet pays for.
        "modelProvider": PROVIDER,
        # No environment: nothing that a tool could run in, and no text about one.
        "environments": [],
        # Nothing about it is written to disk.
        "ephemeral": True,
        "approvalPolicy": "never",
        "sandbox": "read-only",
    }
    if model is not None:
        params["model"] = model
    if effort is not None:
        # `turn/start` names it too, and decides. Here it makes the thread's prewarmed request equal to the turn's,
        # which then sends only what is new.
        params["config"] = {"model_reasoning_effort": effort}
    if tools:
        params["dynamicTools"] = list(tools)
    if raw:
        params["experimentalRawEvents"] = True
    return params


def turn_start(
    *, thread: str, text: str | None, images: Sequence[str] = (), effort: str | None, schema: Mapping[str, Any] | None
) -> TurnStartParams:
    """What `turn/start` is sent with.

    Args:
        thread: The thread's id.
        text: The input; None where the thread holds all of it.
        images: Data URLs.
        effort: The reasoning effort; None for the model's own default.
        schema: A strict JSON Schema for the reply; None for text.
    """
    said: list[UserInput] = [] if text is None else [{"type": "text", "text": text}]
    shown: list[UserInput] = [{"type": "image", "url": url} for url in images]
    params: TurnStartParams = {"threadId": thread, "input": said + shown}
    if effort is not None:
        params["effort"] = effort
    if schema is not None:
        params["outputSchema"] = schema
    return params
