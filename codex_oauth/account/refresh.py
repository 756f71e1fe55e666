"""One refresh request for one expired token, however many processes share a home.

codex refreshes by itself, and each process for itself: eight started at once on an expired token sent four requests,
and a refresh token is good for one. So whoever finds a token about to expire has it refreshed alone, before the process
for the call starts; the others wait and go on with the new one. An app-server that runs already takes the new token
from the file (measured with 0.163 and 0.169).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import anyio

from codex_oauth.account.lock import SharedLock
from codex_oauth.account.record import note_refusal, refusal_of, sidecar
from codex_oauth.account.sign_in import SignIn, read_sign_in
from codex_oauth.config import Settings
from codex_oauth.errors import AccountCheckError, ConfigurationError, ReauthenticationRequired, RpcError
from codex_oauth.session import Server, open_session
from codex_oauth.session.failures import refused_sign_in

__all__ = ("REFRESH_AHEAD", "fresh_sign_in", "is_due", "noted")

REFRESH_AHEAD: Final = 330.0
"""Seconds before its expiry from which on a token is refreshed. codex 0.163 and 0.169 begin at 300; it is done before
any of theirs would."""

_CODEX_AHEAD: Final = 300.0

_PATIENCE: Final = 60.0
"""Seconds to wait for somebody else's refresh. A call's own deadline is shorter as a rule."""

_LOOK_AGAIN: Final = 0.02


def is_due(sign_in: SignIn, *, ahead: float = REFRESH_AHEAD) -> bool:
    """Whether codex would refresh it before, or soon after, it uses it."""
    return sign_in.expires_at is not None and sign_in.expires_at - time.time() <= ahead


async def fresh_sign_in(
    settings: Settings, server: Callable[[SignIn, tuple[int, ...]], Server], sign_in: str
) -> SignIn | None:
    """The home's sign-in, its token refreshed if it is about to expire; None where no plan is signed in.

    Args:
        settings: Whose home.
        server: Makes the app-server that refreshes, which inherits the given descriptors.
        sign_in: The command that signs in there.

    Raises:
        ReauthenticationRequired: The service has refused to refresh it, now or at an earlier time.
        AccountCheckError: It could not be refreshed just now.
        ConfigurationError: The lock cannot be taken.
    """
    found = read_sign_in(settings.home)
    if found is None or found.wallet != "chatgpt":
        return found
    if refusal := refusal_of(settings, found):
        raise refused_sign_in(refusal.reason, sign_in)
    if not is_due(found):
        return found
    path = sidecar(settings, "refresh.lock")
    lock = SharedLock(path)
    try:
        with anyio.move_on_after(_PATIENCE):
            while not lock.acquire():
                await anyio.sleep(_LOOK_AGAIN)
                if renewed := _renewed(settings, found, sign_in):
                    return renewed
            return _renewed(settings, found, sign_in) or await _refresh(
                settings, server(found, lock.descriptors), found
            )
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be locked: {error.strerror}") from error
    finally:
        lock.close()
    raise AccountCheckError(f"another process has been refreshing this home's token for {_PATIENCE:.0f} s; call again")


def _renewed(settings: Settings, old: SignIn, sign_in: str) -> SignIn | None:
    """What somebody else has made of it meanwhile; None while it is as it was."""
    now = read_sign_in(settings.home)
    if now is not None and now.fingerprint != old.fingerprint:
        return now
    if refusal := refusal_of(settings, old):
        raise refused_sign_in(refusal.reason, sign_in)
    return None


async def _refresh(settings: Settings, server: Server, old: SignIn) -> SignIn | None:
    try:
        async with open_session(server) as session:
            # Starting was enough for the versions that were measured. Where it was not, it is asked for.
            if (now := read_sign_in(settings.home)) and now.fingerprint == old.fingerprint:
                # Not now is no reason to fail: the token may be good for minutes.
                with suppress(AccountCheckError, RpcError):
                    await session.read_account(refresh=True)
    except ReauthenticationRequired as error:
        return noted(settings, old, error)
    now = read_sign_in(settings.home)
    if now is not None and now.fingerprint != old.fingerprint and is_due(now, ahead=_CODEX_AHEAD):
        # codex would refresh it before each request, hundreds of times a minute.
        raise AccountCheckError(
            "the service has just issued a token, and by this machine's clock it expires within five minutes; "
            "is the clock right? See: date -u"
        )
    return now


def noted(settings: Settings, old: SignIn | None, error: ReauthenticationRequired) -> SignIn:
    """Remember a refusal, unless somebody has refreshed or signed in meanwhile: then that is the sign-in.

    Raises:
        ReauthenticationRequired: `error`, where nobody has.
    """
    now = read_sign_in(settings.home)
    if now is not None and (old is None or now.fingerprint != old.fingerprint):
        return now
    if now is not None and error.refused:
        note_refusal(settings, now, error.reason)
    raise error
