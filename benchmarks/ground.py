"""The ground that all subjects stand on: one folder with their homes, one request, one environment."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.lines import Side
from codex_oauth.config import load_settings
from codex_oauth.hosts.hook_command import own_program
from codex_oauth.process import find_binary

__all__ = ("ANSWER", "Endpoint", "Ground")

ANSWER: Final = b'"allow"'
"""What a right answer has in it, in every subject's format."""

_COMMAND: Final = "git status --short"
_WITHOUT_SERVICE: Final = 'service = "off"\n'
"""What a configuration says so that no call starts the warm service or looks for it, where this version has one."""

_PORT: Final = re.compile(r"OPENAI_BASE_URL=http://127\.0\.0\.1:(\d+)/")

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


class Endpoint(NamedTuple):
    """An OpenAI-compatible endpoint that serves.

    Attributes:
        port: Of 127.0.0.1.
        token: What it asks for.
    """

    port: int
    token: str


class Ground:
    """Made once for a run: it starts each kind of subject once, so that no measured process is the first on its home.

    Attributes:
        folder: Everything that subjects write is in it.
        work: The folder they run in: a repository, as a coding agent's is.
        codex: The codex binary that all use.
        request: The question, as `classify` puts it to the model: `instructions`, `prompt`, `schema`, `model` and
            `effort`.
        request_file: The same as JSON.
    """

    def __init__(self, folder: Path, standin: Side) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.codex = find_binary(load_settings(environ=os.environ)).path
        self._standin = standin
        for name in ("user", "tmp", "state", "config/codex-oauth", "empty", "no-programs", "run"):
            (folder / name).mkdir(parents=True, mode=0o700)
        _make_repository(self.work)
        self.environment: Mapping[str, str] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder / "user"),
            "USER": "user",
            "LANG": "C.UTF-8",
            # codex leaves out a part of its start where its home is in the folder for temporary files.
            "TMPDIR": str(folder / "tmp"),
            **standin.ask("environment"),
        }
        if self.has_service:
            (folder / "config" / "codex-oauth" / "config.toml").write_text(_WITHOUT_SERVICE, encoding="utf-8")
        standin.ask("sign_in", home=str(self.own_home))
        subprocess.run(self.classify, env=self.own_environment, cwd=self.work, check=True, stdout=subprocess.DEVNULL)
        self.request: dict[str, Any] = {**standin.ask("request"), "empty": str(folder / "empty")}
        self.request_file = folder / "request.json"
        self.request_file.write_text(json.dumps(self.request), encoding="utf-8")
        (folder / "schema.json").write_text(json.dumps(self.request["schema"]), encoding="utf-8")
        (folder / "instructions.md").write_text(self.request["instructions"], encoding="utf-8")

    # --- this package's own ------------------------------------------------------------------------------------------

    @property
    def own_home(self) -> Path:
        """The managed home."""
        return self.folder / "state" / "codex-oauth" / "codex-home"

    @property
    def own_environment(self) -> dict[str, str]:
        """What this package's commands run with: metrics on, as they are by default."""
        state, config = str(self.folder / "state"), str(self.folder / "config")
        return {
            **self.environment,
            "XDG_STATE_HOME": state,
            "XDG_CONFIG_HOME": config,
            "CODEX_OAUTH_CODEX_BIN": str(self.codex),
        }

    @cached_property
    def has_service(self) -> bool:
        """Whether this version has the warm service."""
        asked = [*self.program, "service", "--help"]
        return subprocess.run(asked, env=self.own_environment, capture_output=True, check=False).returncode == 0

    @property
    def served_environment(self) -> dict[str, str]:
        """The same beside a service of its own: another home, another runtime directory, the defaults."""
        return {
            **self.own_environment,
            "XDG_STATE_HOME": str(self.folder / "served-state"),
            "XDG_CONFIG_HOME": str(self.folder / "served-config"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
        }

    @contextmanager
    def service(self) -> Generator[None]:
        """Within it the service runs for `served_environment`; nothing happens where this version has none."""
        if not self.has_service:
            yield
            return
        env = self.served_environment
        home = self.folder / "served-state" / "codex-oauth" / "codex-home"
        if not home.exists():
            self._standin.ask("sign_in", home=str(home))
        subprocess.run([*self.program, "service", "start"], env=env, cwd=self.work, check=True, stdout=sys.stderr)
        try:
            yield
        finally:
            subprocess.run([*self.program, "service", "stop"], env=env, cwd=self.work, check=False, stdout=sys.stderr)

    @contextmanager
    def endpoint(self) -> Generator[Endpoint]:
        """Within it the endpoint runs on the managed home."""
        folder = self.folder / "endpoint"
        folder.mkdir(exist_ok=True)
        token, log = folder / "token", folder / "access.jsonl"
        command = [*self.program, "serve", "--http", "--port", "0", "--token-file", str(token), "--log-file", str(log)]
        with subprocess.Popen(
            command, env=self.own_environment, cwd=self.work, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stderr is not None
                # It listens before it says so.
                found = next(filter(None, map(_PORT.search, process.stderr)), None)
                if found is None:
                    raise RuntimeError(f"{' '.join(command)} ended with status {process.wait()}")
                yield Endpoint(int(found[1]), token.read_text(encoding="utf-8").strip())
            finally:
                process.terminate()

    @property
    def program(self) -> tuple[str, ...]:
        """The command line as it is installed, or else as a module."""
        script = Path(sys.executable).with_name("codex-oauth")
        return (str(script),) if os.access(script, os.X_OK) else (sys.executable, "-m", "codex_oauth")

    @property
    def installed_hook(self) -> tuple[str, ...]:
        """What `install` writes into a host's settings."""
        return (*shlex.split(own_program()), "hook", "codex")

    @property
    def classify(self) -> tuple[str, ...]:
        """`classify --json`."""
        return (*self.program, "classify", "--command", _COMMAND, "--json")

    @property
    def hook_input(self) -> bytes:
        """What Codex gives its hook, about the same command."""
        value = {
            "session_id": "0199c0de-0000-7000-8000-000000000000",
            "turn_id": "turn",
            "transcript_path": None,
            "cwd": str(self.work),
            "hook_event_name": "PermissionRequest",
            "model": self.request["model"],
            "permission_mode": "default",
            "tool_name": "Bash",
            "tool_input": {"command": _COMMAND},
        }
        return json.dumps(value).encode()

    # --- the peers' --------------------------------------------------------------------------------------------------

    def home(self, name: str, config: str = "") -> Path:
        """A signed-in home with this `config.toml`."""
        home = self.folder / "homes" / name
        home.mkdir(parents=True)
        (home / "config.toml").write_text(config, encoding="utf-8")
        self._standin.ask("sign_in", home=str(home))
        return home

    def lean_home(self, name: str) -> Path:
        """A peer's home with the managed home's configuration: no tools, no plugins, its catalogue."""
        return self.home(name, self._own_config(self.own_home / "models.json"))

    def tuned_home(self, name: str) -> Path:
        """The same with a catalogue of the one model that is asked for, and with the managed home's databases."""
        home = self.home(name)
        (home / "config.toml").write_text(self._own_config(home / "models.json"), encoding="utf-8")
        catalogue = json.loads((self.own_home / "models.json").read_bytes())
        catalogue["models"] = [entry for entry in catalogue["models"] if entry["slug"] == self.request["model"]]
        (home / "models.json").write_text(json.dumps(catalogue), encoding="utf-8")
        for file in self.own_home.glob("*.sqlite"):
            shutil.copy(file, home)
        return home

    @property
    def tricks(self) -> dict[str, str]:
        """Variables that make codex start and connect faster: its roots from one file instead of a folder of hundreds,
        and no `lsb_release` to be found."""
        bundle = next((path for path in _BUNDLES if Path(path).is_file()), None)
        found = {"PATH": str(self.folder / "no-programs")}
        return found if bundle is None else {**found, "SSL_CERT_FILE": bundle}

    def _own_config(self, catalogue: Path) -> str:
        config = (self.own_home / "config.toml").read_text(encoding="utf-8")
        return config.replace(json.dumps(str(self.own_home / "models.json")), json.dumps(str(catalogue)))


def _make_repository(work: Path) -> None:
    work.mkdir()
    (work / "README.md").write_text("A repository.\n", encoding="utf-8")
    git = shutil.which("git")
    if git is None:
        return
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(work), "GIT_CONFIG_NOSYSTEM": "1"}
    person = ("-c", "user.name=Person", "-c", "user.email=person@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([git, *person, *words], cwd=work, env=own, check=True)
