"""Many clients at once, and many one after the other: one service, right answers, and nothing that grows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.server.report import app_servers_of, memory_of
from codex_oauth.testing import Json, LoopbackChatGPT
from codex_oauth.testing.messages import ModelRequest
from tests.scripted import eventually
from tests.server.served import ALLOWED, HOOK, Served, hook_input, processes_with

_HOOKS: Final = 200
_COLD_AT_MOST: Final = 10
"""App-servers of single calls beside the service's own: eight places, and one that is just going."""


def numbered(number: int) -> bytes:
    """A request of its own session, since a session that is denied too often is left to the person."""
    return hook_input(f"echo number-{number}-", session=number)


def by_number(request: ModelRequest) -> Json:
    """Allows commands with an even number and denies the others, so that a mixed-up answer is seen."""
    found = re.search(r"number-(\d+)-", request.text)
    assert found is not None
    if int(found[1]) % 2:
        words = f"No {found[1]}."
        return Json({"reason": "No.", "rule": "destroy", "behavior": "deny", "deny_message": words})
    return Json({"reason": "Looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""})


def right(number: int, stdout: bytes) -> bool:
    """Whether this is the answer to the command with that number."""
    if not number % 2:
        return stdout == ALLOWED
    decision = json.loads(stdout)["hookSpecificOutput"]["decision"]
    return decision == {"behavior": "deny", "message": f"No {number}."}


@pytest.fixture
def cold(environ: dict[str, str], chatgpt: LoopbackChatGPT, place: Path) -> Iterator[Served]:
    """A machine on which this package has never run: signed in, and nothing else."""
    state = place / "state"
    service = Served({**environ, "XDG_STATE_HOME": str(state)})
    chatgpt.sign_in(service.settings.home)
    chatgpt.default = by_number
    yield service
    service.close()
    shutil.rmtree(state)


def test_two_hundred_hooks_at_once_on_a_cold_machine_share_one_service(cold: Served) -> None:
    clients = [cold.client(*HOOK, stdin=numbered(number)) for number in range(_HOOKS)]
    with ThreadPoolExecutor(1) as watching:
        peak = watching.submit(_peak, cold, clients)
        answers = [client.communicate(timeout=90) for client in clients]
    wrong = {
        number: (client.returncode, *answered)
        for number, (client, answered) in enumerate(zip(clients, answers, strict=True))
        if client.returncode != 0 or not right(number, answered[0])
    }
    assert wrong == {}
    assert peak.result() <= _COLD_AT_MOST + 1
    services = [pid for pid in processes_with(f"XDG_STATE_HOME={cold.environ['XDG_STATE_HOME']}") if _serves(pid)]
    assert services == [cold.running_as()]
    assert cold.status()["calls"] > _HOOKS // 2


def _peak(cold: Served, clients: list[subprocess.Popen[bytes]]) -> int:
    peak = 0
    while any(client.poll() is None for client in clients):
        home = f"CODEX_HOME={cold.settings.home}"
        peak = max(peak, sum(_is_app_server(pid) for pid in processes_with(home)))
        time.sleep(0.05)
    return peak


def _is_app_server(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0app-server\0")
    return False


def _serves(pid: int) -> bool:
    with suppress(OSError):
        return b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


# --- nothing that grows ----------------------------------------------------------------------------------------------


def call(served: Served, numbers: range) -> None:
    """These calls, eight at a time."""

    def one(number: int) -> bool:
        return right(number, served.ask(*HOOK, stdin=numbered(number)).stdout)

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(one, numbers))


def held(pid: int) -> tuple[int, int]:
    """Descriptors and threads of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), len(list(Path(f"/proc/{pid}/task").iterdir()))


def check_growth(served: Served, chatgpt: LoopbackChatGPT, calls: int) -> None:
    chatgpt.default = by_number
    process = served.start()
    call(served, range(500))
    [app_server] = app_servers_of(process.pid)
    before = memory_of(process.pid) or 0, app_server.memory or 0
    descriptors, threads = held(process.pid)
    call(served, range(500, calls))
    assert served.status()["calls"] == calls
    # It may have been replaced by a younger one, which has less.
    assert eventually(lambda: len(app_servers_of(process.pid)) == 1)
    [app_server] = app_servers_of(process.pid)
    after = memory_of(process.pid) or 0, app_server.memory or 0
    assert after[0] < before[0] * 1.15, (before, after)
    assert after[1] < before[1] * 1.15, (before, after)
    # Threads that have nothing to do end after a while.
    assert eventually(lambda: held(process.pid)[0] <= descriptors + 2)
    assert eventually(lambda: held(process.pid)[1] <= threads + 2, timeout=20)


@pytest.mark.slow  # half a minute; the thousands are too
def test_hundreds_of_calls_leave_nothing_behind(served: Served, chatgpt: LoopbackChatGPT) -> None:
    check_growth(served, chatgpt, 800)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_thousand_calls_leave_nothing_behind(served: Served, chatgpt: LoopbackChatGPT) -> None:
    check_growth(served, chatgpt, 5000)
