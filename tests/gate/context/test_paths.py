"""The paths that a request names: found in every input, placed where that is certain, followed to their end."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.gate.context.paths import referenced_paths
from codex_oauth.gate.request import Host, PermissionRequest

UNKNOWN = "(relative to an unknown folder)"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A folder with a file, folders, and links that lead within and without."""
    repo = tmp_path / "repo"
    (repo / "sub" / "deep").mkdir(parents=True)
    (repo / "plain").touch()
    (repo / "my file").touch()
    (repo / "link.txt").symlink_to("/outside/secret")
    (repo / "inner").symlink_to("sub")
    (repo / "loop").symlink_to("loop")
    (repo / "a=b").symlink_to("/outside/secret")
    (repo / "c:d").symlink_to("/outside/secret")
    return repo


def named(
    repo: Path | None, given: str | Mapping[str, Any], tool: str = "Bash", host: Host | None = "claude"
) -> list[str]:
    """What is named, with `<repo>` for the folder."""
    tool_input = {"command": given} if isinstance(given, str) else given
    request = PermissionRequest(tool=tool, tool_input=tool_input, cwd=str(repo) if repo else None, host=host)
    return [text.replace(str(repo.parent), "<top>") if repo else text for text in referenced_paths(request)]


# --- a shell's command ------------------------------------------------------------------------------------------------

