"""The case of the warm service: thousands of calls through it, and what it holds after them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Case, Row
from codex_oauth.server import find_service
from codex_oauth.thin.ask import ask
from codex_oauth.thin.key import key_of
from codex_oauth.thin.place import socket_path, state_dir

__all__ = ("service",)


def service(bench: Bench) -> Case:
    """Hooks through the service, one after the other."""
    sizes, ground = bench.sizes, bench.ground
    row = Row("served", "a hook through the service, without its process", "ours")
    case = Case("service", f"{sizes.served:,} calls through the warm service: time of each", "ms", [row])
    if not ground.has_service:
        return case
    env = ground.served_environment
    with ground.service():
        key = key_of(env, {})
        socket = socket_path(env, state_dir(env) or "", key)
        tell = bench.progress("service")
        early: dict[str, Any] = {}
        for number in range(1, sizes.served + 1):
            began = time.perf_counter()
            answer = ask(socket, key, ["hook", "codex"], ground.hook_input, env)
            row.values.append(1000 * (time.perf_counter() - began))
            if answer.status != 0:
                raise RuntimeError(f"a hook failed: {answer.stderr.decode(errors='replace')[-300:]}")
            if number % 100 == 0:
                bench.standin.ask("reset")
                tell(number, sizes.served)
            if number == sizes.served // 10:
                early = _held(socket)
        late = _held(socket)
    for who in ("service", "codex"):
        for what in ("memory", "descriptors", "threads"):
            before, after = early[f"{who} {what}"], late[f"{who} {what}"]
            row.more[f"{who} {what}"] = f"{before:g} > {after:g}"
    row.more["growth"] = round(max(late[f"{who} memory"] / early[f"{who} memory"] for who in ("service", "codex")), 3)
    case.notes.append(f"memory: MiB resident after {sizes.served // 10:,} calls > after all of them.")
    return case


def _held(socket: str) -> dict[str, float]:
    """What the service and its app-server hold now."""
    # Threads started ahead come and go within a moment of the last call.
    time.sleep(1)
    found_service = find_service(socket)
    assert found_service is not None
    assert found_service.status is not None
    status = found_service.status
    found: dict[str, float] = {}
    for who, pid in (("service", status["pid"]), ("codex", status["app_servers"][0]["pid"])):
        folder = Path(f"/proc/{pid}")
        words = (folder / "status").read_text().split()
        found[f"{who} memory"] = round(int(words[words.index("VmRSS:") + 1]) / 1024, 1)
        found[f"{who} threads"] = int(words[words.index("Threads:") + 1])
        found[f"{who} descriptors"] = len(list((folder / "fd").iterdir()))
    return found
