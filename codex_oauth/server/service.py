"""The service's life: it listens, keeps an app-server warm, and ends when it is not needed or not right any more."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
import anyio.abc

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexNotFoundError, CodexOAuthError
from codex_oauth.home import ready_home
from codex_oauth.process import find_binary
from codex_oauth.server.asking import DRAIN_PATIENCE
from codex_oauth.server.calls import AT_ONCE, Caller, Calls, Run
from codex_oauth.server.connection import Connection, Refused, Request
from codex_oauth.server.peers import Peer, peer_of, sees_the_same_files
from codex_oauth.server.report import app_servers_of, memory_of
from codex_oauth.thin.wire import decode_call
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.server.listening import Listening
    from codex_oauth.server.log import Log

__all__ = ("Ended", "Service")

_TICK: Final = 1.0
"""Seconds between looks at the clock and at the socket."""

_MOST_CONNECTIONS: Final = 640
"""Clients at once: the calls that are taken, and some who ask how it is. The next one finds its connection closed."""

_LONGEST_CALL: Final = 1024 * 1024
# Bytes of a command line with its folder and PATH: more than a system lets a command line have is none.

_NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Ended(NamedTuple):
    """How a service has ended.

    Attributes:
        why: The reason, in a few words.
        anew: Whether another is to take its place.
    """

    why: str
    anew: bool = False


class Service:
    """Serves one key's calls.

    Args:
        settings: What every call works with.
        key: Whose calls it serves (`codex_oauth.thin.key`).
        listening: Where; open.
        run: What runs a command.
        log: Where it tells of its life.
        idle: Seconds without a call after which it ends; None to stay.
    """

    def __init__(
        self, settings: Settings, key: str, listening: Listening, run: Run, log: Log, *, idle: float | None
    ) -> None:
        self._settings = settings
        self._key = key
        self._listening = listening
        self._log = log
        self._idle = idle
        self._calls = Calls(run)
        self._codex = AsyncCodex(settings=settings, max_concurrency=AT_ONCE)
        self._started = time.time()
        self._configured = self._configuration()
        self._connections = 0
        self._accepting = anyio.CancelScope()
        self._ending = anyio.Event()
        self._ended = Ended("")

    async def serve(self) -> Ended:
        """Serve until there is a reason to end, then let the calls that run end too, within `DRAIN_PATIENCE`."""
        self._log.line(f"codex-oauth {__version__} listens at {self._listening.path}")
        try:
            async with self._codex, anyio.create_task_group() as tasks:
                tasks.start_soon(self._obey_signals, tasks.cancel_scope)
                tasks.start_soon(self._warm_up)
                tasks.start_soon(self._look_after)
                await self._accept(tasks)
                with anyio.move_on_after(DRAIN_PATIENCE):
                    await self._calls.ended()
                tasks.cancel_scope.cancel()
        finally:
            self._listening.close()
        self._log.line(f"ended after {self._calls.done} calls: {self._ended.why}")
        return self._ended

    def end(self, why: str, *, anew: bool = False) -> None:
        """Accept nothing more, and end once the calls that run have ended.

        Args:
            why: The reason, in a few words.
            anew: Whether another service is to take this one's place.
        """
        if not self._ending.is_set():
            self._ended = Ended(why, anew)
            self._ending.set()
            self._accepting.cancel()

    # --- what it looks after -----------------------------------------------------------------------------------------

    async def _obey_signals(self, everything: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if self._ending.is_set():
                    everything.cancel()  # told twice: at once
                self.end(signal.Signals(number).name)

    async def _warm_up(self) -> None:
        if _asks_for_tokens(self._settings):
            return
        try:
            await self._codex.account()
        except CodexOAuthError as error:
            # The calls will say so, each in its own way; it may be mended by then.
            self._log.line(f"no app-server yet: {error.code}")
        except Exception as error:  # noqa: BLE001 - nothing that goes wrong here may end the service
            self._log.line(f"no app-server yet: unexpected {type(error).__name__}")

    async def _look_after(self) -> None:
        while not self._ending.is_set():
            await anyio.sleep(_TICK)
            self._log.check()
            match self._listening.look():
                case "gone":
                    self._bind_anew()
                case "taken":
                    self.end("its socket's place is another's")
                case "here":
                    pass
            quiet = 0.0 if self._calls.running else time.monotonic() - self._calls.last
            if self._idle is not None and quiet > self._idle:
                self.end("idle")

    def _bind_anew(self) -> None:
        try:
            self._listening.bind()
        except (CodexOAuthError, OSError):
            self.end("its socket was deleted, and cannot be made anew", anew=True)
        else:
            self._log.line("its socket was deleted, and made anew")
            self._accepting.cancel()

    def _configuration(self) -> tuple[int, ...] | None:
        path = self._settings.config_file or self._settings.config_dir / "config.toml"
        with suppress(OSError):
            found = os.stat(path)
            return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        return None

    # --- connections -------------------------------------------------------------------------------------------------

    async def _accept(self, tasks: anyio.abc.TaskGroup) -> None:
        while not self._ending.is_set():
            with anyio.CancelScope() as self._accepting:
                listener = self._listening.socket
                while True:
                    await anyio.wait_readable(listener)
                    if not self._accept_all(listener, tasks):
                        await anyio.sleep(0.05)
        self._listening.withdraw()
        # Whoever has connected before that is served.
        self._accept_all(self._listening.socket, tasks)
        self._listening.close()

    def _accept_all(self, listener: socket.socket, tasks: anyio.abc.TaskGroup) -> bool:
        """Accept who waits; False where there are no descriptors left."""
        while True:
            try:
                connected, _ = listener.accept()
            except BlockingIOError:
                return True
            except OSError as error:
                return error.errno not in _NO_DESCRIPTORS
            if self._connections >= _MOST_CONNECTIONS:
                connected.close()
                continue
            self._connections += 1
            tasks.start_soon(self._connected, connected)

    async def _connected(self, connected: socket.socket) -> None:
        connection = Connection(connected)
        try:
            await self._answer(connection, connected)
        except Exception as error:  # noqa: BLE001 - of one client, and no other shall notice
            self._log.line(f"a call failed: unexpected {type(error).__name__}")
            with suppress(Exception):
                await _say(connection, HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected")
        finally:
            self._connections -= 1
            connection.close()

    async def _answer(self, connection: Connection, connected: socket.socket) -> None:
        try:
            peer = peer_of(connected)
            if peer is not None and not peer.is_me:
                raise Refused(HTTPStatus.FORBIDDEN, "another user's")
            request = await connection.request()
            if request is not None:
                await self._route(request, connection, peer)
        except Refused as refused:
            await _say(connection, refused.status, refused.why, refused.headers)

    async def _route(self, request: Request, connection: Connection, peer: Peer | None) -> None:
        match request.method, request.path:
            case "POST", "/v1/run":
                if not sees_the_same_files(peer):
                    raise Refused(HTTPStatus.CONFLICT, "other files")
                await self._run(request, connection)
            case "GET", "/v1/status":
                await _json(connection, await self._report())
            case "GET", "/healthz":
                await _json(connection, {"ok": True})
            case "POST", "/v1/stop":
                await _json(connection, {"pid": os.getpid(), "running": self._calls.running})
                self.end("asked to")
            case _, "/v1/run" | "/v1/status" | "/healthz" | "/v1/stop":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not with this method")
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "no such place")

    async def _run(self, request: Request, connection: Connection) -> None:
        self._check_client(request)
        if _asks_for_tokens(self._settings):
            # By the client's environment and folder, and for each call anew: only then it is who the client means.
            raise Refused(HTTPStatus.CONFLICT, "each call asks the token_command by itself")
        length = request.number("x-meta-length")
        if not 0 < length <= min(len(request.body), _LONGEST_CALL):
            raise Refused(HTTPStatus.BAD_REQUEST, "x-meta-length is not the command's")
        try:
            cwd, path, project, words = decode_call(request.body[:length])
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the command cannot be read") from None
        if not os.path.isabs(cwd):
            raise Refused(HTTPStatus.BAD_REQUEST, "the folder is not absolute")
        if not self._same_binary(path):
            raise Refused(HTTPStatus.CONFLICT, "another codex binary")
        stdin, caller = request.body[length:], Caller(cwd, project or None)
        patience = self._settings.timeout
        finished = await self._calls.call(words, stdin, caller, self._codex, connection, patience)
        if finished is not None:
            headers = {"x-exit-status": str(finished.status), "x-stdout-length": str(len(finished.stdout))}
            headers["content-type"] = "application/octet-stream"
            await connection.answer(HTTPStatus.OK, headers, finished.stdout + finished.stderr)

    def _check_client(self, request: Request) -> None:
        if request.headers.get("x-codex-oauth-key") != self._key:
            raise Refused(HTTPStatus.CONFLICT, "another key")
        if request.headers.get("x-codex-oauth-version") != __version__:
            # It is this installation's, which was replaced under this process.
            self.end("another version is installed", anew=True)
            raise Refused(HTTPStatus.CONFLICT, f"version {__version__}")
        if self._configuration() != self._configured:
            self.end("the configuration has changed", anew=True)
            raise Refused(HTTPStatus.CONFLICT, "another configuration")

    def _same_binary(self, path: str) -> bool:
        """Whether the client's PATH leads to the codex that this service uses."""
        settings = self._settings
        if settings.codex_bin is not None or path == settings.inherited.get("PATH"):
            return True
        theirs = replace(settings, inherited={**settings.inherited, "PATH": path})
        try:
            return find_binary(theirs) == find_binary(settings)
        except CodexNotFoundError:
            return False

    async def _report(self) -> dict[str, Any]:
        settings, me = self._settings, os.getpid()
        children = await anyio.to_thread.run_sync(app_servers_of, me)
        memory = await anyio.to_thread.run_sync(memory_of, me)
        version = None
        with suppress(CodexOAuthError):
            home = ready_home(settings, find_binary(settings)) if settings.managed else None
            version = home.version if home is not None else None
        return {
            "pid": me,
            "version": __version__,
            "socket": self._listening.path,
            "home": str(settings.home),
            "started": round(self._started, 3),
            "uptime_s": round(time.time() - self._started, 3),
            "idle_timeout_s": self._idle,
            "idle_s": None if self._calls.running else round(time.monotonic() - self._calls.last, 3),
            "calls": self._calls.done,
            "given_up": self._calls.cut,
            "running": min(self._calls.running, AT_ONCE),
            "queued": max(self._calls.running - AT_ONCE, 0),
            "ending": self._ending.is_set(),
            "memory": memory,
            "app_servers": [{"pid": child.pid, "version": version, "memory": child.memory} for child in children],
        }


def _asks_for_tokens(settings: Settings) -> bool:
    return settings.external is not None and bool(settings.external.command)


async def _json(connection: Connection, value: dict[str, Any]) -> None:
    await connection.answer(HTTPStatus.OK, {"content-type": "application/json"}, json.dumps(value).encode())


async def _say(connection: Connection, status: HTTPStatus, why: str, headers: dict[str, str] | None = None) -> None:
    head = {"content-type": "text/plain; charset=utf-8", **(headers or {})}
    await connection.answer(status, head, f"{why}\n".encode())
