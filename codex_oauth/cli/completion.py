"""`codex-oauth completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ("command",)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  eval "$(codex-oauth completion bash)"   in ~/.bashrc
    zsh:   eval "$(codex-oauth completion zsh)"    in ~/.zshrc
    fish:  codex-oauth completion fish | source    in ~/.config/fish/config.fish
    """
    from codex_oauth.cli.root import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "codex-oauth", "_CODEX_OAUTH_COMPLETE").source())
