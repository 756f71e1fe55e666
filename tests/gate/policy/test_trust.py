"""The list of trusted policy files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.policy.trust import TrustedFiles, content_hash
from tests.gate.policy.policies import User


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return User(tmp_path).settings


def test_nothing_is_trusted_at_first_and_asking_makes_no_file(settings: Settings, tmp_path: Path) -> None:
    trusted = TrustedFiles(settings)
    assert not trusted.trusts(tmp_path / "gate.toml", b"")
    assert trusted.all() == {}
    assert not settings.state_dir.exists()


def test_a_content_is_trusted_in_its_place_alone(settings: Settings, tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    TrustedFiles(settings).add(one, b"a")
    trusted = TrustedFiles(settings)
    assert trusted.trusts(one, b"a")
    assert not trusted.trusts(one, b"a\n")
    assert not trusted.trusts(two, b"a")
    found = trusted.of(one)
    assert found is not None
    assert found.sha256 == content_hash(b"a")
    assert len(found.since) == len("2026-01-01T00:00:00Z")


def test_the_last_content_is_the_only_one(settings: Settings, tmp_path: Path) -> None:
    trusted = TrustedFiles(settings)
    trusted.add(tmp_path / "f", b"a")
    trusted.add(tmp_path / "f", b"b")
    assert not trusted.trusts(tmp_path / "f", b"a")
    assert trusted.trusts(tmp_path / "f", b"b")
    assert trusted.remove(tmp_path / "f")
    assert not trusted.trusts(tmp_path / "f", b"b")
    assert not trusted.remove(tmp_path / "f")
    assert TrustedFiles(settings).all() == {}


def test_a_place_is_the_same_by_every_way_to_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    trusted = TrustedFiles(settings)
    trusted.add(tmp_path / "link" / "f", b"a")
    monkeypatch.chdir(tmp_path)
    assert trusted.trusts("folder/../folder/f", b"a")
    assert list(trusted.all()) == [str(tmp_path / "folder" / "f")]


def test_a_path_may_be_of_any_bytes(settings: Settings) -> None:
    path = os.fsdecode(b"/srv/caf\xe9/gate.toml")
    TrustedFiles(settings).add(path, b"a")
    assert TrustedFiles(settings).trusts(path, b"a")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
def test_nobody_else_can_read_or_write_the_list(settings: Settings, tmp_path: Path) -> None:
    trusted = TrustedFiles(settings)
    trusted.add(tmp_path / "f", b"a")
    assert trusted.path.stat().st_mode & 0o777 == 0o600
    assert trusted.path.parent.stat().st_mode & 0o777 == 0o700
    assert trusted.path.parent.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in trusted.path.parent.iterdir() if not path.name.endswith(".lock")) == [
        "trusted.json"
    ]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"files": []}', b'{"files": {"/f": 3}}', b'{"files": {"/f": {}}}', b"\xff"]
)
def test_with_a_damaged_list_nothing_counts_and_it_is_not_overwritten(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    trusted = TrustedFiles(settings)
    trusted.add(tmp_path / "f", b"a")
    trusted.path.write_bytes(content)
    again = TrustedFiles(settings)
    assert not again.trusts(tmp_path / "f", b"a")
    for change in (lambda: again.add(tmp_path / "g", b"b"), lambda: again.remove(tmp_path / "f"), again.all):
        with pytest.raises(ConfigurationError, match="damaged, so nothing in it counts; remove it"):
            change()
    assert trusted.path.read_bytes() == content


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
def test_a_list_that_others_can_write_counts_for_nothing(settings: Settings, tmp_path: Path) -> None:
    TrustedFiles(settings).add(tmp_path / "f", b"a")
    trusted = TrustedFiles(settings)
    trusted.path.chmod(0o620)
    assert not trusted.trusts(tmp_path / "f", b"a")
    with pytest.raises(ConfigurationError, match="not only you can write it"):
        trusted.all()


def test_a_list_that_cannot_be_written_is_an_error_that_says_where(settings: Settings, tmp_path: Path) -> None:
    settings.state_dir.parent.mkdir(parents=True)
    settings.state_dir.write_text("a file")
    with pytest.raises(ConfigurationError, match=r"trusted\.json: cannot be written: "):
        TrustedFiles(settings).add(tmp_path / "f", b"a")


def test_many_processes_at_once_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from codex_oauth.config import load_settings\n"
        "from codex_oauth.gate.policy.trust import TrustedFiles\n"
        "trusted = TrustedFiles(load_settings())\n"
        "for number in range(5):\n"
        "    trusted.add(f'/{sys.argv[1]}/{number}', b'a')\n"
    )
    environ = {**os.environ, "XDG_STATE_HOME": str(settings.state_dir.parent)}
    running = [subprocess.Popen([sys.executable, "-c", program, str(number)], env=environ) for number in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    kept = json.loads(TrustedFiles(settings).path.read_bytes())["files"]
    assert set(kept) == {f"/{process}/{number}" for process in range(4) for number in range(5)}
