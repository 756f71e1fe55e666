"""`token_command`: the user's own program, asked for a token. Bounded in time and in what it may print."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anyio

from codex_oauth.config import environment
from codex_oauth.errors import ExternalTokenError, ProcessError
from codex_oauth.process import Child, CommandSpec, spawn

__all__ = ("LARGEST", "ask")

TIMEOUT: Final = 20.0
"""Seconds that it may take."""

LARGEST: Final = 64 * 1024
"""Bytes that it may print."""

_AFTERWARDS: Final = 0.2
# Seconds for the rest of its output, once it has ended: something that it left running may hold the pipe for ever.


async def ask(command: tuple[str, ...]) -> bytes:
    """What the command prints on stdout.

    It has this program's whole environment: it is the user's own, as a git credential helper is. What it writes to
    stderr goes nowhere, since it may say the token. It and whatever it started end with the call.

    Raises:
        ExternalTokenError: It cannot be started, took too long, printed too much, or failed.
    """
    program = command[0]
    try:
        child = spawn(CommandSpec(argv=command, env=dict(environment()), cwd=Path.cwd(), grace=1))
    except ProcessError as error:
        raise ExternalTokenError(f"token_command: {error.message}") from error
    except OSError as error:
        raise ExternalTokenError(f"token_command: {program} cannot be started: {error.strerror}") from error
    printed, status = b"", None
    try:
        with anyio.fail_after(TIMEOUT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child.drain_stderr)
                child.close_stdin()
                printed = await _read(child)
                status = await child.stop()
                tasks.cancel_scope.cancel()
    except TimeoutError as error:
        raise ExternalTokenError(f"token_command: {program} took longer than {TIMEOUT:g} s") from error
    finally:
        # A deadline does not wait for a program that does not end: a watchdog ends it.
        await child.stop(patience=0)
    if len(printed) > LARGEST:
        raise ExternalTokenError(f"token_command: {program} printed more than {LARGEST // 1024} KiB")
    if status != 0:
        raise ExternalTokenError(f"token_command: {program} ended with status {status}")
    return printed


async def _read(child: Child) -> bytes:
    printed = b""
    while len(printed) <= LARGEST:
        chunk = None
        with anyio.move_on_after(_AFTERWARDS):
            chunk = await child.read()
        if chunk == b"" or (chunk is None and child.returncode is not None):
            break
        printed += chunk or b""
    return printed
