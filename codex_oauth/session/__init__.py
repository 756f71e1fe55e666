"""A typed conversation with one app-server."""

from codex_oauth.session.request import Thread, TurnRequest, TurnResult, ignore
from codex_oauth.session.server import Server, TokenSource
from codex_oauth.session.session import Session, open_session

__all__ = ("Server", "Session", "Thread", "TokenSource", "TurnRequest", "TurnResult", "ignore", "open_session")
