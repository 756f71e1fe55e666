"""What travels when a client is pickled: what was chosen for it, and never what is a secret or a fact of the machine.

A client that lands in another process, or on another machine, finds its paths, its proxy and its token there, as a new
one would. What differs from that here was said on purpose, and goes along: a `home=`, a `metrics=`, an environment of
one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self, TypeVar

from codex_oauth.config import ExternalSource, Settings, child_environment, environment, load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.version import __version__

__all__ = ("PickledSettings", "landed")

T = TypeVar("T")

_OF_THE_MACHINE: Final = frozenset(
    {"billing_variables", "codex_bin", "config_dir", "config_file", "home", "metrics", "project", "record", "state_dir"}
)
# They travel only where they are others than a new client would have here. `external` and `inherited`, which may hold
# secrets, have rules of their own; every other setting travels as it is.


@dataclass(frozen=True, slots=True, kw_only=True)
class PickledSettings:
    """Settings on their way. Made by `of`, and turned into settings of the place by `here`.

    Attributes:
        chosen: Settings by name.
        variables: Variables of the app-server's environment that are not those of this process; None for one that is
            only in this process's.
        token: The name of what gave an external token, which the place has to have too; None if there was none.
    """

    chosen: Mapping[str, Any]
    variables: Mapping[str, str | None] = field(repr=False)
    token: str | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What travels of the settings.

        Raises:
            ConfigurationError: The configuration file of this process is wrong.
        """
        usual = _usual(settings.managed, settings.home, settings.profile)
        chosen = {
            name: value
            for name in (one.name for one in fields(settings))
            if name not in ("external", "inherited")
            and ((value := getattr(settings, name)) != getattr(usual, name) or name not in _OF_THE_MACHINE)
        }
        if not settings.managed:
            chosen["home"] = settings.home  # the one that was named
        if settings.external is None and usual.external is not None:
            chosen["external"] = None
        names = {*settings.inherited, *usual.inherited}
        variables = {
            name: value
            for name in names
            if (value := settings.inherited.get(name)) != usual.inherited.get(name) and not _holds_password(name, value)
        }
        return cls(
            chosen=chosen, variables=variables, token=settings.external.name if settings.external is not None else None
        )

    def here(self) -> Settings:
        """Settings of this process and this machine.

        Where a token is wanted and there is none, each call says so, and asks nobody else to pay.

        Raises:
            ConfigurationError: The configuration file of this process is wrong, or another version of this package has
                pickled the client.
        """
        if unknown := self.chosen.keys() - {one.name for one in fields(Settings)}:
            raise ConfigurationError(
                f"this client was pickled by another version of codex_oauth, with settings that {__version__} does not "
                f"know ({', '.join(sorted(unknown))}): install the same version everywhere"
            )
        usual = _usual(self.chosen["managed"], self.chosen.get("home"), self.chosen["profile"])
        if self.token is not None and usual.external is None:
            usual = replace(usual, external=ExternalSource(), home=usual.state_dir / "external-home")
        inherited = {**child_environment(environment()), **self.variables}
        return replace(
            usual, **self.chosen, inherited={name: value for name, value in inherited.items() if value is not None}
        )


def landed(kind: Callable[..., T], settings: PickledSettings, max_concurrency: int | None) -> T:
    """The client that was pickled, made anew: what `pickle` calls.

    Args:
        kind: `AsyncCodex` or `Codex`.
        settings: What travelled.
        max_concurrency: As it was given.
    """
    return kind(settings=settings.here(), max_concurrency=max_concurrency)


def _usual(managed: bool, home: Any, profile: str | None) -> Settings:
    # What a new client would have: for a home of the user's own, no token counts, and for a profile neither.
    return load_settings(profile=profile) if managed else load_settings(codex_home=home)


def _holds_password(name: str, value: str | None) -> bool:
    # A proxy's address may have a user and a password before its host.
    return value is not None and name.lower().endswith("_proxy") and "@" in value
