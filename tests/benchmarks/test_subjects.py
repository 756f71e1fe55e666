"""Every subject that needs no more than the test environment gives the right answer, and asks the model the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ground import Ground
from benchmarks.lines import REPOSITORY, Side
from benchmarks.running import children_of, run
from benchmarks.subjects import Subject, processes, through, workers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the floor is POSIX")


@pytest.fixture(scope="module")
def standin() -> Iterator[Side]:
    with Side.module("standin") as side:
        yield side


@pytest.fixture(scope="module")
def ground(standin: Side, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), standin)


@pytest.fixture(scope="module")
def kept(ground: Ground) -> list[Subject]:
    return workers(ground)


def test_every_process_answers_and_asks_the_same_question(ground: Ground, standin: Side) -> None:
    with ground.service():
        known = frozenset(children_of(os.getpid()))
        for subject in processes(ground):
            standin.ask("reset")
            run(subject.command, known)
            record = standin.ask("record")
            if subject.key == "python":
                assert record["turns"] == 0
                continue
            assert record["turns"] == 1, subject.key
            assert standin.ask("request")["schema"] == ground.request["schema"], subject.key
            # The hook's request is the same command, told by the host.
            if subject.kind != "ours":
                assert standin.ask("request")["prompt"].strip() == ground.request["prompt"].strip(), subject.key


def test_every_kept_subject_answers_every_kind_of_line(kept: list[Subject], standin: Side) -> None:
    for subject in kept:
        standin.ask("reset")
        command = subject.command
        with Side(command.argv, env=command.env, cwd=command.cwd) as side:
            assert side.ask("turn")["seconds"] > 0
            assert side.ask("series", count=3)["seconds"] > 0
            assert side.ask("many", count=3)["seconds"] > 0
            if subject.key != "ours-blocking":
                assert side.ask("stream")["first"] > 0
            if sys.platform == "linux":
                memory = side.ask("memory")
                assert memory["client"]["peak"] > 0
                assert memory["codex"]["peak"] > memory["client"]["peak"]
        assert standin.ask("record")["turns"] == 7 + (subject.key != "ours-blocking"), subject.key


def test_nothing_of_a_run_is_in_the_persons_own_folders(ground: Ground, kept: list[Subject]) -> None:
    homes = [subject.command.env.get("CODEX_HOME", str(ground.own_home)) for subject in kept]

    assert all(Path(home).is_relative_to(ground.folder) for home in homes)
    assert not any((ground.folder / "user").iterdir())


def test_a_subject_behind_the_slow_network_differs_in_its_proxy_alone(kept: list[Subject]) -> None:
    subject = kept[0]
    moved = through(subject, 1)

    changed = {name for name, value in moved.command.env.items() if subject.command.env[name] != value}
    assert changed == {"HTTPS_PROXY", "https_proxy"}


@pytest.mark.slow
def test_the_command_measures_prints_and_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--cases", "warm,imports,network-warm", "--rtt", "20"]
    command += ["--json", str(tmp_path / "out.json")]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=110)

    assert "== One call in a warm process" in done.stdout
    assert "== To be reached" in done.stdout
    assert '"reach"' in (tmp_path / "out.json").read_text(encoding="utf-8")
