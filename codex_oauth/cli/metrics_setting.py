"""Which setting turned metrics off, and how to turn them on again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_oauth.cli.output import printable
from codex_oauth.config import environment

if TYPE_CHECKING:
    from codex_oauth.config import Settings

__all__ = ("metrics_are_off",)


def metrics_are_off(settings: Settings) -> str:
    """The words for settings without a metrics file: what turned metrics off, and what turns them on."""
    if environment().get("CODEX_OAUTH_METRICS"):
        return "metrics are off: the environment has CODEX_OAUTH_METRICS=off; unset it to have metrics from now on"
    place = f" in {printable(str(settings.config_file))}" if settings.config_file else ""
    return f'metrics are off: `metrics = "off"`{place}; remove that line to have metrics from now on'
