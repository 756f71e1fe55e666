"""The command line: one module per command, imported when it runs."""

from __future__ import annotations

__all__ = ("main",)


def main() -> None:
    """Run `codex-oauth` with this process's arguments."""
    import sys

    from codex_oauth.cli.request import leave, run

    # What hosts run for each request has a way of its own, past everything that takes time to import.
    status = run(sys.argv[1:])
    if status is not None:
        leave(status)
    from codex_oauth.cli.root import run as run_command_line

    run_command_line()