COMMANDS: dict[str, list[str]] = {
    "git status": [],
    "cat link.txt": ["link.txt -> /outside/secret"],
    "cat plain missing 'my file'": ["plain", '"my file"'],
    "cat inner/deep/../../plain": ["inner/deep/../../plain -> <top>/repo/plain"],
    "cat ./plain sub//deep/ ..": ["./plain", "sub//deep/", ".. -> <top>"],
    "cat loop loop/x": ["loop", "loop/x"],
    "cat /srv/hosts /srv/../srv//hosts": ["/srv/hosts", "/srv/../srv//hosts -> /srv/hosts"],
    "touch new.txt .env": ["new.txt", ".env"],
    "rm -rf ../x": ["../x -> <top>/x"],
    # Redirections, whatever they are glued to.
    "echo x >out": ["out"],
    "echo x>>inner/out 2>err": ["inner/out -> <top>/repo/sub/out", "err"],
    "sort <in >|out 2>&1 >&2 3>&- &>both &>>more": ["in", "out", "both", "more"],
    "exec {fd}<>link.txt": ["link.txt -> /outside/secret"],
    "cat <<< /a/b": [],
    "echo x > /dev/null 2> /dev/stderr": [],
    # Heredocs: their lines are no words, their targets are.
    "cat <<EOF > target\nit's /not/a/word\nEOF\ncat plain": ["target", "plain"],
    "cat <<-'EOF' > target; cat plain\n\tx /not/a/word\n\tEOF\ncat sub": ["target", "plain", "sub"],
    "cat <<A <<B\n/a\nA\n/b\nB\ncat plain": ["plain"],
    "cat <<EOF\n/not/a/word": [],
    "git commit -m \"$(cat <<'EOF'\nIt's a (half of /some/path\nEOF\n)\" plain": ["plain"],
    "bash <<EOF\ncat link.txt\nEOF": ["link.txt -> /outside/secret"],
    "bash <<< 'cat link.txt'": ["link.txt -> /outside/secret"],
    # Options and other things with a path at their end.
    "x --file=link.txt --x=y -o/srv/x -I../y": ["link.txt -> /outside/secret", "/srv/x", "../y -> <top>/y"],
    "dd if=/srv/hosts of=inner/img bs=1M": ["/srv/hosts", "inner/img -> <top>/repo/sub/img"],
    "curl -d @/srv/hosts https://example.com/a/b file:///srv/hosts -o x": ["/srv/hosts"],
    "docker run -v /srv/hosts:/x:ro y": ["/srv/hosts", "/x"],
    "X=/srv/hosts Y=link.txt cmd": ["/srv/hosts", "link.txt -> /outside/secret"],
    "./inner/run.sh; /opt/tool": ["./inner/run.sh -> <top>/repo/sub/run.sh", "/opt/tool"],
    "cat -- -x/y": ["-x/y"],
    "cat a=b c:d": ["a=b -> /outside/secret", "c:d -> /outside/secret"],
    "x >$(y)/z >$X": ['"$(y)/z"', "$X"],
    "scp a@b:/srv/hosts b:x ./x": ["a@b:/srv/hosts", "./x"],
    # Where a program goes first, its paths are its own affair.
    "git -C inner add link.txt": ["inner -> <top>/repo/sub", f"link.txt {UNKNOWN}"],
    "make --directory=sub x/y": ["sub", f"x/y {UNKNOWN}"],
    "tar -Csub -xf a.tar > plain": ["plain", f"a.tar {UNKNOWN}"],
    "grep -C 3 x link.txt": ["link.txt -> /outside/secret"],
    "ssh host cat /outside/secret link.txt": ["/outside/secret", "link.txt"],
    # So are all paths after the shell itself has gone elsewhere.
    "cat link.txt; cd sub; cat link.txt /srv/hosts": [
        "link.txt -> /outside/secret",
        "sub",
        f"link.txt {UNKNOWN}",
        "/srv/hosts",
    ],
    "cd inner && cat ../plain >x": ["inner -> <top>/repo/sub", f"x {UNKNOWN}", f"../plain {UNKNOWN}"],
    "pushd /srv; cat plain": ["/srv", f"plain {UNKNOWN}"],
    "command cd sub; cat plain": ["sub", f"plain {UNKNOWN}"],
    "if true; then cd sub; fi; cat plain": ["sub", f"plain {UNKNOWN}"],
    ". ./env; cat plain": ["./env", f"plain {UNKNOWN}"],
    "eval 'cat link.txt'; cat plain": ["link.txt -> /outside/secret", f"plain {UNKNOWN}"],
    "for x in 1 2; do cat plain; cd sub; done": [f"plain {UNKNOWN}", f"sub {UNKNOWN}"],
    "f() { cat plain; }; cd sub; f": [f"plain {UNKNOWN}", f"sub {UNKNOWN}"],
    "x=$(cd sub; cat plain); cat plain": ["sub", f"plain {UNKNOWN}", "plain"],
    # Commands in commands.
    "bash -c 'cat link.txt > out' x": ["out", "link.txt -> /outside/secret"],
    "sudo -u root env X=1 sh -lc 'rm /srv/hosts'": ["/srv/hosts"],
    "diff <(cat /srv/hosts) <(sort link.txt)": ["/srv/hosts", "link.txt -> /outside/secret"],
    'echo `cat link.txt` "$(cat /srv/hosts | (head))"': ["link.txt -> /outside/secret", "/srv/hosts"],
    "echo ${X:-$(cat link.txt)}": ["link.txt -> /outside/secret"],
    # What the shell would make of a word is left to the shell.
    'cat "$HOME/.ssh/id_rsa" $X ${Y}/z "$(x)/y"': ["$HOME/.ssh/id_rsa", "${Y}/z", '"$(x)/y"'],
    "ls *.py src/**/*.c {a,b}/c [ab]/x": ["src/**/*.c", "{a,b}/c", "[ab]/x"],
    "cat ~root/x '~/y' x~/z": ["~root/x", "~/y", "x~/z"],
    # Quotes.
    "cat \"/srv/hosts\" '/outside'/'secret' /srv\\/group": ["/srv/hosts", "/outside/secret", "/srv/group"],
    "cat $'\\x2fsrv\\u002fhosts' $'\\057x\\''": ["/srv/hosts", '"/x\'"'],
    "cat '$HOME/x' \"a\\$b/c\"": ["$HOME/x", "a$b/c"],
    "cat a\\\nb/c \\\n plain": ["ab/c", "plain"],
    # What has slashes and is no path.
    "sed -i s/a/b/g plain; awk '/x/{print}' plain": ["plain"],
    "git commit -m 'fix a/b and c/d'; curl https://example.com/x": [],
    "cat plain # /not/a/word": ["plain"],
    # What is wrong is passed over.
    "cat 'unclosed": [],
    "cat $(( < > ; ) plain": [],
    "cat plain ) } fi ;; > && || done": ["plain"],
    "": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_paths_are_found(repo: Path, command: str) -> None:
    assert named(repo, command) == COMMANDS[command]


def test_a_command_by_hand_is_placed_in_its_folder(repo: Path) -> None:
    assert named(repo, "cat link.txt", host=None) == ["link.txt -> /outside/secret"]
    assert named(None, "cat link.txt /srv/hosts", host=None) == [f"link.txt {UNKNOWN}", "/srv/hosts"]


def test_nothing_relative_is_placed_on_codex_which_does_not_tell_the_commands_folder(repo: Path) -> None:
    commands = "cat link.txt ../x >out; ./run.sh /srv/hosts"
    assert named(repo, commands, host="codex") == [
        f"out {UNKNOWN}",
        f"link.txt {UNKNOWN}",
        f"../x {UNKNOWN}",
        f"./run.sh {UNKNOWN}",
        "/srv/hosts",
    ]


@pytest.mark.parametrize("host", ["claude", "codex"])
def test_a_link_behind_an_absolute_path_is_followed_on_both(repo: Path, host: Host) -> None:
    assert named(repo, f"cat {repo}/link.txt", host=host) == ["<top>/repo/link.txt -> /outside/secret"]


def test_the_persons_home_is_known_unless_the_command_changes_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(repo))
    assert named(repo, "cat ~/link.txt ~/plain ~") == [
        "~/link.txt -> /outside/secret",
        "~/plain -> <top>/repo/plain",
        "~ -> <top>/repo",
    ]
    assert named(repo, "cat ~/plain", host="codex") == ["~/plain -> <top>/repo/plain"]
    assert named(repo, "HOME=/x cat ~/plain") == ["/x", "~/plain"]
    assert named(repo, "export HOME=/x; cat ~/plain") == ["/x", "~/plain"]


