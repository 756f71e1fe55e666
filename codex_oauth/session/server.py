"""What to start, and what a thread on it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from codex_oauth.records import field, record
from codex_oauth.session.params import PROVIDER, thread_start
from codex_oauth.session.request import TurnRequest
from codex_oauth.thin.greeting import CLIENT_NAME, SILENCED
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.process import CommandSpec
    from codex_oauth.protocol import ChatgptAuthTokensRefreshResponse, InitializeParams, ThreadStartParams

__all__ = ("PROVIDER", "Server", "TokenSource", "initialize_params", "thread_params")


class TokenSource(Protocol):
    """Whoever owns the token, where that is neither codex nor the home: an access token, its account and its plan."""

    async def current(self) -> ChatgptAuthTokensRefreshResponse:
        """The token to begin with."""
        ...

    async def renewed(self) -> ChatgptAuthTokensRefreshResponse:
        """Another one: the service has refused the last."""
        ...


@record(kw_only=True)
class Server:
    """An app-server to start.

    Attributes:
        command: The process.
        sign_in: The command that signs in on its home, for error messages.
        signed_in: Whether the home holds a sign-in of the wanted kind.
        ahead: Whether it holds nothing else, so that a thread can be asked for before the account is known.
        spares: Whether it serves many calls, so that threads may be started before they are wanted; only with `ahead`.
        wallet: The kind of account that may pay: a ChatGPT plan, or the API key of a profile of its own.
        auth_file: The home's sign-in, which codex rewrites with every refresh.
        made_for: The sign-in that the home held when this was made, for whoever made it.
        made_of: What it runs on, such as the binary and the home's state, for whoever made it.
        tokens: Gives the token, instead of the home's sign-in.
        first: The turn that it is started for, whose thread can be asked for at once.
        meanwhile: Work of the caller's own that is done while the app-server starts, which takes it some 50 ms.
        provider: What sends the requests: the built-in provider, or the same without WebSockets.
        on_fallback: Told that the network refuses WebSockets; codex says so after six seconds of trying.
    """

    command: CommandSpec
    sign_in: str
    signed_in: bool
    ahead: bool = False
    spares: bool = False
    wallet: Literal["chatgpt", "apiKey"] = "chatgpt"
    auth_file: Path | None = None
    made_for: object = field(default=None, repr=False)
    made_of: object = field(default=None, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)
    first: TurnRequest | None = field(default=None, repr=False)
    meanwhile: Callable[[], None] | None = None
    provider: str = PROVIDER
    on_fallback: Callable[[], None] | None = None


def initialize_params() -> InitializeParams:
    """What an app-server is greeted with."""
    return {
        "clientInfo": {"name": CLIENT_NAME, "title": "codex_oauth", "version": __version__},
        "capabilities": {"experimentalApi": True, "optOutNotificationMethods": list(SILENCED)},
    }


def thread_params(server: Server, request: TurnRequest) -> ThreadStartParams:
    """What `thread/start` is sent with for a turn."""
    params = thread_start(
        cwd=str(server.command.cwd),
        instructions=request.instructions,
        model=request.model,
        effort=request.effort,
        tools=request.tools,
        raw=request.raw,
    )
    params["modelProvider"] = server.provider
    return params
