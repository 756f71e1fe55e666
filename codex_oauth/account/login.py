"""Signing in and out, through the app-server's own `account/*` methods: this package speaks no OAuth."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import anyio

from codex_oauth.account.record import forget_refusal
from codex_oauth.account.sign_in import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.errors import LoginError, RpcError
from codex_oauth.protocol import (
    ACCOUNT_LOGIN_CANCEL,
    ACCOUNT_LOGIN_START,
    ACCOUNT_LOGOUT,
    NOTIFICATIONS,
    check,
)
from codex_oauth.redaction import cleaned
from codex_oauth.session import Server, Session, open_session
from codex_oauth.types import Account

if TYPE_CHECKING:
    from codex_oauth.errors import LoginFailure
    from codex_oauth.protocol import LoginAccountParams
    from codex_oauth.session.router import Route

__all__ = ("BROWSER_PATIENCE", "DEVICE_PATIENCE", "Login", "login_with_api_key", "logout", "open_login")

BROWSER_PATIENCE: Final = 300.0
"""Seconds for a person to sign in with a browser."""

DEVICE_PATIENCE: Final = 600.0
"""Seconds for a person to type a device code on another machine."""

_START_PATIENCE: Final = 20.0
# With both of codex's ports taken (1455, and 1457 since about 0.160) the answer took 6 s.

_COMPLETED: Final = "account/login/completed"


class Login:
    """A sign-in that waits for its person. Made by `login_browser` and `login_device`.

    Attributes:
        url: The page to open: of this sign-in alone, or, with a code, the same for everybody.
        user_code: The code to type there; None for a browser on this machine.
        timeout: Seconds that `wait` waits, counted from the sign-in's start.
        account: Who has signed in; None until `wait` has said so.
    """

    def __init__(
        self, session: Session, route: Route, login_id: str, url: str, code: str | None, timeout: float | None
    ) -> None:
        self._session = session
        self._route = route
        self._id = login_id
        self._cancelled = False
        self.account: Account | None = None
        self.url = url
        self.user_code = code
        self.timeout = timeout or (BROWSER_PATIENCE if code is None else DEVICE_PATIENCE)
        self._end = anyio.current_time() + self.timeout

    @property
    def remaining(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._end - anyio.current_time())

    async def wait(self) -> Account:
        """Wait until the person has signed in, and say who it is.

        Raises:
            LoginError: It did not come about: declined, cancelled, superseded by another sign-in, or the time is up.
            AccountError: Somebody signed in whose plan would not pay.
            ServerCrashedError: The app-server went away.
        """
        if self.account is None:
            with anyio.move_on_after(self.remaining):
                await self._completed()
                self.account = await self._session.read_account()
                return self.account
            await self.cancel()
            raise LoginError(f"nobody signed in within {self.timeout:.0f} s; start again", reason="timed_out")
        return self.account

    async def cancel(self) -> None:
        """Give it up: the page and the code are worth nothing any more. Does nothing once it is over."""
        if self.account is None and not self._session.dispatcher.closed:
            self._cancelled = True
            with suppress(RpcError):
                await self._session.dispatcher.request(ACCOUNT_LOGIN_CANCEL, {"loginId": self._id}, timeout=2)

    async def _completed(self) -> None:
        while True:
            params = (await self._route.next()).params
            check(NOTIFICATIONS[_COMPLETED], params, f"{_COMPLETED}: params")
            if params.get("loginId") == self._id:
                break
        if not params["success"]:
            raise self._failure(str(params.get("error") or "no reason given"))

    def _failure(self, said: str) -> LoginError:
        reason: LoginFailure = "other"
        if self._cancelled:
            return LoginError("the sign-in was cancelled", reason="cancelled")
        if "cancelled" in said or "was not completed" in said:
            return LoginError("another sign-in on this machine took this one's place", reason="superseded")
        if "access_denied" in said or "status 400" in said:
            # 400 is what codex 0.163 and 0.169 say of a device code that its person turned down.
            reason = "declined"
        return LoginError(f"nobody was signed in: {cleaned(said)}", reason=reason)


@asynccontextmanager
async def open_login(
    server: Server, settings: Settings, way: Literal["chatgpt", "chatgptDeviceCode"], timeout: float | None = None
) -> AsyncGenerator[Login]:
    """Start a sign-in on the server's home; leaving the block ends it, and cancels it if it was not over.

    Raises:
        LoginError: It could not be started.
        ProcessError, RpcError, ProtocolError: The app-server cannot be talked to.
    """
    before = read_sign_in(settings.home)
    try:
        # No account is asked for: there may be none.
        async with open_session(replace(server, signed_in=False, first=None), gate=False) as session:
            with session.router.open(_COMPLETED) as route:
                login = await _start(session, route, way, timeout)
                try:
                    yield login
                finally:
                    with anyio.CancelScope(shield=True), anyio.move_on_after(2):
                        await login.cancel()
    finally:
        # Once the app-server is gone: nobody else writes the file then.
        now = read_sign_in(settings.home)
        if now is not None and (before is None or now.fingerprint != before.fingerprint):
            forget_refusal(settings)
            _drop_key(settings)


async def _start(
    session: Session, route: Route, way: Literal["chatgpt", "chatgptDeviceCode"], timeout: float | None
) -> Login:
    params: LoginAccountParams = {"type": "chatgpt"} if way == "chatgpt" else {"type": "chatgptDeviceCode"}
    try:
        answer = await session.dispatcher.request(ACCOUNT_LOGIN_START, params, timeout=_START_PATIENCE)
    except RpcError as error:
        raise _refused(error) from error
    if answer["type"] == "chatgpt":
        return Login(session, route, answer["loginId"], answer["authUrl"], None, timeout)
    assert answer["type"] == "chatgptDeviceCode"
    return Login(session, route, answer["loginId"], answer["verificationUrl"], answer["userCode"], timeout)


def _refused(error: RpcError) -> LoginError:
    said = error.message
    if "already in use" in said or "login server" in said:
        return LoginError(
            "the ports that codex listens on for the browser (1455, 1457) are taken, perhaps by another program's "
            "sign-in; end that, or use a device code: codex-oauth login --device",
            reason="port_in_use",
        )
    if "not enabled" in said:
        return LoginError(
            "device codes are not enabled for this account: allow them in ChatGPT's security settings, "
            "or use a browser: codex-oauth login --browser",
            reason="unavailable",
        )
    return LoginError(f"the sign-in could not be started: {cleaned(said)}", reason="unavailable")


def _drop_key(settings: Settings) -> None:
    """Take the API key out of a new sign-in's file.

    A browser's sign-in also asks the service for an API key, and codex stores what it gets, whatever its configuration
    says (0.163 and 0.169). The home of a plan holds no key. This is the only time that this package writes the file:
    the app-server that made it is gone, and its token is new, so that nobody refreshes it.
    """
    if not settings.managed:
        return
    file = settings.home / "auth.json"
    new = file.with_name(".auth.json.codex-oauth")
    with suppress(OSError, ValueError):
        content = json.loads(file.read_bytes())
        if not content.get("tokens") or not content.get("OPENAI_API_KEY"):
            return
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({**content, "OPENAI_API_KEY": None}, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, file)


async def login_with_api_key(server: Server, settings: Settings, key: str) -> Account:
    """Give an API key to the home of a profile that is for one.

    Raises:
        LoginError: codex did not take it.
    """
    async with open_session(replace(server, signed_in=False, first=None), gate=False) as session:
        try:
            await session.dispatcher.request(ACCOUNT_LOGIN_START, {"type": "apiKey", "apiKey": key})
        except RpcError as error:
            raise LoginError(f"the key was not taken: {cleaned(error.message, (key,))}") from error
        account = await session.read_account()
    forget_refusal(settings)
    return account


async def logout(server: Server, settings: Settings) -> None:
    """Sign out: codex revokes the sign-in, as far as the service can be reached, and deletes it."""
    async with open_session(replace(server, signed_in=False, first=None), gate=False) as session:
        await session.dispatcher.request(ACCOUNT_LOGOUT, None, timeout=_START_PATIENCE)
    forget_refusal(settings)
