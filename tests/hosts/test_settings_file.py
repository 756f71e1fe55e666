"""A host's settings file: read with care, replaced in one step, with a copy of what was there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts import difference, read_settings, write_settings

OLD = '{"theme": "dark"}\n'
NEW = '{"theme": "light"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A settings file."""
    path = tmp_path / "home" / "settings.json"
    path.parent.mkdir()
    path.write_text(OLD, encoding="utf-8")
    path.chmod(0o640)
    return path


def names(path: Path) -> list[str]:
    """What is in the folder."""
    return sorted(found.name for found in path.parent.iterdir())


def test_a_file_is_replaced_with_its_permissions_and_a_copy_stays(path: Path) -> None:
    backup = write_settings(read_settings(path), NEW)
    assert path.read_text(encoding="utf-8") == NEW
    assert backup is not None
    assert backup == path.with_name("settings.json.codex-oauth.bak")
    assert backup.read_text(encoding="utf-8") == OLD
    assert {stat.S_IMODE(found.stat().st_mode) for found in (path, backup)} == {0o640}
    assert names(path) == ["settings.json", "settings.json.codex-oauth.bak"]


def test_an_older_copy_is_kept_and_the_same_one_is_not_made_twice(path: Path) -> None:
    write_settings(read_settings(path), NEW)
    write_settings(read_settings(path), OLD)
    write_settings(read_settings(path), NEW)
    copies = {name: (path.parent / name).read_text(encoding="utf-8") for name in names(path)[1:]}
    assert copies == {"settings.json.codex-oauth.bak": OLD, "settings.json.codex-oauth.bak.1": NEW}


def test_a_new_file_is_made_with_its_folder_and_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "settings.json"
    assert write_settings(read_settings(path), NEW) is None
    assert names(path) == ["settings.json"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    path.rename(real)
    path.symlink_to("../dotfiles/claude.json")
    write_settings(read_settings(path), NEW)
    assert path.is_symlink()
    assert real.read_text(encoding="utf-8") == NEW
    assert names(path) == ["settings.json", "settings.json.codex-oauth.bak"]
    assert names(real) == ["claude.json"]


def test_a_link_to_a_file_that_is_not_there_yet_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.symlink_to(tmp_path / "real.json")
    write_settings(read_settings(path), NEW)
    assert path.is_symlink()
    assert (tmp_path / "real.json").read_text(encoding="utf-8") == NEW


@pytest.mark.parametrize("other", ['{"theme": "blue"}\n', None], ids=["changed", "gone"])
def test_what_somebody_else_has_written_meanwhile_is_not_lost(path: Path, other: str | None) -> None:
    file = read_settings(path)
    if other is None:
        path.unlink()
    else:
        path.write_text(other, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"changed by somebody else meanwhile.*run the command again"):
        write_settings(file, NEW)
    assert names(path) == (["settings.json"] if other else [])
    assert other is None or path.read_text(encoding="utf-8") == other


def test_a_file_that_somebody_has_made_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    file = read_settings(path)
    path.write_text(OLD, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="changed by somebody else meanwhile"):
        write_settings(file, NEW)
    assert path.read_text(encoding="utf-8") == OLD


def test_a_read_only_file_stays_as_it_is(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(ConfigurationError, match="is read-only; make it writable"):
        write_settings(read_settings(path), NEW)
    assert (path.read_text(encoding="utf-8"), names(path)) == (OLD, ["settings.json"])


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    file = read_settings(tmp_path / "elsewhere" / "settings.json")
    (tmp_path / "elsewhere").symlink_to("file")
    with pytest.raises(ConfigurationError, match=r"cannot be written: .*\. Nothing was changed"):
        write_settings(file, NEW)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "a": 1,\n}\n', ":3: is not JSON: "),
        (b'{\n  "a": 1 // mine\n}\n', ":2: comments are not JSON; take them out"),
        (b'/* mine */ {"a": 1}', ":1: comments are not JSON; take them out"),
        (b'{"a": 1}\n# mine\n', ":2: comments are not JSON; take them out"),
        (b"[1]", ":1: is JSON, but not an object, {…}; settings are one"),
        (b"null", ":1: is JSON, but not an object, {…}; settings are one"),
        (b'{"a": NaN}', ": is not JSON: NaN is no number in it"),
        (b'\xef\xbb\xbf{"a": 1}', ":1: begins with a byte order mark, which is not JSON; save it as UTF-8 without one"),
        (b'{\n"a": "\xff"}', ":2: is not UTF-8; save it as UTF-8"),
        (b"\xff\xfe{\x00}\x00", ":1: is not UTF-8; save it as UTF-8"),
        (b"[" * 100_000, ": is not JSON: it is nested too deeply"),
    ],
    ids=["comma", "//", "/*", "#", "array", "null", "NaN", "BOM", "Latin-1", "UTF-16", "deep"],
)
def test_what_is_not_settings_is_told_with_its_line_and_what_to_do(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path)
    assert f"{path}{message}" in caught.value.message
    assert caught.value.message.endswith("Nothing was changed")
    assert path.read_bytes() == content


def test_a_folder_or_a_pipe_in_its_place_is_told_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="folder: is a folder; a settings file belongs there"):
        read_settings(tmp_path / "folder")
    with pytest.raises(ConfigurationError, match="pipe: is no file; a settings file belongs there"):
        read_settings(tmp_path / "pipe")


def test_a_ring_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path / "a")


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_an_empty_file_is_settings_without_anything(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    assert read_settings(path).value == {}


def test_the_difference_shows_the_lines_that_change(path: Path) -> None:
    path.write_text('{\r\n  "a": "\u2028",\r\n  "b": 1\r\n}\r\n', encoding="utf-8", newline="")
    file = read_settings(path)
    lines = difference(file, file.text.replace("1", "2"))
    assert [line for line in lines if line[0] in "+-"][2:] == ['-  "b": 1', '+  "b": 2']


def test_the_difference_of_a_file_that_comes_or_goes_says_so(path: Path) -> None:
    file = read_settings(path)
    assert difference(file, NEW)[:2] == [f"--- {path}", f"+++ {path}"]
    assert difference(file, "")[:2] == [f"--- {path}", "+++ /dev/null"]
    new = path.with_name("new.json")
    assert difference(read_settings(new), NEW)[:2] == ["--- /dev/null", f"+++ {new}"]


def test_the_first_copy_and_the_last_one_are_kept(path: Path) -> None:
    for text in (NEW, "{}", '{"a": 1}', '{"a": 2}'):
        write_settings(read_settings(path), text)
    copies = {name: (path.parent / name).read_text(encoding="utf-8") for name in names(path)[1:]}
    assert copies == {"settings.json.codex-oauth.bak": OLD, "settings.json.codex-oauth.bak.1": '{"a": 1}'}
