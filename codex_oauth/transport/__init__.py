"""Lines of JSON, in and out."""

from codex_oauth.transport.base import MAX_LINE, Transport
from codex_oauth.transport.stdio import StdioTransport

__all__ = ("MAX_LINE", "StdioTransport", "Transport")
