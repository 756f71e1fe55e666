"""`codex-oauth gate`: the policy's commands."""

from __future__ import annotations

from typing import Final

import click

from codex_oauth.cli.lazy import LazyGroup

__all__ = ("command",)

_COMMANDS: Final = {
    "check": "Read the policy as a request would, and say what is wrong with it.",
    "eval": "Judge labelled requests, and count what went wrong: false allows first.",
    "explain": "Judge one request and show everything: the prompt, the verdict, the rule, the time.",
    "init": "Write a policy file to begin with.",
    "replay": "Judge recorded requests again, and show what would differ.",
    "trust": "Let a policy file that is under version control count, as it is now.",
}


@click.group("gate", cls=LazyGroup, package="codex_oauth.cli.gate", commands_of=_COMMANDS)
def command() -> None:
    """The permission gate's policy: write it, check it, try it."""
