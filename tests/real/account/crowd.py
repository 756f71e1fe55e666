"""Many processes that make a call on one home at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.real.account.people import auth_of, mode_of
from tests.scripted import eventually

PATIENCE = 60.0


class Crowd:
    """`python -m codex_oauth complete`, many times: each has begun, and waits for the end of its stdin."""

    def __init__(self, programs: list[subprocess.Popen[str]]) -> None:
        self.programs = programs

    def go(self) -> None:
        """Now all of them make their call."""
        assert eventually(lambda: all(map(_waits_for_its_input, self.programs)), PATIENCE)
        for program in self.programs:
            assert program.stdin is not None
            program.stdin.close()

    def ends(self) -> list[tuple[int, str, str]]:
        """Status, stdout and stderr of each, in their order; none of them hangs."""
        ends: list[tuple[int, str, str]] = []
        for program in self.programs:
            program.stdin = None
            said, complained = program.communicate(timeout=PATIENCE)
            ends.append((program.returncode, said, complained))
        return ends


@contextmanager
def crowd(
    size: int, environ: Mapping[str, str], cwd: Path, *options: str, timeout: float = PATIENCE
) -> Generator[Crowd]:
    """Starts them; none is left at the end."""
    plain = {name: value for name, value in environ.items() if name != "PYTHONDEVMODE"}
    with ExitStack() as running:
        programs: list[subprocess.Popen[str]] = []
        for number in range(size):
            program = subprocess.Popen(
                [sys.executable, "-m", "codex_oauth", "complete", "--timeout", str(timeout), *options],
                env=plain,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(program)
            running.callback(program.kill)
            assert program.stdin is not None
            program.stdin.write(f"number {number}")
            program.stdin.flush()
            programs.append(program)
        yield Crowd(programs)


def _waits_for_its_input(program: subprocess.Popen[str]) -> bool:
    # The number of the system call that it is in, and its first argument: read(0, …).
    try:
        call = Path(f"/proc/{program.pid}/syscall").read_text(encoding="ascii").split()
    except OSError:
        return False
    return call[:2] == ["0", "0x0"]


def replies(size: int) -> Counter[tuple[int, str, str]]:
    """What they end with where each gets its own reply."""
    return Counter((0, f"You said: number {number}\n", "") for number in range(size))


def app_server_on(home: Path) -> int:
    """The one app-server that runs on the home."""
    needle = f"CODEX_HOME={home}".encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    (pid,) = found
    return pid


def parent_of(pid: int) -> int:
    """Who has started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_whole(home: Path) -> bool:
    """Whether the home's sign-in is there, with all of its tokens, and private."""
    tokens = auth_of(home)["tokens"]
    return all(tokens[name] for name in ("id_token", "access_token", "refresh_token", "account_id")) and (
        mode_of(home) == 0o600
    )