def test_a_folder_that_is_itself_behind_a_link_is_known_to_the_reader(repo: Path) -> None:
    (repo.parent / "again").symlink_to(repo)
    again = repo.parent / "again"
    assert named(again, "cat plain link.txt ../x") == ["plain", "link.txt -> /outside/secret", "../x -> <top>/x"]


def test_what_the_shell_would_read_is_what_is_found(repo: Path) -> None:
    # The shell's own word on where a path ends.
    command = "cat 'li'nk.t\"xt\" $'\\x6cink.txt' l\\ink.txt \\\n  link.txt"
    done = subprocess.run(
        ["bash", "-c", command.replace("cat", "printf '%s\\n'")], capture_output=True, text=True, timeout=30, check=True
    )
    assert set(done.stdout.split()) == {"link.txt"}
    assert named(repo, command) == ["link.txt -> /outside/secret"]


def test_any_name_that_is_quoted_for_a_shell_is_found_again(repo: Path) -> None:
    dice = random.Random(1)
    for _ in range(300):
        name = "".join(dice.choices("ab \"'\\$`;&|()<>*?[]{}~#=:@!%^,é\t", k=dice.randint(1, 12)))
        (found,) = named(repo, f"cat > {shlex.quote(f'/srv/{name}')}")
        written = found.split(" -> ")[0]
        assert (json.loads(written) if written.startswith('"') else written) == f"/srv/{name}"


# --- other tools ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["Read", "Write", "Edit", "MultiEdit"])
def test_the_file_of_a_file_tool_is_found(repo: Path, tool: str) -> None:
    given = {"file_path": f"{repo}/link.txt", "content": "/not/a/path", "edits": [{"old_string": "/nor/this"}]}
    assert named(repo, given, tool) == ["<top>/repo/link.txt -> /outside/secret"]
    assert named(repo, {"file_path": "link.txt"}, tool) == ["link.txt -> /outside/secret"]
    assert named(repo, {"file_path": "a file"}, tool) == ['"a file"']


def test_the_tools_that_look_for_files_name_a_folder_and_a_pattern(repo: Path) -> None:
    assert named(repo, {"path": "inner", "pattern": "**/*.py"}, "Glob") == ["inner -> <top>/repo/sub", "**/*.py"]
    grep = {"path": "inner", "pattern": "/not/a/path", "glob": "../*.py"}
    assert named(repo, grep, "Grep") == ["inner -> <top>/repo/sub", "../*.py"]
    assert named(repo, {"notebook_path": "/x.ipynb", "new_source": "/y"}, "NotebookEdit") == ["/x.ipynb"]


