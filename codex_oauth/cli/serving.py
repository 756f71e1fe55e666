"""What the commands share that run the warm service, or look after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from codex_oauth.config import environment, load_settings
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.server import Address

__all__ = ("Whose", "service_options", "whose_service")

_OPTIONS: Final = {"home": "--home", "profile": "--profile", "codex_bin": "--codex-bin"}


class Whose(NamedTuple):
    """A service as the command line names it.

    Attributes:
        settings: What its calls work with.
        options: The options that name it, with their values.
        address: Where it listens.
    """

    settings: Settings
    options: dict[str, str]
    address: Address

    @property
    def words(self) -> list[str]:
        """The options as a command line has them."""
        return [word for option in self.options.items() for word in option]


def service_options(command: Callable[..., None]) -> Callable[..., None]:
    """Whose service: given to the command as `options`. They are those of the calls that it serves, to the letter."""

    @wraps(command)
    def collected(*args: Any, **options: Any) -> None:
        given = {name: options.pop(parameter) for parameter, name in _OPTIONS.items()}
        found: dict[str, str] = {name: value for name, value in given.items() if value is not None}
        if "--home" in found and "--profile" in found:
            raise click.UsageError("give one of --home and --profile: each names the home of the call")
        for name in ("--home", "--codex-bin"):
            if name in found and not os.path.isabs(found[name]):
                found[name] = os.path.abspath(found[name])
        command(*args, options=found, **options)

    for option in (
        click.option("--codex-bin", help="The codex binary.  [env: CODEX_OAUTH_CODEX_BIN]"),
        click.option("--home", help="Another place for the managed CODEX_HOME.  [env: CODEX_OAUTH_HOME]"),
        click.option("--profile", metavar="NAME", help="Another account, with a home of its own."),
    ):
        collected = option(collected)
    return collected


def whose_service(options: dict[str, str], *, may_be_off: bool = False) -> Whose:
    """The service of this environment and these options.

    Raises:
        ConfigurationError: It is turned off, there is none on this system, or a setting is wrong.
    """
    from codex_oauth.server import address_of

    settings = load_settings(
        home=options.get("--home"), profile=options.get("--profile"), codex_bin=options.get("--codex-bin")
    )
    address = address_of(settings, options)
    if settings.service == "off" and not may_be_off:
        where = "CODEX_OAUTH_SERVICE"
        if not environment().get(where) and settings.config_file is not None:
            where = f"`service` in {settings.config_file}"
        raise ConfigurationError(f"the warm service is off, as {where} says; on-demand there turns it on")
    return Whose(settings, options, address)
