"""The endpoint as it runs: a socket on 127.0.0.1, an app-server, and an end that lets calls finish."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.endpoint.app import Endpoint
from codex_oauth.endpoint.calls import Calls
from codex_oauth.endpoint.guard import Guard
from codex_oauth.endpoint.site import Site
from codex_oauth.endpoint.watch import Watch
from codex_oauth.errors import (
    AccountError,
    CodexNotFoundError,
    CodexOAuthError,
    ConfigurationError,
    UnsupportedCodexError,
)

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.endpoint.access import AccessLog
    from codex_oauth.endpoint.api import Api

__all__ = ("HOST", "Serving", "listen", "serve")

HOST: Final = "127.0.0.1"
"""Where it listens, and nowhere else: a plan is one person's."""

_GRACE: Final = 30.0
_LAST: Final = 2.0
# Seconds for the calls that run when it is told to end, and for their answers where they were cut off.

_TICK: Final = 0.1

_GLANCE: Final = 0.5
# Seconds for a look at who else has the port.


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How it serves.

    Attributes:
        token: The bearer token.
        timeout: Seconds for a request.
        concurrency: Calls of the model at once.
        token_command: The shell command that prints the token.
        log: The access log; None for none.
    """

    token: str
    timeout: float
    concurrency: int
    token_command: str
    log: AccessLog | None = None


def listen(port: int) -> socket.socket:
    """A socket that is bound to a port of 127.0.0.1.

    Args:
        port: The port; 0 for one that is free.

    Raises:
        ConfigurationError: It cannot be had.
    """
    # With its protocol named: the event loop has small packets sent at once (TCP_NODELAY) only where it can tell that
    # this is TCP; otherwise each answer is 40 ms late.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            # A port that another one has just left may be taken; there, this would share one that is in use.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(1024)
    except OSError as error:
        made.close()
        there = "; an endpoint of codex-oauth listens there already" if _answers(port) else ""
        raise ConfigurationError(
            f"port {port} of {HOST} cannot be had: {error.strerror}{there}; --port names another one"
        ) from error
    return made


def _answers(port: int) -> bool:
    """Whether it looks as if another endpoint had this port."""
    asking = http.client.HTTPConnection(HOST, port, timeout=_GLANCE)
    try:
        asking.request("GET", "/healthz")
        answer = asking.getresponse()
        return answer.getheader("openai-processing-ms") is not None and answer.read(64) == b'{"status":"ok"}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


async def serve(
    codex: AsyncCodex,
    listening: socket.socket,
    serving: Serving,
    apis: Sequence[Api],
    *,
    say: Callable[[str], None],
    started: Callable[[Any], None] | None = None,
) -> None:
    """Serve until a signal ends it: the first has it take no more calls and wait for those that run, at most 30 s; the
    second ends those at once.

    Args:
        codex: Who is asked; not entered yet.
        listening: Where.
        serving: How.
        apis: What.
        say: Says what there is to say, to whoever has started it.
        started: Is given the server once it listens, to set its `should_exit`.

    Raises:
        ProcessError: There is no codex that could serve.
        ConfigurationError: No call could ever be made with these settings.
    """
    port = listening.getsockname()[1]
    guard, watch = Guard(serving.token, port, serving.token_command), Watch(codex)
    calls = Calls(codex, apis, watch, timeout=serving.timeout, concurrency=serving.concurrency)
    base_url = f"http://{HOST}:{port}/v1"
    site = Site(guard, calls, watch, base_url=base_url, token_command=serving.token_command)
    server = _server(Endpoint(guard, calls, site, serving.log), calls, say)
    failures: list[CodexOAuthError] = []

    async def warm_up() -> None:
        try:
            await watch.begin()
            await calls.catalogue.models()
        except (CodexNotFoundError, ConfigurationError, UnsupportedCodexError) as error:
            failures.append(error)
            server.should_exit = True
        except AccountError as error:
            say(f"no call can be paid for yet: {error.message}")
        except CodexOAuthError as error:
            say(f"not ready yet: {error.message}")

    async with codex, anyio.create_task_group() as tasks:
        tasks.start_soon(warm_up)
        if started is not None:
            started(server)
        await server.serve(sockets=[listening])
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


def _server(app: Endpoint, calls: Calls, say: Callable[[str], None]) -> Any:
    import uvicorn

    from codex_oauth.endpoint.connections import HEAD_BYTES, KEEP_ALIVE, bounded_protocol

    class Server(uvicorn.Server):
        """Ends with status 0 on a signal, and soon on the second one."""

        _at_once = False

        def handle_exit(self, sig: int, frame: Any) -> None:
            del sig, frame
            self._at_once = self.should_exit
            self.should_exit = True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            calls.stopping = True
            if (running := calls.tally.in_flight) and not self._at_once:
                say(f"ending; calls that run: {running}, for {_GRACE:g} s at most. Once more ends them at once")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._cut)
                await super().shutdown(sockets)
                tasks.cancel_scope.cancel()

        async def _cut(self) -> None:
            await _until(lambda: self._at_once, _GRACE)
            calls.cut()
            await _until(lambda: not calls.tally.in_flight, _LAST)
            for connection in tuple(self.server_state.connections):
                transport: Any = connection.transport
                transport.abort()

    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type] - uvicorn's own types for ASGI are closed
            http=bounded_protocol(),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # What there is to say, the access log says; uvicorn's own lines would quote requests.
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=int(_GRACE + 2 * _LAST),
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
    )


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    with anyio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 - what runs in a signal's handler can set no event
            await anyio.sleep(_TICK)
