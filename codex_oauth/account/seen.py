"""The home's sign-in, looked at for each call and read when its file has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from codex_oauth.account.record import sidecar
from codex_oauth.account.refresh import fresh_sign_in, is_due
from codex_oauth.account.sign_in import SignIn
from codex_oauth.config import Settings
from codex_oauth.session import Server

__all__ = ("SeenSignIn",)

_State: TypeAlias = "tuple[int, int, int, int] | None"


class SeenSignIn:
    """What `fresh_sign_in` says, asked again only for a token that is due or a file that has changed.

    Args:
        settings: Whose home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = str(settings.home / "auth.json")
        self._refused = ""
        self._seen: tuple[_State, _State, _State] | None = None
        self._found: SignIn | None = None

    async def fresh(self, server: Callable[[SignIn, tuple[int, ...]], Server], sign_in: str) -> SignIn | None:
        """The sign-in, its token refreshed if it is about to expire; raises what `fresh_sign_in` raises."""
        now = self._states()
        if now == self._seen and now[0] is not None and self._found is not None and not is_due(self._found):
            return self._found
        self._refused = str(sidecar(self._settings, "refused.json"))
        before = self._states()
        self._seen, self._found = None, None
        found = await fresh_sign_in(self._settings, server, sign_in)
        # Of a file that was written meanwhile nobody knows which state was read.
        self._seen = before if before == self._states() else None
        self._found = found
        return found

    def _states(self) -> tuple[_State, _State, _State]:
        # The link itself too: the note about a refusal lies elsewhere for a file that is one.
        return _state(self._file), _state(self._file, follow=False), _state(self._refused)


def _state(path: str, *, follow: bool = True) -> _State:
    try:
        stat = os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError):
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
