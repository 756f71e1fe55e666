"""What every transport promises, held over a real child's pipes and over the in-memory pair."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from codex_oauth.errors import LineTooLongError
from codex_oauth.process import Child, CommandSpec, spawn
from codex_oauth.transport import MAX_LINE, StdioTransport, Transport
from codex_oauth.transport.memory import MemoryTransport

pytestmark = pytest.mark.anyio

OpenEcho: TypeAlias = Callable[..., AbstractAsyncContextManager[Transport]]


def command(folder: Path, *argv: str) -> CommandSpec:
    # Some of these do not end by themselves.
    return CommandSpec(argv=argv, env={"PATH": os.defpath}, cwd=folder, grace=1)


@asynccontextmanager
async def child(folder: Path, *argv: str) -> AsyncGenerator[Child]:
    """A child whose stderr is drained, and that is ended with the block."""
    started = spawn(command(folder, *argv))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.drain_stderr)
            yield started
            await started.stop()
    finally:
        await started.stop()


@asynccontextmanager
async def python(folder: Path, program: str, *, max_line: int = MAX_LINE) -> AsyncGenerator[StdioTransport]:
    """A transport to a Python program."""
    async with child(folder, sys.executable, "-ISc", program) as started:
        yield StdioTransport(started, max_line=max_line)


@asynccontextmanager
async def echo_of_a_child(folder: Path, *, max_line: int = MAX_LINE) -> AsyncGenerator[Transport]:
    async with child(folder, "cat") as started:
        yield StdioTransport(started, max_line=max_line)


@asynccontextmanager
async def echo_in_memory(folder: Path, *, max_line: int = MAX_LINE) -> AsyncGenerator[Transport]:
    here, there = MemoryTransport.pair(max_line=max_line)

    async def repeat() -> None:
        while (line := await there.receive()) is not None:
            await there.send(line)
        there.close_sending()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(repeat)
        yield here
        tasks.cancel_scope.cancel()


@pytest.fixture(params=[echo_of_a_child, echo_in_memory], ids=["child", "memory"])
def open_echo(request: pytest.FixtureRequest) -> OpenEcho:
    """Opens a transport whose other side sends every line back, and ends when we do."""
    return request.param


async def test_lines_come_whole_and_in_order(open_echo: OpenEcho, tmp_path: Path) -> None:
    lines = [b"{}", b"", b"a" * 70_000, b"\xff\x00\r", "\u2028é".encode(), b"last"]
    async with open_echo(tmp_path) as transport:
        for line in lines:
            await transport.send(line)
        assert [await transport.receive() for _ in lines] == lines


async def test_the_end_is_none_and_stays_none(open_echo: OpenEcho, tmp_path: Path) -> None:
    async with open_echo(tmp_path) as transport:
        await transport.send(b"only")
        transport.close_sending()
        assert [await transport.receive() for _ in range(4)] == [b"only", None, None, None]


async def test_the_other_side_may_be_told_of_the_end_twice(open_echo: OpenEcho, tmp_path: Path) -> None:
    async with open_echo(tmp_path) as transport:
        transport.close_sending()
        transport.close_sending()
        assert await transport.receive() is None


async def test_a_line_of_thirty_megabytes_passes(open_echo: OpenEcho, tmp_path: Path) -> None:
    line = b"x" * 30_000_000
    async with open_echo(tmp_path) as transport, anyio.create_task_group() as tasks:
        tasks.start_soon(transport.send, line)
        with anyio.fail_after(10):
            assert await transport.receive() == line
            await transport.send(b"next")
            assert await transport.receive() == b"next"


async def test_a_line_over_the_limit_ends_the_transport(open_echo: OpenEcho, tmp_path: Path) -> None:
    async with open_echo(tmp_path, max_line=1024) as transport, anyio.create_task_group() as tasks:
        await transport.send(b"fits")
        tasks.start_soon(transport.send, b"x" * 1_000_000)
        assert await transport.receive() == b"fits"
        with pytest.raises(LineTooLongError):
            await transport.receive()
        assert await transport.receive() is None
        tasks.cancel_scope.cancel()


async def test_a_hundred_thousand_lines_pass_in_a_moment(open_echo: OpenEcho, tmp_path: Path) -> None:
    count = 100_000
    async with open_echo(tmp_path) as transport, anyio.create_task_group() as tasks:

        async def send_all() -> None:
            # In blocks, since what is measured is the receiving side.
            for first in range(0, count, 1000):
                await transport.send(b"\n".join(b"%d" % number for number in range(first, first + 1000)))

        if isinstance(transport, MemoryTransport):
            for number in range(count):
                await transport.send(b"%d" % number)
        else:
            tasks.start_soon(send_all)
        began = time.perf_counter()
        with anyio.fail_after(20):
            for number in range(count):
                assert await transport.receive() == b"%d" % number
        assert time.perf_counter() - began < 5


async def test_sending_to_a_side_that_reads_nothing_does_not_stop_the_receiving(tmp_path: Path) -> None:
    chatty = "import os, signal\nfor n in range(1000): os.write(1, b'%d\\n' % n)\nsignal.pause()"
    async with python(tmp_path, chatty) as transport, anyio.create_task_group() as tasks:
        tasks.start_soon(transport.send, b"x" * 30_000_000)
        with anyio.fail_after(10):
            assert [await transport.receive() for _ in range(1000)] == [b"%d" % n for n in range(1000)]
        tasks.cancel_scope.cancel()


async def test_a_line_without_an_end_is_given_up_in_bounded_memory(tmp_path: Path) -> None:
    endless = "import os\nwhile True: os.write(1, b'x' * 65536)"
    limit = 4 * 1024 * 1024
    async with python(tmp_path, endless, max_line=limit) as transport:
        tracemalloc.start()
        try:
            with pytest.raises(LineTooLongError), anyio.fail_after(10):
                await transport.receive()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 3 * limit


async def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    async with python(tmp_path, "import os; os.write(1, b'whole\\nhal')") as transport:
        assert await transport.receive() == b"whole"
        assert await transport.receive() is None


async def test_a_line_may_come_byte_by_byte(tmp_path: Path) -> None:
    program = "import os\nfor byte in b'slowly\\nbut surely\\n': os.write(1, bytes([byte]))"
    async with python(tmp_path, program) as transport:
        assert [await transport.receive() for _ in range(3)] == [b"slowly", b"but surely", None]


async def test_sending_to_a_child_that_has_ended_is_a_broken_pipe(tmp_path: Path) -> None:
    async with python(tmp_path, "pass") as transport:
        assert await transport.receive() is None
        with pytest.raises(BrokenPipeError):
            await transport.send(b"x" * 1_000_000)


async def test_sending_after_the_end_of_sending_is_a_broken_pipe(open_echo: OpenEcho, tmp_path: Path) -> None:
    async with open_echo(tmp_path) as transport:
        transport.close_sending()
        assert await transport.receive() is None
        with pytest.raises(BrokenPipeError):
            await transport.send(b"late")
