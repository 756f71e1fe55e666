"""Signing in and out, through the app-server's own `account/*` methods: this package speaks no OAuth."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import anyio

from codex_oauth.account.profiles import seal
from codex_oauth.account.record import forget_refusal
from codex_oauth.account.sign_in import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, LoginError, RpcError
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
        self._signed_in = False
        self._waiting = anyio.Lock()
        self._failure: CodexOAuthError | None = None
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
            AccountError: Somebody signed in whose plan would not pay, or it could not be asked whose would.
            ServerCrashedError: The app-server went away.
        """
        # What is told of the end is told once. Whoever asks again, or meanwhile, gets the same answer.
        async with self._waiting:
            if self._failure is not None:
                raise copy(self._failure)
            if self.account is None:
                try:
                    self.account = await self._end_of_it()
                except CodexOAuthError as error:
                    self._failure = error
                    raise
            return self.account

    async def _end_of_it(self) -> Account:
        with anyio.move_on_after(self.remaining):
            if not self._signed_in:
                await self._completed()
                self._signed_in = True
            return await self._session.read_account()
        await self.cancel()
        text = f"nobody signed in within {self.timeout:g} s; start again: {self._session.sign_in}"
        raise LoginError(text, reason="timed_out")

    async def cancel(self) -> None:
        """Give it up: the page and the code are worth nothing any more. Does nothing once it is over."""
        if self.account is None and self._failure is None and not self._session.dispatcher.closed:
            self._cancelled = True
            # An app-server that is gone, as where the task is cancelled, has given it up too.
            with suppress(CodexOAuthError):
                await self._session.dispatcher.request(ACCOUNT_LOGIN_CANCEL, {"loginId": self._id}, timeout=2)

    async def _completed(self) -> None:
        while True:
            params = (await self._route.next()).params
            check(NOTIFICATIONS[_COMPLETED], params, f"{_COMPLETED}: params")
            if params.get("loginId") == self._id:
                break
        said = str(params.get("error") or "no reason given")
        # The account service is asked once the new sign-in is stored. What it does not say then, the next question may.
        if not params["success"] and "workspace routing discovery" not in said:
            raise self._failed(said)

    def _failed(self, said: str) -> LoginError:
        again = f"start again: {self._session.sign_in}"
        if self._cancelled:
            return LoginError(f"the sign-in was cancelled; {again}", reason="cancelled")
        if "cancelled" in said or "was not completed" in said:
            text = f"another sign-in on this machine took this one's place; finish that one, or {again}"
            return LoginError(text, reason="superseded")
        if "access_denied" in said or "status 400" in said:
            # 400 is what codex 0.163 and 0.169 say of a device code that its person turned down.
            return LoginError(f"the sign-in was declined; {again}", reason="declined")
        text = f"nobody was signed in: {_with_a_next_step(said, self._session.sign_in)}"
        return LoginError(text, reason="unavailable" if _UNREACHABLE in said else "other")


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
            with suppress(OSError):
                seal(settings, "chatgpt")


async def _start(
    session: Session, route: Route, way: Literal["chatgpt", "chatgptDeviceCode"], timeout: float | None
) -> Login:
    params: LoginAccountParams = {"type": "chatgpt"} if way == "chatgpt" else {"type": "chatgptDeviceCode"}
    try:
        answer = await session.dispatcher.request(ACCOUNT_LOGIN_START, params, timeout=_START_PATIENCE)
    except RpcError as error:
        raise _refused(error, session.sign_in) from error
    if answer["type"] == "chatgpt":
        return Login(session, route, answer["loginId"], answer["authUrl"], None, timeout)
    assert answer["type"] == "chatgptDeviceCode"
    return Login(session, route, answer["loginId"], answer["verificationUrl"], answer["userCode"], timeout)


def _refused(error: RpcError, sign_in: str) -> LoginError:
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
    return LoginError(f"the sign-in could not be started: {_with_a_next_step(said, sign_in)}", reason="unavailable")


def _with_a_next_step(said: str, sign_in: str) -> str:
    step = "see to the network, and start again" if _UNREACHABLE in said else "start again"
    return f"{cleaned(said)}; {step}: {sign_in}"


_UNREACHABLE: Final = "error sending request"


def _drop_key(settings: Settings) -> None:
    """Take the API key out of a new sign-in's file.

    A browser's sign-in also asks the service for an API key, and codex stores what it gets, whatever its configuration
    says (0.163 and 0.169). The home of a plan holds no key. This is the only time that this package writes the file:
    the app-server that made it is gone, and its token is new, so that nobody refreshes it.
    """
    if not settings.managed:
        return
    # Where it is a link, to what it leads to: another file in its place would be a copy of the sign-in.
    file = Path(os.path.realpath(settings.home / "auth.json"))
    with suppress(OSError, ValueError):
        content = json.loads(file.read_bytes())
        if not content.get("tokens") or not content.get("OPENAI_API_KEY"):
            return
        text = json.dumps({**content, "OPENAI_API_KEY": None}, indent=2)
        new = file.with_name(f".auth.json.{os.getpid()}")
        _write(new, text)
        try:
            os.replace(new, file)
        except OSError:
            # A file that is mounted by itself, as in a container, can only be written where it is.
            new.unlink()
            _write(file, text)


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


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