def test_a_home_in_a_file_tool_is_the_persons(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(repo))
    assert named(repo, {"file_path": "~/link.txt"}, "Read") == ["~/link.txt -> /outside/secret"]


PATCH = """\
*** Begin Patch
*** Add File: {repo}/inner/new.txt
+*** Add File: /not/a/header
*** Update File: link.txt
*** Move to: ../moved.txt
@@
-*** Delete File: /nor/this
*** Delete File: a name with blanks
*** End Patch
"""


def test_the_files_of_a_patch_are_found(repo: Path) -> None:
    assert named(repo, PATCH.format(repo=repo), "apply_patch", host=None) == [
        "<top>/repo/inner/new.txt -> <top>/repo/sub/new.txt",
        "link.txt -> /outside/secret",
        "../moved.txt -> <top>/moved.txt",
        '"a name with blanks"',
    ]


def test_a_relative_path_of_a_patch_is_not_placed_on_codex(repo: Path) -> None:
    # A patch that the model gave to a shell in another folder arrives like one that it gave to the tool.
    assert named(repo, PATCH.format(repo=repo), "apply_patch", host="codex") == [
        "<top>/repo/inner/new.txt -> <top>/repo/sub/new.txt",
        f"link.txt {UNKNOWN}",
        f"../moved.txt {UNKNOWN}",
        f'"a name with blanks" {UNKNOWN}',
    ]


def test_a_patch_within_a_command_is_seen(repo: Path) -> None:
    command = f"cd sub && apply_patch <<'EOF'\n{PATCH.format(repo=repo)}EOF\n"
    assert named(repo, command)[:2] == ["sub", "<top>/repo/inner/new.txt -> <top>/repo/sub/new.txt"]
    assert f"link.txt {UNKNOWN}" in named(repo, command)


def test_what_looks_like_an_absolute_path_is_found_in_an_mcp_tools_input(repo: Path) -> None:
    given = {
        "path": f"{repo}/link.txt",
        "list": ["/srv/hosts", {"deep": "file:///srv/group"}],
        "home": "~/x",
        "windows": "C:\\x",
        "relative": "a/b",
        "text": "see /srv/hosts",
        "address": "https://example.com/a",
        "lines": "/a\n/b",
        "comment": "// no",
        "count": 2,
        "none": None,
    }
    expected = ["<top>/repo/link.txt -> /outside/secret", "~/x"]
    windows = ["C:\\x"] if os.name == "nt" else [f"C:\\x {UNKNOWN}"]
    assert named(repo, given, "mcp__files__read") == [*expected, *windows, "/srv/hosts", "/srv/group"]


@pytest.mark.parametrize("tool", ["WebFetch", "WebSearch", "Task", "AskUserQuestion", "x"])
def test_other_tools_name_none(repo: Path, tool: str) -> None:
    assert named(repo, {"url": "https://example.com/a", "prompt": "/x", "query": "/y"}, tool) == []


ODD: list[dict[str, Any]] = [
    {},
    {"command": None},
    {"command": ["/srv/hosts"]},
    {"command": {"a": "/srv/hosts"}},
    {"file_path": 3, "path": [], "pattern": {}},
    {"input": None},
    {"file_path": ""},
]


@pytest.mark.parametrize("tool", ["Bash", "Read", "Glob", "apply_patch", "x"])
@pytest.mark.parametrize("given", ODD)
def test_an_input_of_another_form_names_none(repo: Path, tool: str, given: dict[str, Any]) -> None:
    assert named(repo, given, tool) == []


# --- what may not happen ----------------------------------------------------------------------------------------------


def test_at_most_forty_are_named_first_those_that_lead_elsewhere(repo: Path) -> None:
    found = named(repo, " ".join(["cat", *(f"a/{n}" for n in range(100)), "link.txt"]))
    assert len(found) == 40
    assert found[:2] == ["a/0", "a/1"]
    assert found[-2:] == ["link.txt -> /outside/secret", "… and 62 more"]


