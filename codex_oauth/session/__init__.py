"""A typed conversation with one app-server."""

from codex_oauth.session.request import Thread, TurnRequest, TurnResult, ignore
from codex_oauth.session.session import Server, Session, open_session

__all__ = ("Server", "Session", "Thread", "TurnRequest", "TurnResult", "ignore", "open_session")
