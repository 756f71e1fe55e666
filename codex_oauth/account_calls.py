"""What `AsyncCodex` can be asked about the account, and how it signs in and out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Literal, cast

import anyio

from codex_oauth.account import Login, dedicate, login_with_api_key, logout, open_login
from codex_oauth.config import Settings
from codex_oauth.errors import AccountError, CodexOAuthError, ConfigurationError, DeadlineExceededError
from codex_oauth.server_process import ServerProcess
from codex_oauth.session import Server
from codex_oauth.types import Account, Limits, Model

__all__ = ("AccountCalls",)


class AccountCalls:
    """The calls that no model answers."""

    def __init__(self, settings: Settings, process: ServerProcess) -> None:
        self._settings = settings
        self._process = process

    @property
    def settings(self) -> Settings:
        """What it works with."""
        return self._settings

    async def models(self) -> tuple[Model, ...]:
        """The models that the app-server lists, hidden ones included. Needs no sign-in on a managed home."""
        with self._bounded():
            return await self._process.models()

    async def account(self) -> Account:
        """Who would pay for a call.

        Raises:
            AccountError: Nobody's plan would.
            ProcessError: There is no codex binary, or it does not work.
            DeadlineExceededError: There was no answer within the configured timeout.
        """
        with self._bounded():
            async with self._process.session() as session:
                return session.account

    async def limits(self) -> Limits:
        """What the plan has left, as the service reports it.

        Raises:
            AccountError: Nobody's plan would pay, or the profile is one with an API key.
            RpcError: The service did not answer with its limits.
        """
        with self._bounded():
            async with self._process.session() as session:
                return await session.read_limits()

    def login_browser(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Login]:
        """Sign in with a browser on this machine.

            async with codex.login_browser() as login:
                print(login.url)
                account = await login.wait()

        The page calls back on port 1455 of this machine (1457 where that is taken). Leaving the block cancels a sign-in
        that is not over.

        Args:
            timeout: Seconds that the person may take; None for five minutes.

        Raises:
            LoginError: It could not be started; `wait` raises it where it did not come about.
            ConfigurationError: The account is not one to sign in here: an external token, a profile for an API key.
        """
        return self._login("chatgpt", timeout)

    def login_device(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Login]:
        """Sign in with a code that is typed in a browser on any machine: `login.user_code`, at `login.url`.

        As `login_browser`, but for the time: ten minutes by default.
        """
        return self._login("chatgptDeviceCode", timeout)

    async def login_api_key(self, key: str) -> Account:
        """Give an API key to a profile of its own (`profile=`). Calls on that profile are billed.

        Raises:
            ConfigurationError: No profile is named, or it is one for a plan.
            LoginError: codex did not take the key.
        """
        if not isinstance(cast("object", key), str) or not key.strip() or not key.strip().isascii():
            raise ConfigurationError("an API key must be text, and not empty")
        server = await self._sign_in_server("apiKey")
        with self._bounded():
            return await login_with_api_key(server, self._settings, key.strip())

    async def logout(self) -> None:
        """Sign out: codex revokes the sign-in where the service can be reached, and deletes it.

        Raises:
            ConfigurationError: The token is an external one, or the home is the user's own.
        """
        self._own_account("sign out")
        with self._bounded():
            await logout(await self._quiet_server(), self._settings)

    @asynccontextmanager
    async def _login(
        self, way: Literal["chatgpt", "chatgptDeviceCode"], timeout: float | None
    ) -> AsyncGenerator[Login]:
        if timeout is not None and not 0 < timeout <= 86_400:
            raise ConfigurationError("timeout is in seconds, more than 0 and at most 86400")
        server = await self._sign_in_server("chatgpt")
        async with open_login(server, self._settings, way, timeout) as login:
            yield login

    async def _sign_in_server(self, wallet: Literal["chatgpt", "apiKey"]) -> Server:
        self._own_account("sign in")
        dedicate(self._settings, wallet)
        with self._bounded():
            return await self._quiet_server()

    async def _quiet_server(self) -> Server:
        """An app-server that has nothing to refresh when it starts: that is done before, by one process alone."""
        binary, _ = await self._process.ready()
        with suppress(AccountError):
            await self._process.server(binary)
        return self._process.sign_in_server(binary)

    def _own_account(self, what: str) -> None:
        settings = self._settings
        if settings.external is not None:
            raise ConfigurationError(f"calls use the token of {settings.external.name}: unset that to {what}")
        if not settings.managed:
            raise ConfigurationError(
                f"{settings.home} is your own and never written by this package; use codex itself to {what} there"
            )

    @contextmanager
    def _bounded(self) -> Generator[None]:
        try:
            with anyio.fail_after(self._settings.timeout):
                yield
        except TimeoutError as error:
            if isinstance(error, CodexOAuthError):
                raise
            raise DeadlineExceededError(f"no answer within {self._settings.timeout:g} s") from error
