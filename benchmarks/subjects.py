"""Who is measured: this package, what people would use instead, and the floor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Final, Literal, TypeAlias

from benchmarks.ground import ANSWER, Ground
from benchmarks.lines import REPOSITORY
from benchmarks.running import Command

__all__ = ("Kind", "Subject", "processes", "through", "workers")

Kind: TypeAlias = Literal["ours", "peer", "floor"]

_PEERS: Final = REPOSITORY / "benchmarks" / "peers"


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of a table.

    Attributes:
        key: Its name in the JSON.
        label: Its name in the tables.
        kind: This package, a peer, or the floor that neither can pass.
        command: What is started.
    """

    key: str
    label: str
    kind: Kind
    command: Command


def through(subject: Subject, port: int) -> Subject:
    """The same behind another proxy port of this machine."""
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{port}")
    command = subject.command
    return replace(subject, command=replace(command, env={**command.env, **proxy}))


def processes(ground: Ground) -> list[Subject]:
    """Whole processes that answer one request each."""
    own, plain = ground.own_environment, ground.environment
    python, codex, asked = sys.executable, str(ground.codex), str(ground.request_file)
    request = ground.request

    def command(*argv: str, env: Mapping[str, str], stdin: str | bytes = b"", answer: bytes = ANSWER) -> Command:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        return Command(argv=argv, env=env, cwd=ground.work, stdin=given, answer=answer)

    def at(home: str) -> dict[str, str]:
        return {**plain, "CODEX_HOME": str(ground.folder / "homes" / home)}

    once = (codex, "exec", "--ephemeral", "--output-schema", str(ground.folder / "schema.json"))
    # The same model, effort and instructions as everybody, and no more rights than the question needs.
    once += ("--sandbox", "read-only", "--model", request["model"])
    once += ("-c", f"model_reasoning_effort={request['effort']}")
    once += ("-c", f"model_instructions_file={ground.folder / 'instructions.md'}", "-")
    ground.home("exec")
    ground.lean_home("exec-lean")
    ground.home("bare")
    ground.tuned_home("tuned")
    tuned = (python, str(_PEERS / "tuned.py"), codex, asked)
    tricks = {**at("tuned"), **ground.tricks}
    subjects = [
        Subject("python", "python -c pass", "floor", command(python, "-c", "pass", env=plain, answer=b"")),
        Subject("tuned", "bare driver, tuned", "floor", command(*tuned, env=tricks)),
        Subject(
            "tuned-ready", "bare driver, tuned, thread made ready", "floor", command(*tuned, "--ready", env=tricks)
        ),
        Subject("classify", "codex-oauth classify --json", "ours", command(*ground.classify, env=own)),
        Subject(
            "hook",
            "codex-oauth hook codex, cold",
            "ours",
            command(*ground.installed_hook, env=own, stdin=ground.hook_input),
        ),
        Subject(
            "bare",
            "bare driver, plain",
            "peer",
            command(python, str(_PEERS / "bare.py"), codex, asked, env=at("bare")),
        ),
        Subject(
            "exec-lean",
            "codex exec, on a lean home",
            "peer",
            command(*once, env=at("exec-lean"), stdin=request["prompt"]),
        ),
        Subject("exec", "codex exec", "peer", command(*once, env=at("exec"), stdin=request["prompt"])),
    ]
    if ground.has_service:
        served = command(*ground.installed_hook, env=ground.served_environment, stdin=ground.hook_input)
        subjects.append(Subject("hook-served", "codex-oauth hook codex, the service warm", "ours", served))
    if find_spec("openai_codex") is not None:
        ground.home("sdk")
        script = command(python, str(_PEERS / "sdk.py"), codex, asked, env=at("sdk"))
        subjects.append(Subject("sdk", "openai-codex SDK, a script", "peer", script))
    return subjects


def workers(ground: Ground) -> list[Subject]:
    """Processes that are kept and asked again and again; see `benchmarks.workers`."""
    own, plain = ground.own_environment, ground.environment
    codex, asked = str(ground.codex), str(ground.request_file)

    def worker(name: str, *arguments: str, env: Mapping[str, str]) -> Command:
        argv = (sys.executable, "-m", f"benchmarks.workers.{name}", *arguments)
        # A module of the checkout, and the subject's own folder.
        return Command(argv=argv, env={**env, "PYTHONPATH": str(REPOSITORY)}, cwd=ground.work)

    def at(home: str) -> dict[str, str]:
        return {**plain, "CODEX_HOME": str(ground.folder / "homes" / home)}

    for name in ("tuned-ahead", "tuned-new", "tuned-ready"):
        ground.tuned_home(name)
    ground.home("bare-kept")
    ahead = worker("bare", codex, asked, "--tuned", "2", env={**at("tuned-ahead"), **ground.tricks})
    ready = worker("bare", codex, asked, "--tuned", "2", "--ready", env={**at("tuned-ready"), **ground.tricks})
    new = worker("bare", codex, asked, "--tuned", "0", env={**at("tuned-new"), **ground.tricks})
    subjects = [
        Subject("tuned-ready", "bare driver, tuned, threads ahead and made ready", "floor", ready),
        Subject("tuned", "bare driver, tuned, threads ahead", "floor", ahead),
        Subject("tuned-new", "bare driver, tuned, a thread for each", "floor", new),
        Subject("ours", "AsyncCodex.complete()", "ours", worker("ours", asked, env=own)),
        Subject("ours-blocking", "Codex.complete()", "ours", worker("ours", asked, "--blocking", env=own)),
        Subject("bare", "bare driver, plain", "peer", worker("bare", codex, asked, env=at("bare-kept"))),
    ]
    if find_spec("openai_codex") is not None:
        ground.home("sdk-kept")
        ground.lean_home("sdk-lean")
        lean = worker("sdk", codex, asked, env=at("sdk-lean"))
        subjects.append(Subject("sdk-lean", "openai-codex SDK, kept open, on a lean home", "peer", lean))
        kept = worker("sdk", codex, asked, env=at("sdk-kept"))
        subjects.append(Subject("sdk", "openai-codex SDK, kept open", "peer", kept))
    return subjects
