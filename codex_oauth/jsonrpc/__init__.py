"""The app-server's dialect of JSON-RPC."""

from codex_oauth.jsonrpc.dispatcher import (
    REQUEST_TIMEOUT,
    Dispatcher,
    PendingResponse,
    RequestHandler,
    crashed,
    unknown_method,
)

__all__ = ("REQUEST_TIMEOUT", "Dispatcher", "PendingResponse", "RequestHandler", "crashed", "unknown_method")
