"""The loopback ChatGPT: a stand-in for ChatGPT's backend that the real `codex` binary talks to, entirely offline.

Use it to test a program that drives codex, or to try one out without an account:

    from codex_oauth.testing import LoopbackChatGPT, Text, usage_limit_reached

    with LoopbackChatGPT() as chatgpt:
        chatgpt.sign_in(codex_home)
        chatgpt.script(Text("hello"), usage_limit_reached())
        ...  # start codex with chatgpt.environment

`Replay` is a stand-in that answers as a recording says.

It needs the extra `testing`: `pip install "codex-oauth[testing]"`. The pytest fixtures `chatgpt` and `replayed_chatgpt`
are in `codex_oauth.testing.pytest_plugin`, and `python -m codex_oauth.testing` runs it in a terminal.
"""

from __future__ import annotations

try:
    import h11 as _h11
    import trustme as _trustme
    import websockets as _websockets
    import zstandard as _zstandard
except ImportError as error:
    raise ImportError(f'codex_oauth.testing needs {error.name}: pip install "codex-oauth[testing]"') from error

from .backend import Responder
from .browser import BrowserLoginError
from .loopback import LoopbackChatGPT
from .messages import DROP, HANG, HttpResponse, ModelRequest, NoResponse, Request
from .replay import Replay, ReplayMismatchError
from .replies import (
    Cut,
    Empty,
    Failed,
    Hang,
    HttpError,
    Incomplete,
    Items,
    Json,
    RateLimits,
    Reply,
    Slow,
    Text,
    Usage,
    context_length_exceeded,
    function_call,
    message,
    model_unsupported,
    overloaded,
    rate_limited,
    reasoning,
    server_error,
    unauthorized,
    usage_limit_reached,
    usage_not_included,
)
from .schemas import fitting_value
from .script import Answer

del _h11, _trustme, _websockets, _zstandard

__all__ = [
    "DROP",
    "HANG",
    "Answer",
    "BrowserLoginError",
    "Cut",
    "Empty",
    "Failed",
    "Hang",
    "HttpError",
    "HttpResponse",
    "Incomplete",
    "Items",
    "Json",
    "LoopbackChatGPT",
    "ModelRequest",
    "NoResponse",
    "RateLimits",
    "Replay",
    "ReplayMismatchError",
    "Reply",
    "Request",
    "Responder",
    "Slow",
    "Text",
    "Usage",
    "context_length_exceeded",
    "fitting_value",
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
