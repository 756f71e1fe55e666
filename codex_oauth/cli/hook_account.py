"""Who an installed hook's calls are made for: whether somebody is signed in where it looks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from codex_oauth.config import load_settings
from codex_oauth.errors import CodexOAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_oauth.config import Settings
    from codex_oauth.hosts import HookOptions

__all__ = ("hook_settings", "lacking_sign_in")


def hook_settings(options: HookOptions, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a hook's calls.

    Args:
        options: What the hook is told.
        environ: The environment; this process's by default.

    Raises:
        ConfigurationError: The hook is told what cannot be, or the configuration file is wrong.
    """
    return load_settings(
        home=options.home,
        codex_home=options.codex_home,
        profile=options.profile,
        codex_bin=options.codex_bin,
        environ=environ,
    )


def lacking_sign_in(settings: Settings) -> tuple[str, str] | None:
    """What is wrong with the sign-in that these settings use, and the command that mends it; None where it may do.

    Its file is looked at, and nothing else: nobody is asked whether it is still accepted.
    """
    from codex_oauth.account import read_sign_in, refusal_of, sign_in_command
    from codex_oauth.process import find_binary

    if settings.external is not None:
        return None
    whose = f"profile {settings.profile!r}" if settings.profile is not None else f"home {settings.home}"
    sign_in = read_sign_in(settings.home)
    if sign_in is None:
        finding = f"its {whose} is not signed in"
    elif refusal_of(settings, sign_in) is not None:
        finding = f"the sign-in of its {whose} is no longer accepted"
    else:
        return None
    codex = settings.codex_bin or Path("codex")
    if not settings.managed:
        with suppress(CodexOAuthError):
            codex = find_binary(settings).path
    return finding, sign_in_command(settings, codex)
