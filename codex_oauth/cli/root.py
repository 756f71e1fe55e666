"""The root command: finds the others, and turns exceptions into exit statuses."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Final, cast

import click

from codex_oauth.cli.lazy import LazyGroup
from codex_oauth.errors import CodexOAuthError
from codex_oauth.version import __version__

__all__ = ("cli", "run")

_INTERRUPTED: Final = 130

_COMMANDS: Final = {
    "batch": "Ask many things of a file, and go on where it was stopped.",
    "classify": "Judge a permission request: allow, deny or ask.",
    "complete": "Ask the model once.",
    "completion": "Print the shell's completion script.",
    "demo": "Show the main job on a built-in stand-in, without an account.",
    "doctor": "Say what is wrong, and the command that mends it.",
    "gate": "Write, check and try the policy that judges a coding agent.",
    "hook": "Answer a coding agent's permission request: what its hook runs.",
    "install": "Put the hook into a coding agent's settings.",
    "limits": "Show how much of the plan is used.",
    "login": "Sign in: a browser, a device code, or an API key for a profile.",
    "logout": "Sign out.",
    "metrics": "Show what was judged and asked, and what it took.",
    "models": "List the models, and the one that would be used.",
    "profiles": "List the accounts that have a home here.",
    "record": "Look at what was recorded, and hand it on.",
    "serve": "Be the warm service, or the endpoint for OpenAI clients.",
    "service": "Start, stop and look at the warm service.",
    "status": "Say who would pay, and from which home.",
    "uninstall": "Take the hook out of a coding agent's settings.",
}


@click.group(
    cls=LazyGroup,
    package="codex_oauth.cli",
    commands_of=_COMMANDS,
    name="codex-oauth",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""Exit status: 0 done, 1 failed, 2 usage or bad input, 3 not signed in or wrong wallet, 4 usage limit,
    5 deadline, 6 codex missing or unsupported, 7 the reply did not fit, 130 interrupted.""",
)
@click.version_option(__version__, "-V", "--version", prog_name="codex-oauth", message="%(prog)s %(version)s")
def cli() -> None:
    """Your ChatGPT plan as a safe, fast, structured LLM call, through the official codex app-server."""


def run() -> None:
    """Run the command line and exit with the status of what happened."""
    sys.exit(_status())


def _status() -> int:
    status = _run()
    # A host's hook may not end in any other status: 2 would be a denial for Codex.
    return min(status, 1) if next((word for word in sys.argv[1:] if not word.startswith("-")), "") == "hook" else status


def _run() -> int:
    if cast("object", sys.stdin) is None:
        sys.stdin = io.TextIOWrapper(io.BytesIO())  # it was closed: there is nothing to read
    if cast("object", sys.stdout) is None:
        with contextlib.suppress(OSError):
            click.echo("codex-oauth: stdout is closed, so there is no place for the result", err=True)
        return 1
    for stream in (sys.stdout, sys.stderr):
        # A verdict must not fail on the way out because a terminal is not UTF-8.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Not standalone: click would exit by itself, and with statuses of its own. It returns the status of an Exit.
        status = cli.main(prog_name="codex-oauth", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        # After the ^C that a terminal shows.
        click.echo("\ninterrupted" if sys.stderr.isatty() else "interrupted", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more while flushing.
        sys.stdout = None  # type: ignore[assignment] - Python then skips the flush at its end
        return 1
    except CodexOAuthError as error:
        from codex_oauth.cli.output import explain

        click.echo(explain(error), err=True)
        return error.exit_status
    except OSError as error:
        # Of the output: a full disk, say. Files that are read or written have errors of their own, above.
        sys.stdout = None  # type: ignore[assignment] - Python then skips the flush at its end
        with contextlib.suppress(OSError):
            click.echo(f"codex-oauth: the output could not be written: {error.strerror}", err=True)
        return 1
