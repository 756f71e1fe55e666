"""The metrics file under many writers, dying writers, and places that cannot be written."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from codex_oauth.metrics import LIMIT, MetricsEntry, append, read, writer

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json.loads((ROOT / "schemas/metrics-entry.schema.json").read_text(encoding="utf-8"))

ENTRY = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok")
LINE = len(ENTRY.to_json()) + 1

# Waits for its input to end, then writes entries that carry its own number and theirs.
WRITER = """
import sys
from codex_oauth.metrics import MetricsEntry, append
path, limit, name, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
print("ready", flush=True)
sys.stdin.read()
number = 0
while count < 0 or number < count:
    entry = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok", model=name, retries=number)
    assert append(path, entry, limit=limit)
    number += 1
    if number == 50:
        print("writing", flush=True)
"""


def start(path: Path, limit: int, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(path), str(limit), name, str(count)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None  # communicate() would flush it


def generations(path: Path) -> list[Path]:
    return [path.with_name(path.name + ".1"), path]


@pytest.mark.parametrize("limit", [50_000, LIMIT * 4])
def test_many_processes_lose_tear_and_repeat_no_line(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "metrics.jsonl"
    writers, count = 20, 500
    processes = [start(path, limit, f"writer-{number}", count) for number in range(writers)]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0

    sizes = [file.stat().st_size for file in generations(path) if file.exists()]
    entries = list(read(path))
    texts = [file.read_text() for file in generations(path) if file.exists()]
    # An empty line is left by one that did not get its turn, and took another's write for one that was cut off.
    lines = [line for text in texts for line in text.splitlines() if line]
    assert [json.loads(line) for line in lines] == entries, "every line is whole"
    jsonschema.validate(entries[0], SCHEMA)
    jsonschema.validate(entries[-1], SCHEMA)
    assert {frozenset(entry) for entry in entries} == {frozenset(SCHEMA["required"])}
    assert max(Counter((entry["model"], entry["retries"]) for entry in entries).values()) == 1
    if limit < LIMIT:
        assert sorted(file.name for file in tmp_path.iterdir()) == [
            "metrics.jsonl",
            "metrics.jsonl.1",
            "metrics.jsonl.lock",
        ]
        assert all(size <= 2 * limit for size in sizes), "only who did not get the lock in time goes over the limit"
        assert sizes[0] > limit - 2 * LINE, "it was set aside because it was full, and only then"
        # What a writer's last lines are is in one of the two generations, without a gap.
        for number in range(writers):
            kept = sorted(entry["retries"] for entry in entries if entry["model"] == f"writer-{number}")
            assert kept == list(range(kept[0], count)) if kept else True
    else:
        assert len(entries) == writers * count


def test_a_writer_that_is_killed_leaves_whole_lines_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for _ in range(5):
        process = start(path, 20_000, "victim", -1)
        go(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.kill()
        process.communicate()

    assert append(path, ENTRY, limit=20_000)
    lines = [line for file in generations(path) for line in file.read_text().splitlines()]
    assert [json.loads(line) for line in lines] == list(read(path))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits")
def test_a_line_that_was_cut_off_is_passed_over_and_not_glued_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    program = f"""
import resource, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from codex_oauth.metrics import MetricsEntry, append
entry = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
assert append({str(path)!r}, entry)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LINE} + 40, {LINE} + 40))
assert not append({str(path)!r}, entry)
assert not append({str(path)!r}, entry)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert path.stat().st_size == LINE + 40

    assert append(path, ENTRY)

    assert len(path.read_bytes().splitlines()) == 3
    assert [entry["command"] for entry in read(path)] == ["complete", "complete"]


def test_both_generations_are_read_the_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for number in range(5):
        assert append(path, dataclasses.replace(ENTRY, retries=number), limit=2 * LINE)

    assert [entry["retries"] for entry in read(path)] == [2, 3, 4]


def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'\n{"torn": \n[1]\n\xff\xfe\n' + b"[" * 100_000 + b"\n" + b'{"command":"complete"}\n"text"')
    assert list(read(path)) == [{"command": "complete"}]


def test_no_file_holds_no_entries(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none" / "metrics.jsonl")) == []


def test_an_entry_larger_than_the_limit_is_written_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert append(path, ENTRY, limit=1)
    assert append(path, ENTRY, limit=1)
    assert [len(file.read_bytes()) for file in generations(path)] == [LINE, LINE]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not modes there")
def test_only_the_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "state" / "metrics.jsonl"
    old = os.umask(0)
    try:
        assert append(path, ENTRY, limit=1)
        assert append(path, ENTRY, limit=1)
    finally:
        os.umask(old)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
    assert modes == {"state": 0o700, "metrics.jsonl": 0o600, "metrics.jsonl.1": 0o600, "metrics.jsonl.lock": 0o600}


def test_what_is_in_the_place_of_the_file_or_its_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text")
    assert not append(tmp_path / "folder", ENTRY)
    assert not append(tmp_path / "file" / "metrics.jsonl", ENTRY)
    assert not append("with\0nul", ENTRY)
    assert not append("", ENTRY)
    assert (tmp_path / "file").read_text() == "text"
    assert {file.name for file in tmp_path.iterdir()} == {"folder", "file"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs, and links need a privilege")
def test_a_link_or_a_pipe_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("text")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    assert not append(tmp_path / "link", ENTRY)
    assert not append(tmp_path / "pipe", ENTRY)
    assert target.read_text() == "text"
    assert {file.name for file in tmp_path.iterdir()} == {"target", "link", "pipe"}


def test_a_file_that_cannot_be_set_aside_stops_growing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    (tmp_path / "metrics.jsonl.1").mkdir()
    assert append(path, ENTRY, limit=LINE)
    assert not append(path, ENTRY, limit=LINE)
    assert path.stat().st_size == LINE


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not modes there")
def test_a_folder_that_may_not_be_written_is_no_error(tmp_path: Path) -> None:
    # In a process that gives up root's right to write anywhere, for tests are run by root too.
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from codex_oauth.metrics import MetricsEntry, append
if os.geteuid() == 0:
    os.seteuid(65534)
entry = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok")
sys.exit(append({str(folder / "metrics.jsonl")!r}, entry) or append({str(folder / "new" / "metrics.jsonl")!r}, entry))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is another there")
def test_a_writer_that_is_stuck_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    path = tmp_path / "metrics.jsonl"
    assert append(path, ENTRY)
    monkeypatch.setattr(writer, "PATIENCE", 0.0)
    with (tmp_path / "metrics.jsonl.lock").open("rb") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        assert append(path, ENTRY), "a whole line at the end harms nobody"
        assert not append(path, ENTRY, limit=LINE), "but two that rename at once would lose a generation"
    assert append(path, ENTRY, limit=LINE)
    assert len(list(read(path))) == 3
