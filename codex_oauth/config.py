"""Where things are and what the defaults are: the only reader of the environment and of the configuration file.

The environment is read once, when settings are made; nothing below looks at `os.environ`.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from codex_oauth.errors import ConfigurationError
from codex_oauth.records import field, record
from codex_oauth.switches import switch_of
from codex_oauth.thin.launch import child_environment

__all__ = (
    "BILLING_VARIABLES",
    "DEFAULT_MODEL_PREFERENCE",
    "DEFAULT_SERVICE_IDLE",
    "DEFAULT_TIMEOUT",
    "ExternalSource",
    "HostHomes",
    "ServiceUse",
    "Settings",
    "child_environment",
    "environment",
    "host_homes",
    "load_settings",
)

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds a call may take, from the first line of it to its return."""

DEFAULT_SERVICE_IDLE: Final = 900.0
"""Seconds without a call after which the warm service ends. It holds some 160 MB with its app-server, and a coding
session asks far more often."""

ServiceUse = Literal["off", "on-demand", "always"]
"""Whether hooks and `classify` use the warm service: never; started by the first that finds none, until it is idle; or
for as long as it is not stopped."""

DEFAULT_MODEL_PREFERENCE: Final = ("*-luna", "*-mini")
"""Patterns for `model=None`, tried in order against the visible models: the small tier first, since short structured
answers are what most calls ask for."""

BILLING_VARIABLES: Final = ("CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL")
"""Variables that could make another wallet pay, or another host answer. The child never sees them."""


@record(kw_only=True)
class ExternalSource:
    """Where a token comes from whose refresh somebody else owns; as it was set, not yet read.

    Attributes:
        credential: `CODEX_OAUTH_CREDENTIAL`, a JSON object.
        token: `CODEX_OAUTH_TOKEN`, an access token.
        account_id: `CODEX_ACCOUNT_ID` or `CHATGPT_ACCOUNT_ID`, which goes with it.
        command: `token_command` of the configuration: a program that prints a fresh credential.
    """

    credential: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    account_id: str | None = field(default=None, repr=False)
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What set it, for messages."""
        if self.credential is not None:
            return "CODEX_OAUTH_CREDENTIAL"
        return "CODEX_OAUTH_TOKEN" if self.token is not None else "token_command"


@record(kw_only=True)
class Settings:
    """Everything that a call needs to know about this machine.

    Attributes:
        home: The CODEX_HOME that calls use.
        managed: Whether this package writes `home`. A home that the user named is only read.
        state_dir: Where this package keeps its own files.
        config_dir: Where the user keeps `config.toml` and `gate.toml`.
        profile: The profile that was named; None for the account that calls use by themselves.
        external: Where an external token comes from; None to use the home's own sign-in.
        codex_bin: The binary that the user named; None to look for one.
        metrics: The metrics file; None for none.
        record: The file that model responses are recorded in; None for none.
        record_tapes: The tapes server that they are posted to; None for none.
        record_redact: Whether secrets are replaced in what is recorded.
        record_images: Whether images are kept in it.
        model: The model that `model=None` means; None to choose by `model_preference`.
        model_preference: Patterns, tried in order, against the visible models.
        effort: The reasoning effort that `effort=None` means; None for the lowest that the model lists.
        timeout: Seconds that `timeout=None` means.
        service: Whether hooks and `classify` use the warm service.
        service_idle: Seconds without a call after which it ends, where it is started on demand.
        config_file: The configuration file that was read; None if there was none.
        project: The folder that Claude Code was started in, where it runs this: `CLAUDE_PROJECT_DIR`.
        inherited: The environment that the child gets, already reduced to the allow-list.
        billing_variables: Names of variables that are set here and were withheld, because they could pay for a call.
    """

    home: Path
    managed: bool = True
    state_dir: Path
    config_dir: Path
    profile: str | None = None
    external: ExternalSource | None = None
    codex_bin: Path | None = None
    metrics: Path | None = None
    record: Path | None = None
    record_tapes: str | None = None
    record_redact: bool = True
    record_images: bool = False
    model: str | None = None
    model_preference: tuple[str, ...] = DEFAULT_MODEL_PREFERENCE
    effort: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    service: ServiceUse = "on-demand"
    service_idle: float = DEFAULT_SERVICE_IDLE
    config_file: Path | None = None
    project: str | None = None
    inherited: Mapping[str, str] = field(repr=False, default_factory=dict[str, str])
    billing_variables: tuple[str, ...] = ()


@record()
class HostHomes:
    """Where the coding agents keep their own settings.

    Attributes:
        claude: Claude Code's, `CLAUDE_CONFIG_DIR` or `~/.claude`.
        codex: Codex's, `CODEX_HOME` or `~/.codex`: the user's own, never the managed one.
    """

    claude: Path
    codex: Path


def host_homes(environ: Mapping[str, str] | None = None) -> HostHomes:
    """Where the coding agents keep their settings, by `environ` or this process's environment.

    Raises:
        ConfigurationError: This user has no home folder.
    """
    environ = environment() if environ is None else environ
    return HostHomes(
        claude=_absolute(environ.get("CLAUDE_CONFIG_DIR") or _user_home() / ".claude"),
        codex=_absolute(environ.get("CODEX_HOME") or _user_home() / ".codex"),
    )


def environment() -> Mapping[str, str]:
    """The process's environment: the one place that touches it."""
    return os.environ


