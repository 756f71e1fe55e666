"""Groups of commands whose modules are imported only when they are used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ("LazyGroup",)


class LazyGroup(click.Group):
    """A group that imports a command when it is used, so that each pays for itself alone.

    Args:
        package: Where the commands' modules are, each with a `command`; a `-` in a name is a `_` in the module's.
        commands_of: What there is: the name and one line of help.
    """

    def __init__(self, *args: Any, package: str, commands_of: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package = package
        self._commands = commands_of

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the interface has it
        return sorted(self._commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the interface has it
        if cmd_name not in self._commands:
            return None
        command: click.Command = import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the interface has it
        # From the table: the help needs no command's module.
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._commands.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self._commands:
            import difflib

            near = difflib.get_close_matches(args[0], self._commands, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " See --help."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)
