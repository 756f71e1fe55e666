"""Where sessions come from: the binary, the home, and either an app-server per call or a shared one."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Final, cast

import anyio

from codex_oauth.account import ExternalTokens, SignIn, noted, read_sign_in, sign_in_command, wallet_of
from codex_oauth.account.seen import SeenSignIn
from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError, ReauthenticationRequired
from codex_oauth.events import Observer
from codex_oauth.home import Home, HomeWatch, foreign_home, prepare_home, work_dir
from codex_oauth.home.network import Network
from codex_oauth.process import Binary, CommandSpec, app_server_command
from codex_oauth.process.command import POST_ONLY
from codex_oauth.process.environment import served_environment
from codex_oauth.process.locate import BinaryWatch
from codex_oauth.session import Server, Session, TurnRequest, ignore, open_session
from codex_oauth.shared_session import SharedSession
from codex_oauth.types import Model

__all__ = ("ServerProcess",)

_STORE_PATIENCE: Final = 3.0
"""Seconds to wait for another process to store the token that it got for the one that was refused here as used."""

_LOOK_AGAIN: Final = 0.05

_PERSONAL: Final = frozenset({"free", "go", "plus", "pro"})
# Plans whose requests go to chatgpt.com. A workspace may have an address of its own, which codex finds out by itself.

_BASE_LASTS: Final = 10.0
"""Seconds for which the command of a shared app-server holds; to work it out takes 0.1 ms."""


class ServerProcess:
    """Makes app-servers on the settings' home, and keeps one while `shared` is entered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warned = settings.managed
        self._binary = BinaryWatch(settings)
        self._home = HomeWatch(settings)
        self._seen = SeenSignIn(settings)
        self._shared = SharedSession()
        self._sign_in: SignIn | None = None
        self._ready_for: object = None
        self._post_only = False
        self._base: tuple[tuple[Binary, Home | None, bool], float, Server] | None = None
        self.network = Network(settings)

    @property
    def settings(self) -> Settings:
        """What it works with."""
        return self._settings

    @property
    def is_shared(self) -> bool:
        """Whether calls of this event loop share one app-server."""
        return self._shared.is_open

    def warnings(self) -> tuple[str, ...]:
        """What a home of the user's own lacks: the first time it is asked, and nothing from then on.

        Raises:
            ConfigurationError: There is no such home.
        """
        if self._warned:
            return ()
        self._warned = True
        _, lacks = foreign_home(self._settings.home)
        return lacks

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Within it, all calls are served by one app-server, which the first of them starts."""
        return self._shared.entered()

    async def ready(self) -> tuple[Binary, Home]:
        """The binary, and the home made ready for it.

        Raises:
            CodexNotFoundError, UnsupportedCodexError: There is no usable binary.
            ConfigurationError: The home cannot be used.
        """
        settings = self._settings
        if settings.profile is not None and not settings.home.parent.is_dir():
            raise ConfigurationError(
                f"there is no profile {settings.profile!r}; codex-oauth login --profile {settings.profile} makes it, "
                "and codex-oauth profiles lists those that there are"
            )
        binary = self._binary.find()
        if not settings.managed:
            home, _ = foreign_home(settings.home)
            try:
                work_dir(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise ConfigurationError(
                    f"{settings.state_dir}: cannot be written: {error.strerror}. XDG_STATE_HOME can name another place"
                ) from error
            self._ready_for = binary, None
            return binary, home
        home = self._home.ready(binary)
        if home is None:
            # A first start: half a second of other processes, or a wait for somebody else's.
            prepared = await self._prepare(binary)
            home = self._home.ready(binary) or prepared  # the one that later calls see, too
        self._ready_for = binary, home
        return binary, home

    async def _prepare(self, binary: Binary) -> Home:
        given_up = threading.Event()
        try:
            return await anyio.to_thread.run_sync(
                prepare_home, self._settings, binary, given_up.is_set, abandon_on_cancel=True
            )
        except BaseException:
            # The thread is told, or this program could not end before it has waited for its lock.
            given_up.set()
            raise

    async def server(
        self,
        binary: Binary,
        first: TurnRequest | None = None,
        meanwhile: Callable[[], None] | None = None,
        home: Home | None = None,
    ) -> Server:
        """What to start for a call, once its token is good.

        Args:
            binary: The binary.
            first: The call.
            meanwhile: What is done while it starts.
            home: The home, where it holds catalogues of single models.

        Raises:
            ReauthenticationRequired: The service has refused to refresh the sign-in.
            AccountCheckError: It could not be refreshed just now.
            ConfigurationError: An external token has the home's own sign-in in its way.
        """
        settings = self._settings
        if settings.external is not None:
            if (settings.home / "auth.json").exists():
                raise ConfigurationError(
                    f"{settings.home} holds a sign-in of its own, and {settings.external.name} gives a token: unset "
                    "that, or name another home"
                )
            tokens = ExternalTokens(settings.external)
            # Read before anything is started.
            await tokens.check()
            # It refreshes nothing that a kill could lose, and waits ten seconds for a token that is not given any more.
            command = replace(self._command(binary, first, home), grace=1)
            return replace(
                self._server(command, binary),
                signed_in=True,
                ahead=True,
                spares=self.is_shared,
                tokens=tokens,
                made_of=(self._ready_for, False),
                first=first,
                meanwhile=meanwhile,
            )
        found = await self._seen.fresh(
            lambda found, inherit: self.sign_in_server(binary, found, inherit), sign_in_command(settings, binary.path)
        )
        self._sign_in = found
        post_only = found is not None and found.plan in _PERSONAL and self._refuses_websockets()
        self._post_only = post_only
        server = self._served(binary, first, home, post_only=post_only)
        # With a key beside a plan, the app-server says who pays before anything is sent.
        ahead = self._counts(found) and found is not None and found.holds_key == (server.wallet == "apiKey")
        return replace(
            server,
            signed_in=self._counts(found),
            made_for=found,
            made_of=(self._ready_for, post_only),
            first=first,
            # What is asked ahead outside of a shared one may be kept for later calls, on other networks.
            ahead=ahead and (self.is_shared or not post_only),
            spares=self.is_shared,
            meanwhile=meanwhile,
        )

    def _refuses_websockets(self) -> bool:
        settings = self._settings
        return settings.managed and wallet_of(settings) == "chatgpt" and self.network.refuses_websockets

    def _served(self, binary: Binary, first: TurnRequest | None, home: Home | None, *, post_only: bool) -> Server:
        """What serves calls. Where they share one, it is the same for all that begin within seconds, of which the first
        starts it at most."""
        now, key = time.monotonic(), (binary, home, post_only)
        if self.is_shared and self._base is not None and self._base[0] == key and now - self._base[1] < _BASE_LASTS:
            return self._base[2]
        server = self._server(self._command(binary, first, home, post_only=post_only), binary)
        if post_only:
            server = replace(server, provider=POST_ONLY)
        elif self._settings.managed:
            server = replace(server, on_fallback=self.network.note)
        self._base = key, now, server
        return server

    def _command(
        self, binary: Binary, first: TurnRequest | None, home: Home | None, *, post_only: bool = False
    ) -> CommandSpec:
        """The process that serves calls. On a home of the user's own it is started as codex itself would be."""
        settings = self._settings
        inherited, catalogue = settings.inherited, None
        if settings.managed:
            inherited = served_environment(inherited, codex=binary.path, state_dir=settings.state_dir)
            if first is not None and home is not None and not self.is_shared:
                catalogue = home.catalogue_of(first.model)
        return app_server_command(
            codex=binary.path,
            home=settings.home,
            inherited=inherited,
            cwd=work_dir(settings),
            catalogue=catalogue,
            post_only=post_only,
        )

    def sign_in_server(self, binary: Binary, sign_in: SignIn | None = None, inherit: tuple[int, ...] = ()) -> Server:
        """An app-server for the account alone: to sign in, to sign out, to refresh."""
        settings = self._settings
        command = app_server_command(
            codex=binary.path,
            home=settings.home,
            inherited=settings.inherited,
            cwd=work_dir(settings),
            inherit=inherit,
        )
        return self._server(command, binary, sign_in)

    def _server(self, command: CommandSpec, binary: Binary, sign_in: SignIn | None = None) -> Server:
        settings = self._settings
        return Server(
            command=command,
            sign_in=sign_in_command(settings, binary.path),
            signed_in=self._counts(sign_in),
            wallet=wallet_of(settings),
            auth_file=settings.home / "auth.json",
        )

    def _counts(self, sign_in: SignIn | None) -> bool:
        return sign_in is not None and sign_in.wallet == wallet_of(self._settings)

    async def refused(self, error: ReauthenticationRequired, server: Server) -> None:
        """The sign-in that the server was made for was refused: remember it, so that nobody asks again.

        Raises:
            ReauthenticationRequired: `error`, unless somebody has refreshed or signed in meanwhile.
        """
        if self._settings.external is not None:
            raise error
        # Not the last sign-in that was seen: another call may have begun with a new one since.
        made_for = cast("SignIn | None", server.made_for)
        if error.reason == "reused" and made_for is not None:
            # Whoever used it is about to store what it got.
            with anyio.move_on_after(_STORE_PATIENCE):
                # The file has no event that every system has.
                while (now := read_sign_in(self._settings.home)) and now.fingerprint == made_for.fingerprint:  # noqa: ASYNC110
                    await anyio.sleep(_LOOK_AGAIN)
        noted(self._settings, made_for, error)

    async def shared_session(self, server: Server, observer: Observer) -> tuple[Session, bool]:
        """The shared session, and whether it was there before; started if it is not, or no longer."""
        newest = server.made_of == (self._ready_for, self._post_only)
        return await self._shared.get(server, observer, account=self._account_id(), newest=newest)

    def _account_id(self) -> str | None:
        sign_in = self._sign_in
        if sign_in is None:
            return None
        if sign_in.wallet == "chatgpt" and (sign_in.account_id or sign_in.user_id):
            return f"{sign_in.account_id} {sign_in.user_id}"
        # A key has no account: another one is somebody else's, and the app-server keeps the one that it began with.
        return f"{sign_in.wallet} {sign_in.fingerprint}"

    async def models(self) -> tuple[Model, ...]:
        """What `model/list` answers."""
        _, home = await self.ready()
        if home.models:
            return home.models
        async with self.session() as session:
            return await session.models()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        """A session for a question about the account: the shared one, or one of its own.

        Raises:
            AccountError: The wanted account would not pay.
        """
        binary, _ = await self.ready()
        server = await self.server(binary)
        try:
            if self.is_shared:
                session, _ = await self.shared_session(server, ignore)
                with session.used():
                    yield session
            else:
                async with open_session(server) as session:
                    yield session
        except ReauthenticationRequired as error:
            await self.refused(error, server)
            raise