def load_settings(
    *,
    home: str | os.PathLike[str] | None = None,
    codex_home: str | os.PathLike[str] | None = None,
    profile: str | None = None,
    codex_bin: str | os.PathLike[str] | None = None,
    metrics: str | os.PathLike[str] | bool | None = None,
    record: str | os.PathLike[str] | bool | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from arguments, then `CODEX_OAUTH_*` variables, then the configuration file, then defaults.

    Args:
        home: Another place for the managed CODEX_HOME (`CODEX_OAUTH_HOME`).
        codex_home: A CODEX_HOME of the user's own, such as `~/.codex`. It is used as it is and never written by us.
        profile: The name of another account's managed home: letters, digits, `.`, `_` and `-`. No variable and no file
            can name one, so that an account other than the usual one pays only for calls that say so.
        codex_bin: The codex binary (`CODEX_OAUTH_CODEX_BIN`).
        metrics: The metrics file, or False for none (`CODEX_OAUTH_METRICS`, where `off` is none).
        record: The file that model responses are recorded in, True for the usual one, or False to record nothing
            (`CODEX_OAUTH_RECORD`, where `on` and `off` are these).
        environ: The environment to read; this process's by default.

    Raises:
        ConfigurationError: More than one of `home`, `codex_home` and `profile` is given, or the configuration file is
            wrong.
    """
    environ = environment() if environ is None else environ
    if sum(given is not None for given in (home, codex_home, profile)) > 1:
        raise ConfigurationError(
            "give one of home= (managed by this package), codex_home= (your own) and profile= (another account)"
        )
    if profile is not None and (not isinstance(cast("object", profile), str) or not _PROFILE.fullmatch(profile)):
        raise ConfigurationError(
            "a profile's name has 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit"
        )
    recorded = None if isinstance(record, bool) else record
    for name, value in (("home", home), ("codex_home", codex_home), ("codex_bin", codex_bin), ("record", recorded)):
        if value is not None and (not isinstance(cast("object", value), str | os.PathLike) or not os.fspath(value)):
            raise ConfigurationError(f"{name}= must be a path, and not empty; leave it out for the default")
    state_dir = _state_dir(environ)
    named = environ.get("CODEX_OAUTH_CONFIG") or None
    config_file = Path(named).expanduser() if named else _config_dir(environ) / "config.toml"
    values = _read_config(config_file, required=named is not None)
    external = None if codex_home is not None or profile is not None else _external(environ, values)
    managed_home = home or environ.get("CODEX_OAUTH_HOME")
    if profile is not None:
        managed_home = state_dir / "profiles" / profile / "codex-home"
    elif not managed_home:
        # A home of its own, where no sign-in can be mistaken for the token.
        managed_home = state_dir / ("codex-home" if external is None else "external-home")
    binary = codex_bin or environ.get("CODEX_OAUTH_CODEX_BIN") or values.get("codex_bin")
    if binary and not codex_bin and not os.path.isabs(os.path.expanduser(binary)):
        # In whatever folder a program happens to run, that file would be somebody else's.
        place = "CODEX_OAUTH_CODEX_BIN" if environ.get("CODEX_OAUTH_CODEX_BIN") else f"{config_file}: 'codex_bin'"
        raise ConfigurationError(f"{place} must be an absolute path, or begin with ~")
    if metrics is None:
        metrics = environ.get("CODEX_OAUTH_METRICS") or values.get("metrics") or True
    metrics_file = state_dir / "metrics.jsonl" if metrics is True else None
    if isinstance(metrics, str | os.PathLike) and metrics != "off":
        metrics_file = _absolute(metrics)
    record_file, tapes = _recording(environ, values.get("record", {}), record, state_dir)
    return Settings(
        home=_absolute(codex_home if codex_home is not None else managed_home),
        managed=codex_home is None,
        state_dir=state_dir,
        config_dir=_config_dir(environ),
        profile=profile,
        external=external,
        codex_bin=_absolute(binary) if binary else None,
        metrics=metrics_file,
        record=record_file,
        record_tapes=tapes,
        record_redact=values.get("record", {}).get("redact", True),
        record_images=values.get("record", {}).get("images", False),
        model=values.get("model"),
        model_preference=tuple(values.get("models", DEFAULT_MODEL_PREFERENCE)),
        effort=values.get("effort"),
        timeout=float(values.get("timeout", DEFAULT_TIMEOUT)),
        service=_service(environ, values, config_file),
        service_idle=float(values.get("service_idle", DEFAULT_SERVICE_IDLE)),
        # One that was named counts while it is empty too: somebody may write into it while a service runs.
        config_file=config_file if values or (named is not None and named != os.devnull) else None,
        project=environ.get("CLAUDE_PROJECT_DIR") or None,
        inherited=child_environment(environ),
        billing_variables=tuple(
            sorted(
                name for name in environ if environ[name] and (name in BILLING_VARIABLES or name.endswith("_API_KEY"))
            )
        ),
    )


def _service(environ: Mapping[str, str], values: Mapping[str, Any], config_file: Path) -> ServiceUse:
    named = environ.get("CODEX_OAUTH_SERVICE")
    word = named or values.get("service", "on-demand")
    if word not in _SERVICE:
        place = "CODEX_OAUTH_SERVICE" if named else f"{config_file}: 'service'"
        raise ConfigurationError(f"{place} must be one of {', '.join(_SERVICE)}")
    return cast("ServiceUse", word)


def _recording(
    environ: Mapping[str, str], table: Mapping[str, Any], given: str | os.PathLike[str] | bool | None, state_dir: Path
) -> tuple[Path | None, str | None]:
    """The file for responses, and the tapes server; neither where an argument or a variable says `off`."""
    named = given if given is not None else environ.get("CODEX_OAUTH_RECORD") or None
    if switch_of(named) is False:
        return None, None
    file = table.get("file", "off") if named is None else named
    on = switch_of(file)
    path = (state_dir / "recorded.jsonl" if on else None) if on is not None else _absolute(cast("str", file))
    return path, table.get("tapes")


def _expanded(command: Sequence[str]) -> tuple[str, ...]:
    return (os.path.expanduser(command[0]), *command[1:]) if command else ()


def _user_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError(
            "this user has no home folder: set HOME, or XDG_STATE_HOME and XDG_CONFIG_HOME"
        ) from error


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


def _state_dir(environ: Mapping[str, str]) -> Path:
    if sys.platform == "linux":
        # The XDG rule in two lines; platformdirs costs more to import than a call takes to read its own files.
        base = environ.get("XDG_STATE_HOME", "")
        return (Path(base) if os.path.isabs(base) else _user_home() / ".local" / "state") / "codex-oauth"
    from platformdirs import user_state_path

    return user_state_path("codex-oauth", appauthor=False)


def _config_dir(environ: Mapping[str, str]) -> Path:
    if sys.platform == "linux":
        base = environ.get("XDG_CONFIG_HOME", "")
        return (Path(base) if os.path.isabs(base) else _user_home() / ".config") / "codex-oauth"
    from platformdirs import user_config_path

    return user_config_path("codex-oauth", appauthor=False)


_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "codex_bin": str,
    "metrics": str,
    "record": dict,
    "model": str,
    "models": list,
    "effort": str,
    "timeout": (int, float),
    "service": str,
    "service_idle": (int, float),
    "token_command": list,
}

_RECORD_KINDS: Final[Mapping[str, type]] = {"file": str, "redact": bool, "images": bool, "tapes": str}
_RECORD_WORDS: Final[Mapping[type, str]] = {str: "text, and not empty", bool: "true or false"}
_SERVICE: Final = get_args(ServiceUse)
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LISTS: Final[Mapping[str, str]] = {
    "models": 'patterns such as "*-mini"',
    "token_command": 'a program and its arguments, such as ["vault-token", "--json"]',
}


def _external(environ: Mapping[str, str], values: Mapping[str, Any]) -> ExternalSource | None:
    source = ExternalSource(
        credential=environ.get("CODEX_OAUTH_CREDENTIAL") or None,
        token=environ.get("CODEX_OAUTH_TOKEN") or None,
        account_id=environ.get("CODEX_ACCOUNT_ID") or environ.get("CHATGPT_ACCOUNT_ID") or None,
        command=_expanded(values.get("token_command", ())),
    )
    # An account id alone is no token: other programs use that variable too.
    return source if source.credential or source.token or source.command else None


def _read_config(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        # A pipe in its place would be waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) and str(path) != os.devnull:
                raise ConfigurationError(f"{path}: not a regular file")
            raw = file.read()
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"{path}: no such configuration file (CODEX_OAUTH_CONFIG names it)") from None
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    import tomllib

    try:
        values = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    for key, value in values.items():
        _require_known(path, key, _KINDS)
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            what = f"; it must be a list of {_LISTS[key]}" if key in _LISTS else ""
            raise ConfigurationError(f"{path}: {key!r} has the wrong type, {type(value).__name__}{what}")
    for key, value in values.get("record", {}).items():
        _require_known(path, key, _RECORD_KINDS, "record.")
        if not isinstance(value, _RECORD_KINDS[key]) or value == "":
            raise ConfigurationError(f"{path}: 'record.{key}' must be {_RECORD_WORDS[_RECORD_KINDS[key]]}")
    for key, what in _LISTS.items():
        if key in values and not all(isinstance(item, str) and item for item in values[key]):
            raise ConfigurationError(f"{path}: {key!r} must be a list of {what}")
    program = next(iter(values.get("token_command", ())), "")
    if "/" in program and not program.startswith(("/", "~")):
        # In whatever folder a program happens to run, that file would be somebody else's.
        raise ConfigurationError(f"{path}: 'token_command' names a path that is not absolute")
    if values.get("token_command") == []:
        raise ConfigurationError(f"{path}: 'token_command' is empty; leave it out, or name {_LISTS['token_command']}")
    if not 0 < values.get("timeout", 1) <= 86_400:
        raise ConfigurationError(f"{path}: 'timeout' is in seconds, more than 0 and at most 86400")
    if not 1 <= values.get("service_idle", 1) <= 604_800:
        raise ConfigurationError(f"{path}: 'service_idle' is in seconds, at least 1 and at most 604800")
    return values


def _require_known(path: Path, key: str, known: Mapping[str, Any], table: str = "") -> None:
    if key not in known:
        import difflib

        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
        raise ConfigurationError(f"{path}: unknown key {table + key!r}{hint}")
