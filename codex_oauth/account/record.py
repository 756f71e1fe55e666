"""What is remembered about a home's sign-in: that the service has refused to refresh it, and why.

codex keeps no such note: each new app-server would send the dead token again, and a fleet of hooks would do so for
every command of every agent. The note is about one refresh token, so a new sign-in ends it, whoever makes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from codex_oauth.account.sign_in import SignIn
from codex_oauth.config import Settings
from codex_oauth.errors import ReauthenticationReason

__all__ = ("Refusal", "forget_refusal", "note_refusal", "refusal_of", "sidecar")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused refresh: why, and when (seconds since 1970)."""

    reason: ReauthenticationReason
    at: float


def sidecar(settings: Settings, name: str) -> Path:
    """A file of this package's own about the home's account: in a managed home, else beside this package's other state,
    since a home of the user's own is never written."""
    # A link to it is the same sign-in.
    real = Path(os.path.realpath(settings.home / "auth.json"))
    if settings.managed and real.parent == Path(os.path.realpath(settings.home)):
        return settings.home / f".codex-oauth-{name}"
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return settings.state_dir / "homes" / f"{digest}-{name}"


def refusal_of(settings: Settings, sign_in: SignIn) -> Refusal | None:
    """The refusal that was noted for this very sign-in."""
    try:
        note = json.loads(sidecar(settings, "refused.json").read_bytes())
        if note["sign_in"] != sign_in.fingerprint or note["reason"] not in get_args(ReauthenticationReason):
            return None
        at = float(note["at"])
        return Refusal(note["reason"], at) if math.isfinite(at) else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def note_refusal(settings: Settings, sign_in: SignIn, reason: ReauthenticationReason) -> None:
    """Remember that this sign-in's refresh token was refused. A note that cannot be written is left out."""
    import tempfile

    path = sidecar(settings, "refused.json")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"sign_in": sign_in.fingerprint, "reason": reason, "at": round(time.time())}, file)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink()
            raise


def forget_refusal(settings: Settings) -> None:
    """Somebody has signed in or out: the note is about nothing any more."""
    with suppress(OSError):
        sidecar(settings, "refused.json").unlink()
