"""Which codex is used, and what is asked of it before it is trusted to be one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.errors import CodexNotFoundError, UnsupportedCodexError
from codex_oauth.process import MINIMUM_VERSION, Binary, find_binary
from codex_oauth.process.locate import BinaryWatch, check_version, run_codex

MakeProgram = Callable[..., Path]
SOME_BINARY = Binary(path=Path("/bin/codex"), size=1, mtime_ns=1, source="option")


@pytest.fixture
def make_program(tmp_path: Path) -> MakeProgram:
    """Writes a shell script in the place of codex."""

    def make(script: str, name: str = "bin/codex") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def settings_for(tmp_path: Path, *, codex_bin: Path | None = None, path: str | None = None) -> Settings:
    return Settings(
        home=tmp_path / "home",
        state_dir=tmp_path,
        config_dir=tmp_path,
        codex_bin=codex_bin,
        inherited={"PATH": path} if path is not None else {},
    )


def find_without_the_package(tmp_path: Path, path: str) -> str:
    """What is found, and how, in an interpreter whose package with the binary has none in it."""
    (tmp_path / "packages/codex_cli_bin").mkdir(parents=True)
    (tmp_path / "packages/codex_cli_bin/__init__.py").touch()
    program = """if True:
        import sys
        from pathlib import Path
        from codex_oauth.config import Settings
        from codex_oauth.errors import CodexNotFoundError
        from codex_oauth.process import find_binary
        try:
            nowhere = Path("/")
            binary = find_binary(
                Settings(home=nowhere, state_dir=nowhere, config_dir=nowhere, inherited={"PATH": sys.argv[1]})
            )
            print(binary.source, binary.path)
        except CodexNotFoundError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path / "packages"), str(Path(__file__).parents[2])])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


def test_the_named_binary_is_used(tmp_path: Path, make_program: MakeProgram) -> None:
    path = make_program("exit")
    binary = find_binary(settings_for(tmp_path, codex_bin=path, path="/nowhere"))
    stat = path.stat()
    assert binary == Binary(path=path.resolve(), size=stat.st_size, mtime_ns=stat.st_mtime_ns, source="option")


def test_without_a_name_it_is_the_one_of_the_package(tmp_path: Path, make_program: MakeProgram) -> None:
    elsewhere = make_program("exit")
    binary = find_binary(settings_for(tmp_path, path=str(elsewhere.parent)))
    assert binary.source == "bundled"
    assert "codex_cli_bin" in binary.path.parts


def test_without_the_package_it_is_the_first_on_the_path(tmp_path: Path, make_program: MakeProgram) -> None:
    first, second = make_program("exit", "a/codex"), make_program("exit", "b/codex")
    path = os.pathsep.join(["/nowhere", str(first.parent), str(second.parent)])
    assert find_without_the_package(tmp_path, path) == f"PATH {first.resolve()}"


def test_what_cannot_be_run_on_the_path_is_passed_over(tmp_path: Path, make_program: MakeProgram) -> None:
    make_program("exit", "a/codex").chmod(0o644)
    (tmp_path / "b/codex").mkdir(parents=True)
    good = make_program("exit", "c/codex")
    path = os.pathsep.join(str(tmp_path / name) for name in "abc")
    assert find_without_the_package(tmp_path, path) == f"PATH {good.resolve()}"


def test_where_there_is_none_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    said = find_without_the_package(tmp_path, "/nowhere")
    assert said.startswith("no codex binary")
    assert 'pip install "codex-oauth[bundled]"' in said


def test_a_link_is_followed(tmp_path: Path, make_program: MakeProgram) -> None:
    target = make_program("exit")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert find_binary(settings_for(tmp_path, codex_bin=link)).path == target.resolve()


def test_a_named_binary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodexNotFoundError, match="none/codex: No such file or directory; no codex binary there"):
        find_binary(settings_for(tmp_path, codex_bin=tmp_path / "none/codex"))


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    link = tmp_path / "codex"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(CodexNotFoundError, match="codex: No such file or directory"):
        find_binary(settings_for(tmp_path, codex_bin=link))


@pytest.mark.parametrize("kind", ["folder", "not executable"])
def test_a_named_binary_has_to_be_a_program(kind: str, tmp_path: Path, make_program: MakeProgram) -> None:
    path = make_program("exit")
    if kind == "folder":
        path = path.parent
    else:
        path.chmod(0o644)
    with pytest.raises(CodexNotFoundError, match="not an executable file"):
        find_binary(settings_for(tmp_path, codex_bin=path))


def test_a_named_binary_that_is_wrong_is_not_replaced_by_another(tmp_path: Path, make_program: MakeProgram) -> None:
    other = make_program("exit")
    with pytest.raises(CodexNotFoundError):
        find_binary(settings_for(tmp_path, codex_bin=tmp_path / "none", path=str(other.parent)))


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("codex-cli 0.163.0\n", "0.163.0"),
        ("codex 1.0.0", "1.0.0"),
        ("codex-cli 0.170.0-alpha.3", "0.170.0-alpha.3"),
        ("warning: something\ncodex-cli 0.159.0\n", "0.159.0"),
        ("codex-cli " + ".".join(map(str, MINIMUM_VERSION)), "0.159.0"),
    ],
)
def test_a_version_is_read(printed: str, version: str) -> None:
    assert check_version(SOME_BINARY, printed) == version


