"""The launch record: what to start for a call, as the last call worked it out, and every file that this rests on.

Reading it takes a tenth of a millisecond, where finding the binary, the home, the sign-in and the model anew takes 50.
What the environment has to do with it is in the key that it is kept under.
"""

from __future__ import annotations

import os
import time

from codex_oauth.thin.key import NETWORK
from codex_oauth.thin.place import read_own, write_own
from codex_oauth.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("INHERITED", "Launch", "child_environment", "read_launch", "state_of", "write_launch")

INHERITED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", *NETWORK),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "USERNAME", "USERDOMAIN"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "HOMEDRIVE", "HOMEPATH", "NUMBER_OF_PROCESSORS"),
        "PROCESSOR_ARCHITECTURE",
    }
)
"""Variables that an app-server may see. An allow-list, since a deny-list would have to know every variable that a later
codex reads: CODEX_ACCESS_TOKEN, for one, silently replaces the sign-in."""

_FIRST = f"codex-oauth launch 1 {__version__}"
_LARGEST = 65_536


class Launch:
    """What to start, and what it rests on.

    Attributes:
        argv: The app-server.
        env: Its environment, but for what it inherits.
        path: The PATH that its program was found by; empty where that does not matter.
        cwd: The folder that it runs in.
        wanted: The model that was asked for; empty for the usual one.
        model: The model that it can serve.
        efforts: The reasoning efforts that the model lists, lowest first.
        service: `off`, `on-demand` or `always`: what the configuration says of the service.
        until: When it may be used no more, in seconds since 1970: the token has to be looked at then.
        files: Files as they have to be, by `state_of`.
    """

    __slots__ = ("argv", "cwd", "efforts", "env", "files", "model", "path", "service", "until", "wanted")

    def __init__(
        self,
        *,
        argv: list[str],
        env: dict[str, str],
        path: str,
        cwd: str,
        wanted: str,
        model: str,
        efforts: tuple[str, ...],
        service: str,
        until: float,
        files: dict[str, str],
    ) -> None:
        self.argv = argv
        self.env = env
        self.path = path
        self.cwd = cwd
        self.wanted = wanted
        self.model = model
        self.efforts = efforts
        self.service = service
        self.until = until
        self.files = files

    def holds(self, environ: Mapping[str, str]) -> bool:
        """Whether all that it rests on is as it was."""
        # What is no number is no time to come either.
        if not self.argv or not time.time() < self.until or self.path not in ("", environ.get("PATH")):
            return False
        return all(state_of(path) == state for path, state in self.files.items())


def state_of(path: str) -> str:
    """What changes with a file's content; `-` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return "-"
    # The change time too: an editor may put the size and the modification time back as they were.
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def read_launch(path: str) -> Launch | None:
    """The record in a file; None where there is none that can be read."""
    first, *lines = os.fsdecode(read_own(path, _LARGEST) or b"").split("\n")
    if first != _FIRST or lines[-2:] != ["end", ""]:
        return None
    try:
        one, argv, env, files = dict[str, str](), list[str](), dict[str, str](), dict[str, str]()
        for line in lines[:-2]:
            name, _, value = line.partition(" ")
            if name == "arg":
                argv.append(value)
            elif name == "env":
                variable, _, value = value.partition("=")
                env[variable] = value
            elif name == "file":
                state, _, file = value.partition("\t")
                files[file] = state
            else:
                one[name] = value
        return Launch(
            argv=argv,
            env=env,
            path=one["path"],
            cwd=one["cwd"],
            wanted=one["wanted"],
            model=one["model"],
            efforts=tuple(one["efforts"].split()),
            service=one["service"],
            until=float(one["until"]),
            files=files,
        )
    except (ValueError, KeyError):
        return None


def write_launch(path: str, launch: Launch) -> None:
    """Write a record, in one piece; nothing where a path in it has a line break.

    Raises:
        OSError: It cannot be written.
    """
    one = {
        "path": launch.path,
        "cwd": launch.cwd,
        "wanted": launch.wanted,
        "model": launch.model,
        "efforts": " ".join(launch.efforts),
    }
    one |= {"service": launch.service, "until": repr(launch.until)}
    lines = [_FIRST, *(f"{name} {value}" for name, value in one.items())]
    lines += [f"arg {word}" for word in launch.argv]
    lines += [f"env {name}={value}" for name, value in launch.env.items()]
    lines += [f"file {state}\t{file}" for file, state in launch.files.items()]
    if any("\n" in line for line in lines):
        return
    write_own(path, os.fsencode("\n".join((*lines, "end", ""))))


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that an app-server may see: where programs, certificates and proxies are, and the locale.

    CODEX_HOME is added by whoever starts the process. Everything else, every `*_API_KEY` first, stays out.
    """
    # Windows' names are case-insensitive, and os.environ there upper-cases them.
    return {
        name: value
        for name, value in environ.items()
        if name in INHERITED or name.startswith("LC_") or (os.name == "nt" and name.upper() in INHERITED)
    }
