"""What a person does in a sign-in, and what it leaves in the home."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

import anyio
import pytest

from codex_oauth.account import Login
from codex_oauth.client import AsyncCodex
from codex_oauth.errors import LoginError, LoginFailure
from codex_oauth.testing import LoopbackChatGPT
from tests.real.processes import running_on
from tests.real.samples import PROMPT
from tests.scripted import eventually

Way: TypeAlias = Literal["browser", "device"]

PORTS: Final = (1455, 1457)
"""Where codex listens for the browser: the second one where the first is taken."""

AGAIN: Final = "; start again: codex-oauth login"
"""What a sign-in that failed ends its message with."""

ways: Final = pytest.mark.usefixtures("way")
"""For a test that takes `way`: the port is its own until all else of it has ended."""

_BROWSER: Final = re.compile(r"  (https://auth\.openai\.com/oauth/authorize\S+)\n")
_DEVICE: Final = re.compile(r"Open (\S+) in any browser, sign in, and enter the code (\S+)\n")


class Waiting(Protocol):
    """A sign-in that waits for its person, of either client."""

    @property
    def url(self) -> str: ...

    @property
    def user_code(self) -> str | None: ...


def sign_in(chatgpt: LoopbackChatGPT, login: Waiting) -> None:
    """The person agrees."""
    if login.user_code is None:
        chatgpt.complete_browser_login(login.url)
    else:
        chatgpt.approve_device(login.user_code)


def begin(codex: AsyncCodex, way: Way, timeout: float | None = None) -> AbstractAsyncContextManager[Login]:
    """One of the two ways to sign in with a plan."""
    return codex.login_browser(timeout=timeout) if way == "browser" else codex.login_device(timeout=timeout)


async def cannot_start(opening: AbstractAsyncContextManager[Login], reason: LoginFailure) -> str:
    """A sign-in that cannot even be started: its message."""
    with pytest.raises(LoginError) as caught, anyio.fail_after(15):
        async with opening:
            pass
    assert caught.value.reason == reason
    return caught.value.message


class Shown:
    """The address, and the code, that a `codex-oauth login` has shown a person, for whom it waits."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        assert program.stderr is not None
        text = ""
        for line in program.stderr:
            if line.startswith("waiting, for at most "):
                break
            text += line
        browser, device = _BROWSER.search(text), _DEVICE.search(text)
        assert browser or device, f"no address was shown, but {text!r}"
        self.url: str = (browser or device or [""])[1]
        self.user_code: str | None = device[2] if device else None


def auth_of(home: Path) -> dict[str, Any]:
    """The home's `auth.json`."""
    return json.loads((home / "auth.json").read_bytes())


def mode_of(home: Path) -> int:
    """Who may read the home's `auth.json`."""
    return stat.S_IMODE((home / "auth.json").stat().st_mode)


def nothing_runs(home: Path, timeout: float = 5.0) -> bool:
    """Whether no process is left on a home, soon. None of them listens for a browser any more, then."""
    return eventually(lambda: running_on(home) == [], timeout)


@dataclass(frozen=True)
class Kept:
    """Whoever was signed in before a sign-in that comes to nothing."""

    codex: AsyncCodex
    chatgpt: LoopbackChatGPT
    home_file: bytes = field(repr=False)

    async def still_is(self) -> None:
        """Nothing runs any more, and the next call is paid for by the same sign-in."""
        home = self.codex.settings.home
        assert nothing_runs(home)
        assert (home / "auth.json").read_bytes() == self.home_file
        assert (await self.codex.complete(PROMPT)).account.plan == "pro"
        assert self.chatgpt.model_requests[-1].request.bearer == auth_of(home)["tokens"]["access_token"]
