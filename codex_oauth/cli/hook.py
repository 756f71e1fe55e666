"""`codex-oauth hook`."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, printable
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.gate.hook import HookAnswer
    from codex_oauth.gate.policy import OnFailure
    from codex_oauth.gate.request import Host

__all__ = ("command",)

_MOST: Final = 64 * 1024 * 1024
"""Bytes of a request. Hosts were measured to send whole files and patches; 5 MB is a large one."""

_PATIENCE: Final = 20.0
"""Seconds for the host to write its request and close the pipe. Both write it at once."""


@click.command("hook")
@click.argument("host", type=click.Choice(["claude", "codex"]))
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A policy file to use instead of yours and the repository's.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["ask", "deny"]),
    help="What becomes of a request that has no verdict.  [default: what the policy says, else ask]",
)
@home_options
def command(host: str, policy: Path | None, on_failure: str | None, where: Where) -> None:
    """Answer a PermissionRequest hook of Claude Code or Codex: its JSON on stdin, its answer on stdout.

    An empty answer leaves it to the person. Exits with 0 where there is a verdict or a denial in its place, else with
    1 and an empty stdout; never with 2, which would deny on one host and do nothing on the other. What it has to say
    goes to stderr. `codex-oauth install claude` and `codex-oauth install codex` put it into the host's settings.
    """
    out = _stdout_alone()
    answer = _answer(cast("Host", host), policy, cast("OnFailure | None", on_failure), where)
    for note in answer.notes:
        line = f"codex-oauth: {printable(' '.join(note.splitlines()))}\n"
        # Not buffered, and not needed: a stderr that is full or gone must not keep the verdict back.
        with suppress(OSError):
            os.write(2, line.encode("utf-8", "backslashreplace"))
    # Last, and in one piece: Claude Code counts a decision even if what follows goes wrong.
    rest = memoryview(answer.stdout)
    while rest:
        rest = rest[os.write(out, rest) :]
    os.close(out)
    if answer.failed and not answer.stdout:
        raise click.exceptions.Exit(1)


def _stdout_alone() -> int:
    """A descriptor of stdout for the answer. Whatever else is printed, by whomever, goes to stderr from now on: one
    stray line, and Codex passes over the answer."""
    try:
        os.fstat(2)
    except OSError:
        # It was closed. What is opened next would get its number, and with it everybody's complaints.
        null = os.open(os.devnull, os.O_RDWR)
        if null != 2:
            os.dup2(null, 2)
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _answer(host: Host, policy: Path | None, on_failure: OnFailure | None, where: Where) -> HookAnswer:
    from codex_oauth.gate.failures import failure_class
    from codex_oauth.gate.hook import answer, failed

    try:
        payload = _read()
    except (ConfigurationError, OSError) as error:
        return failed(error, "input", on_failure)
    try:
        codex = open_codex(where)
        return call(lambda: answer(payload, host, codex, policy_file=policy, on_failure=on_failure))
    except click.Abort:
        raise  # interrupted, so nobody waits for an answer
    except Exception as error:  # noqa: BLE001 - a traceback would tell the host nothing, and a failure is an answer too
        return failed(error, failure_class(error), on_failure)


def _read() -> bytes:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):
        raise ConfigurationError("stdin is closed, so there is no request") from None
    if sys.stdin.isatty():
        raise ConfigurationError(
            "a host runs this, with its request on stdin; to try a request, use: codex-oauth gate explain"
        )
    pieces: list[bytes] = []
    size = 0
    deadline = time.monotonic() + _PATIENCE
    while True:
        if sys.platform != "win32" and not select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise ConfigurationError(f"the host did not end its request within {_PATIENCE:.0f} s")
        piece = os.read(descriptor, 1024 * 1024)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > _MOST:
            raise ConfigurationError(f"the request is longer than {_MOST // 1024 // 1024} MiB")
