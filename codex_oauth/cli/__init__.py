"""The command line: one module per command, imported when it runs."""

from __future__ import annotations

__all__ = ("main",)


def main() -> None:
    """Run `codex-oauth` with this process's arguments."""
    from codex_oauth.cli.root import run

    run()