@pytest.mark.parametrize("printed", ["codex-cli 0.158.9", "codex-cli 0.99.0", "codex 0.0.0"])
def test_an_old_version_is_told_what_is_needed(printed: str) -> None:
    with pytest.raises(UnsupportedCodexError, match=r"is too old; 0\.159\.0 or later is needed\. .*pip install"):
        check_version(SOME_BINARY, printed)


@pytest.mark.parametrize("printed", ["", "codex", "Python 3.11.7", "git version 2.39.2", "codex-cli dev", "codex 1.2"])
def test_what_does_not_answer_like_codex_is_none(printed: str) -> None:
    with pytest.raises(UnsupportedCodexError, match="does not answer like codex"):
        check_version(SOME_BINARY, printed)


def test_the_real_binary_is_recent_enough(settings: Settings) -> None:
    binary = find_binary(settings)
    printed = run_codex(binary, "--version", home=settings.home, inherited=dict(settings.inherited))
    assert check_version(binary, printed)


def test_a_short_command_sees_its_home_and_what_it_may_inherit(tmp_path: Path, make_program: MakeProgram) -> None:
    binary = find_binary(
        settings_for(tmp_path, codex_bin=make_program('echo "$CODEX_HOME $LANG $*"; pwd; env | wc -l'))
    )
    printed = run_codex(binary, "a", "b", home=tmp_path, inherited={"LANG": "C", "CODEX_HOME": "/other"})
    assert printed.splitlines()[:2] == [f"{tmp_path} C a b", str(tmp_path.resolve())]


def test_a_short_command_that_fails_says_how(tmp_path: Path, make_program: MakeProgram) -> None:
    binary = find_binary(settings_for(tmp_path, codex_bin=make_program("echo why >&2; exit 3")))
    with pytest.raises(UnsupportedCodexError, match=r"`codex features list` failed with status 3") as caught:
        run_codex(binary, "features", "list", home=tmp_path, inherited={})
    assert (caught.value.exit_code, caught.value.stderr_tail) == (3, "why\n")


def test_a_file_for_another_machine_says_so(tmp_path: Path) -> None:
    path = tmp_path / "codex"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 100)
    path.chmod(0o755)
    with pytest.raises(UnsupportedCodexError, match=r"cannot be run: .* Is it built for this machine\?"):
        run_codex(find_binary(settings_for(tmp_path, codex_bin=path)), "--version", home=tmp_path, inherited={})


def test_output_that_is_no_utf8_is_still_read(tmp_path: Path, make_program: MakeProgram) -> None:
    binary = find_binary(settings_for(tmp_path, codex_bin=make_program(r"printf 'codex \377 0.163.0'")))
    assert check_version(binary, run_codex(binary, "--version", home=tmp_path, inherited={})) == "0.163.0"


def test_the_same_binary_elsewhere_is_another_one(tmp_path: Path, make_program: MakeProgram) -> None:
    first = find_binary(settings_for(tmp_path, codex_bin=make_program("exit", "a/codex")))
    second = find_binary(settings_for(tmp_path, codex_bin=make_program("exit", "b/codex")))
    assert first != second
    assert first == replace(first)


def test_a_binary_that_is_as_it_was_is_not_looked_for_again(settings: Settings) -> None:
    watch = BinaryWatch(settings)
    assert watch.find() is watch.find()


def test_a_link_that_an_upgrade_moves_leads_to_the_new_binary(settings: Settings, tmp_path: Path) -> None:
    link = tmp_path / "codex"
    for version in ("old", "new"):
        (tmp_path / version).write_text(f"#!/bin/sh\n# {version}\n")
        (tmp_path / version).chmod(0o700)
    link.symlink_to("old")
    watch = BinaryWatch(replace(settings, codex_bin=link))
    assert watch.find().path.name == "old"
    link.unlink()
    link.symlink_to("new")
    assert watch.find().path.name == "new"


def test_a_binary_that_is_gone_or_cannot_run_any_more_is_missed(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "codex"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    watch = BinaryWatch(replace(settings, codex_bin=path))
    watch.find()
    path.chmod(0o600)
    with pytest.raises(CodexNotFoundError):
        watch.find()
    path.unlink()
    with pytest.raises(CodexNotFoundError):
        watch.find()


def test_another_one_that_comes_before_it_on_the_path_is_found(tmp_path: Path, make_program: MakeProgram) -> None:
    (tmp_path / "packages/codex_cli_bin").mkdir(parents=True)
    (tmp_path / "packages/codex_cli_bin/__init__.py").touch()
    make_program("exit", "later/codex")
    program = """if True:
        import os, sys
        from pathlib import Path
        from codex_oauth.config import Settings
        from codex_oauth.process.locate import BinaryWatch
        nowhere, folder = Path("/"), Path(sys.argv[1])
        path = f"{folder}/earlier:{folder}/later"
        settings = Settings(home=nowhere, state_dir=nowhere, config_dir=nowhere, inherited={"PATH": path})
        watch = BinaryWatch(settings)
        print(watch.find().path.parent.name)
        (folder / "earlier").mkdir()
        os.link(folder / "later" / "codex", folder / "earlier" / "codex")
        print(watch.find().path.parent.name)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path / "packages"), str(Path(__file__).parents[2])])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == ["later", "earlier"]
