"""The launch record: what is started, and when it is not believed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.thin.launch import Launch, child_environment, read_launch, state_of, write_launch

ENVIRON: Final = {"PATH": "/usr/bin"}


def launch_of(**changes: Any) -> Launch:
    values: dict[str, Any] = {
        "argv": ["/opt/codex", "-c", 'model_catalog_json="/h/m.json"', "app-server", ""],
        "env": {"CODEX_HOME": "/h", "A": "", "B": "x=y z\t", "ODD": "\udcff\xe9"},
        "path": "",
        "cwd": "/h/work folder",
        "wanted": "",
        "model": "gpt-6-luna",
        "efforts": ("low", "high"),
        "service": "on-demand",
        "until": time.time() + 1000.25,
        "files": {},
    }
    return Launch(**{**values, **changes})


def values_of(launch: Launch | None) -> dict[str, Any] | None:
    return None if launch is None else {name: getattr(launch, name) for name in Launch.__slots__}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "launch" / "key"


@pytest.fixture
def rests_on(tmp_path: Path) -> Path:
    file = tmp_path / "a file\twith a tab"
    file.write_text("content")
    return file


def test_a_record_comes_out_as_it_went_in(path: Path, rests_on: Path) -> None:
    files = {str(rests_on): state_of(str(rests_on)), str(rests_on) + "none": "-", "/\udcff": "-"}
    for launch in (launch_of(files=files), launch_of(path="/a:/b", wanted="gpt-x", efforts=(), env={})):
        write_launch(str(path), launch)
        assert values_of(read_launch(str(path))) == values_of(launch)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_a_record_that_is_cut_anywhere_is_none(path: Path, rests_on: Path) -> None:
    write_launch(str(path), launch_of(files={str(rests_on): state_of(str(rests_on))}))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_launch(str(path)) is None, length


def test_a_record_with_something_behind_it_is_none(path: Path) -> None:
    write_launch(str(path), launch_of())
    whole = path.read_bytes()
    for more in (b"\n", b"x", b"arg --more\n", b"\0"):
        path.write_bytes(whole + more)
        assert read_launch(str(path)) is None


@pytest.mark.parametrize("junk", [b"", b"\n", b"end\n", b"\0" * 1000, b"\xff\xfe\n", b"codex-oauth launch 1\nend\n"])
def test_junk_is_no_record(path: Path, junk: bytes) -> None:
    write_launch(str(path), launch_of())
    path.write_bytes(junk)
    assert read_launch(str(path)) is None


@pytest.mark.parametrize("name", ["path", "cwd", "wanted", "model", "efforts", "service", "until"])
def test_a_record_without_one_of_its_lines_is_none(path: Path, name: str) -> None:
    write_launch(str(path), launch_of(path="/p", wanted="w"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(name.encode() + b" ")))
    assert read_launch(str(path)) is None


def test_a_record_of_another_version_is_none(path: Path) -> None:
    write_launch(str(path), launch_of())
    first, _, rest = path.read_text(errors="surrogateescape").partition("\n")
    path.write_text(f"{first}1\n{rest}", errors="surrogateescape")
    assert read_launch(str(path)) is None


def test_a_record_that_is_too_large_is_none(path: Path) -> None:
    write_launch(str(path), launch_of(argv=["/opt/codex", "x" * 65_536]))
    assert path.stat().st_size > 65_536
    assert read_launch(str(path)) is None


@pytest.mark.parametrize("kind", ["group-writable", "writable by all", "link", "pipe", "folder", "open folder", "gone"])
def test_a_record_that_others_may_have_written_is_none(path: Path, kind: str) -> None:
    write_launch(str(path), launch_of())
    if kind == "group-writable":
        path.chmod(0o620)
    elif kind == "writable by all":
        path.chmod(0o602)
    elif kind == "link":
        path.rename(path.with_name("real"))
        path.symlink_to("real")
    elif kind == "open folder":
        path.parent.chmod(0o730)
    else:
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path, 0o600)
        elif kind == "folder":
            path.mkdir(mode=0o700)
    assert read_launch(str(path)) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_a_record_of_somebody_else_is_none(path: Path) -> None:
    write_launch(str(path), launch_of())
    os.chown(path, 65534, 65534)
    assert read_launch(str(path)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ["/opt/co\ndex"]},
        {"cwd": "/h\nend"},
        {"env": {"A": "1\narg --more"}},
        {"env": {"A\n": "1"}},
        {"files": {"/a\n/b": "-"}},
        {"path": "/a\n/b"},
        {"wanted": "x\n"},
    ],
)
def test_what_has_a_line_break_in_it_is_not_written(path: Path, changes: dict[str, Any]) -> None:
    write_launch(str(path), launch_of(**changes))
    assert not path.exists()


def _grow(file: Path) -> None:
    file.write_text("content and more")


def _rewrite_in_place(file: Path) -> None:
    before = file.stat()
    file.write_text("CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(file: Path) -> None:
    before = file.stat()
    new = file.with_name("new")
    new.write_text("content")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(file)


def _dangle(file: Path) -> None:
    file.unlink()
    file.symlink_to("none")


def _allow(file: Path) -> None:
    file.chmod(0o755)


CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "grown": _grow,
    "the same size and time": _rewrite_in_place,
    "replaced": _replace,
    "a link to nothing": _dangle,
    "another mode": _allow,
    "touched": Path.touch,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_record_does_not_hold_once_a_file_of_its_has_changed(rests_on: Path, change: Callable[[Path], None]) -> None:
    launch = launch_of(files={str(rests_on): state_of(str(rests_on)), "/none/of/these": "-"})
    assert launch.holds(ENVIRON)
    change(rests_on)
    assert not launch.holds(ENVIRON)


def test_a_record_does_not_hold_once_a_file_is_there_that_was_not(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    launch = launch_of(files={str(file): state_of(str(file))})
    assert launch.holds(ENVIRON)
    file.touch()
    assert not launch.holds(ENVIRON)


def test_a_record_does_not_hold_once_a_link_leads_elsewhere(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).write_text("same")
    link = tmp_path / "codex"
    link.symlink_to("1")
    launch = launch_of(files={str(link): state_of(str(link))})
    assert launch.holds(ENVIRON)
    link.unlink()
    link.symlink_to("2")
    assert not launch.holds(ENVIRON)


def test_a_record_holds_for_the_path_that_its_program_was_found_by() -> None:
    assert launch_of(path="").holds({"PATH": "/another"})
    assert launch_of(path="/usr/bin").holds(ENVIRON)
    assert not launch_of(path="/usr/bin").holds({"PATH": "/another"})
    assert not launch_of(path="/usr/bin").holds({})


@pytest.mark.parametrize("until", [0.0, -1.0, float("-inf"), float("nan")])
def test_a_record_holds_no_longer_than_it_may(path: Path, until: float) -> None:
    assert not launch_of(until=until).holds(ENVIRON)
    assert not launch_of(until=time.time()).holds(ENVIRON)
    write_launch(str(path), launch_of(until=until))
    found = read_launch(str(path))
    assert found is None or not found.holds(ENVIRON)


def test_a_record_without_a_program_never_holds() -> None:
    assert not launch_of(argv=[]).holds(ENVIRON)


def test_an_app_server_sees_places_and_proxies_and_no_key() -> None:
    kept = {"PATH": "/b", "HOME": "/h", "LC_ALL": "C", "https_proxy": "http://p", "SSL_CERT_FILE": "/c", "TZ": "UTC"}
    secret = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_HOME", "CODEX_OAUTH_TOKEN", "LD_PRELOAD")
    assert child_environment({**kept, **dict.fromkeys(secret, "secret")}) == kept