def test_each_is_at_most_three_hundred_characters(repo: Path) -> None:
    (repo / "far").symlink_to("/" + "target/" * 100)
    command = f"cat far/{'x' * 200} /{'a' * 5000} {'b/' * 3000} '/{'c ' * 2000}' > '/{chr(7) * 400}'"
    found = named(repo, command)
    assert len(found) == 5
    assert all(len(text) <= 300 for text in found)
    assert found[1].startswith("far/xxx")
    assert " -> /target/target/" in found[1]


def test_a_name_cannot_pretend_to_lead_elsewhere(repo: Path) -> None:
    (repo / "a -> b").touch()
    (repo / f"x {UNKNOWN}").touch()
    (repo / "a->b").touch()
    (repo / "line\nbreak").touch()
    (repo / "turned\u202etxt").touch()
    found = named(repo, f"cat 'a -> b' 'x {UNKNOWN}' 'line\nbreak' 'turned\u202etxt' 'a->b'")
    assert found == ['"a -> b"', f'"x {UNKNOWN}"', '"line\\nbreak"', '"turned\\u202etxt"', '"a->b"']


def test_a_link_to_a_name_that_is_no_text_is_still_text(repo: Path) -> None:
    (repo / "odd").symlink_to(os.fsdecode(b"/\xff\xfe"))
    (found,) = named(repo, "cat odd")
    assert found == 'odd -> "/\\udcff\\udcfe"'


@pytest.mark.parametrize("path", ["/proc/self/cwd/x", "/proc/self/root/outside/secret", "/dev/fd/0", "/dev/sda"])
def test_what_depends_on_who_looks_stands_as_written(repo: Path, path: str) -> None:
    assert named(repo, f"cat {path}") == [path]


def test_nothing_is_looked_for_on_other_machines(repo: Path) -> None:
    (repo / "away").symlink_to("/net/example/share")
    assert named(repo, "cat /net/example/x /afs/example.com/y away/z") == [
        "/net/example/x",
        "/afs/example.com/y",
        "away/z -> /net/example/share/z",
    ]


@pytest.mark.parametrize("name", ["x\0y", "\ud800", "x" * 5000, "a/" * 3000, "../" * 2000])
def test_a_name_that_cannot_be_is_no_error(repo: Path, name: str) -> None:
    for given, tool in (({"command": f"cat '/{name}' '{name}'"}, "Bash"), ({"file_path": name}, "Read")):
        for text in named(repo, given, tool):
            assert text.encode().decode() == text


@pytest.mark.parametrize("cwd", ["relative", "", "/missing", "/outside/secret", "/\0", "/\ud800", "/net/x", "/" * 5000])
def test_a_folder_that_is_none_is_no_error(cwd: str) -> None:
    request = PermissionRequest(tool="Bash", tool_input={"command": "cat x.txt /srv/hosts"}, host="claude", cwd=cwd)
    found = referenced_paths(request)
    assert len(found) == 2
    assert found[1] == "/srv/hosts"


HOSTILE = [
    *(
        mark * 24_000
        for mark in ("a ", "a/b ", "'", '"', "`", "$(", "${", "((", "<<", "\\", "~", ">x", "\n", "#", "[", "{")
    ),
    *(
        mark * 8_000
        for mark in ('$("', "<<a ", "$(<<a ", "$(<<a\n", "$'", "eval ", "bash -c ", "x.y ", "/a:", "\v\f\xa0/")
    ),
    " ".join(f"d{n}/e{n}/f" for n in range(6_000)),
    "cat " + "a/../" * 6_000,
    "x" * 5_000_000,
    "cat /a/b " * 600_000,
    "*** Begin Patch\n" + "*** Add File: a\n" * 300_000,
]


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_a_hostile_command_does_not_take_long(repo: Path, place: int) -> None:
    begun = time.perf_counter()
    assert len(named(repo, HOSTILE[place])) <= 40
    assert len(named(repo, HOSTILE[place], "apply_patch")) <= 40
    # It takes some hundredths; what grew with the square of the length would take minutes.
    assert time.perf_counter() - begun < 5


def test_any_command_at_all_is_taken_apart(repo: Path) -> None:
    dice = random.Random(2)
    for _ in range(1_000):
        command = "".join(dice.choices(" \n\t'\"\\$`;&|()<>*?[{}~#=/abc.-:@!0", k=dice.randint(1, 200)))
        assert len(named(repo, command)) <= 40
