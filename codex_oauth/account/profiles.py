"""Profiles: other accounts, each with a home of its own. Nothing pools or rotates them.

A profile is for one kind of wallet from its first sign-in on: the home of a plan never holds a key, and no call falls
back from one to the other.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from codex_oauth.account.sign_in import SignIn, Wallet, read_sign_in
from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError

__all__ = ("Profile", "dedicate", "profiles", "seal", "sign_in_command", "wallet_of")

_FILE = "profile.json"


@dataclass(frozen=True, slots=True)
class Profile:
    """An account's home.

    Attributes:
        name: The profile's name; None for the account that calls use by themselves.
        home: Its managed CODEX_HOME.
        wallet: What it pays with.
        sign_in: Its sign-in; None where nobody is signed in.
    """

    name: str | None
    home: Path
    wallet: Wallet
    sign_in: SignIn | None


def wallet_of(settings: Settings) -> Wallet:
    """The kind of account that may pay for calls with these settings."""
    return "chatgpt" if settings.profile is None else _wallet(settings.home.parent)


def dedicate(settings: Settings, wallet: Wallet) -> None:
    """Make room for a profile that is about to be signed in. One for a key is one for good from here on; one for a plan
    from its first sign-in on (`seal`), so that a sign-in that did not come about leaves the choice.

    Raises:
        ConfigurationError: It is one for the other kind, or a key would be given to the home of the plan.
    """
    if settings.profile is None:
        if wallet == "apiKey":
            raise ConfigurationError("an API key needs a profile of its own: --profile NAME")
        return
    folder = settings.home.parent
    try:
        if (folder / _FILE).exists():
            if (known := _wallet(folder)) != wallet:
                kind = "an API key" if known == "apiKey" else "a ChatGPT plan"
                raise ConfigurationError(f"profile {settings.profile!r} is for {kind}; choose another --profile NAME")
            return
        if wallet == "apiKey" and (signed_in := read_sign_in(settings.home)) and signed_in.wallet == "chatgpt":
            raise ConfigurationError(
                f"profile {settings.profile!r} is for a ChatGPT plan; choose another --profile NAME"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if wallet == "apiKey":
            seal(settings, wallet)
    except OSError as error:
        raise ConfigurationError(f"{folder}: the profile cannot be written: {error.strerror}") from error


def seal(settings: Settings, wallet: Wallet) -> None:
    """Say once and for all what kind of wallet a profile is for.

    Raises:
        OSError: It cannot be written.
    """
    if settings.profile is None or (settings.home.parent / _FILE).exists():
        return
    new = settings.home.parent / f".{_FILE}.{os.getpid()}"
    new.write_text(json.dumps({"wallet": wallet}), encoding="utf-8")
    os.replace(new, settings.home.parent / _FILE)


def profiles(settings: Settings) -> tuple[Profile, ...]:
    """Every account that has a home, the one that calls use by themselves first."""
    usual = settings.managed and settings.profile is None and settings.external is None
    home = settings.home if usual else settings.state_dir / "codex-home"
    found = [Profile(None, home, "chatgpt", read_sign_in(home))]
    try:
        folders = sorted((settings.state_dir / "profiles").iterdir())
    except OSError:
        folders = []
    for folder in folders:
        home = folder / "codex-home"
        if _is_folder(home):
            found.append(Profile(folder.name, home, _wallet(folder), read_sign_in(home)))
    return tuple(found)


def sign_in_command(settings: Settings, codex: Path) -> str:
    """The command that signs in on the settings' home, as one would type it."""
    home = settings.home
    if settings.external is not None:
        return f"give a fresh token in {settings.external.name}"
    if not settings.managed:
        # The user's own: codex itself signs in there.
        if os.name == "nt":
            return f'set "CODEX_HOME={home}" && "{codex}" login'
        return f"CODEX_HOME={shlex.quote(str(home))} {shlex.quote(str(codex))} login"
    if settings.profile is not None:
        way = " --api-key" if wallet_of(settings) == "apiKey" else ""
        return f"codex-oauth login{way} --profile {settings.profile}"
    if home == settings.state_dir / "codex-home":
        return "codex-oauth login"
    quoted = f'"{home}"' if os.name == "nt" else shlex.quote(str(home))
    return f"codex-oauth login --home {quoted}"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # somebody else's, say


def _wallet(folder: Path) -> Wallet:
    try:
        return "apiKey" if json.loads((folder / _FILE).read_bytes())["wallet"] == "apiKey" else "chatgpt"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Without a word about it a plan pays, and a key is refused.
        return "chatgpt"
