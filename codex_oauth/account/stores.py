"""Other programs' sign-ins on this machine, read only to report: refresh tokens are good for one use, so a copied one
ends both copies' sign-in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codex_oauth.account.profiles import profiles
from codex_oauth.account.sign_in import LARGEST, SignIn, fingerprint, read_sign_in
from codex_oauth.config import Settings
from codex_oauth.types import as_object

__all__ = ("Copy", "Store", "copies", "other_stores")


@dataclass(frozen=True, slots=True)
class Store:
    """A file with a ChatGPT sign-in, and whose it is: `codex`, `opencode`, `crabcode`, or `codex-oauth`."""

    owner: str
    file: Path
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Two files with the same refresh token; `ours` is a home of this package."""

    ours: Store
    other: Store


def other_stores(environ: Mapping[str, str]) -> tuple[Store, ...]:
    """The ChatGPT sign-ins of codex, opencode and crabcode that this user has."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    codex = Path(environ.get("CODEX_HOME") or home / ".codex")
    found = [_codex_store("codex", codex)]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    support = home / "Library" / "Application Support"
    found += [_opencode_store("opencode", data / "opencode" / "auth.json")]
    # crabcode has kept its own in each of these; the fields are opencode's.
    found += [_opencode_store("crabcode", folder / "crabcode" / "auth.json") for folder in (data, state, support)]
    return tuple(store for store in found if store is not None)


def copies(settings: Settings, others: Iterable[Store]) -> tuple[Copy, ...]:
    """Sign-ins of this package's homes that lie in another file too.

    A link to the same file is one sign-in, kept fresh by whoever comes first, and no copy.
    """
    homes = [settings.state_dir / "codex-home", *(profile.home for profile in profiles(settings)), settings.home]
    ours = [_codex_store("codex-oauth", home) for home in homes]
    own = list({store.file: store for store in ours if store is not None}.values())
    found: list[Copy] = []
    for index, store in enumerate(own):
        found += [
            Copy(store, other)
            for other in (*own[index + 1 :], *others)
            if store.fingerprint == other.fingerprint and not _same_file(store.file, other.file)
        ]
    return tuple(found)


def _codex_store(owner: str, home: Path) -> Store | None:
    sign_in: SignIn | None = read_sign_in(home)
    if sign_in is None or sign_in.wallet != "chatgpt":
        return None
    return Store(owner, home / "auth.json", sign_in.fingerprint)


def _opencode_store(owner: str, file: Path) -> Store | None:
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return None
        providers = as_object(json.loads(file.read_bytes())) or {}
    except (OSError, ValueError, RecursionError):
        return None
    entry = as_object(providers.get("openai")) or {}
    refresh = entry.get("refresh")
    if entry.get("type") != "oauth" or not isinstance(refresh, str) or not refresh:
        return None
    return Store(owner, file, fingerprint(refresh))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
