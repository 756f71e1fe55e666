"""A CODEX_HOME of the user's own: used as it is, read only, with a word about what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from codex_oauth.errors import ConfigurationError
from codex_oauth.home.managed import Home
from codex_oauth.types import as_object

__all__ = ("foreign_home", "missing_isolation")

_WANTED: Final[tuple[tuple[str, Any, str], ...]] = (
    ("project_doc_max_bytes", 0, "the AGENTS.md of the current project may reach the prompt"),
    (
        "cli_auth_credentials_store",
        "file",
        "the sign-in may lie in the keyring, which every codex on the machine shares",
    ),
    ("web_search", "disabled", "a turn carries the web search tool"),
    ("include_environment_context", False, "a text about the environment is added to the prompt"),
    ("include_permissions_instructions", False, "a text about permissions is added to the prompt"),
    ("history.persistence", "none", "prompts may be kept on disk"),
    ("skills.include_instructions", False, "the list of skills is added to the prompt"),
    ("features.shell_tool", False, "a turn carries a shell tool"),
    ("features.plugins", False, "plugins are loaded and synchronised at each start"),
    ("features.unbounded_connection_retries", False, "without a network a turn waits until its deadline"),
)

_UNWANTED: Final = (
    ("notify", "codex runs that program after each turn"),
    ("mcp_servers", "codex starts those servers"),
    ("hooks", "codex may run those hooks"),
    ("developer_instructions", "that text is added to every prompt"),
    ("openai_base_url", "requests may go to another host"),
    ("chatgpt_base_url", "requests may go to another host"),
    ("otel", "codex sends telemetry as configured there"),
)


def foreign_home(path: Path) -> tuple[Home, tuple[str, ...]]:
    """The home and the warnings about it.

    Raises:
        ConfigurationError: There is no such folder, or its `config.toml` cannot be read.
    """
    if not path.is_dir():
        raise ConfigurationError(f"{path}: no such folder; codex_home= names a CODEX_HOME that exists")
    return Home(path=path, managed=False, version=None, models=()), missing_isolation(path)


def missing_isolation(path: Path) -> tuple[str, ...]:
    """What of the managed home's isolation this one lacks, one line each.

    Raises:
        ConfigurationError: `config.toml` cannot be read.
    """
    import tomllib

    file = path / "config.toml"
    try:
        config: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{file}: cannot be read: {why}") from error
    lacks = [
        f"{key} is not {_toml(wanted)}: {effect}"
        for key, wanted, effect in _WANTED
        if not _is(_get(config, key), wanted)
    ]
    lacks += [f"{key} is set: {effect}" for key, effect in _UNWANTED if _get(config, key)]
    for name in ("AGENTS.md", "AGENTS.override.md"):
        if (path / name).exists():
            lacks.append(
                f"{name} in this home would be added to every prompt; calls are refused until it is moved away"
            )
    if (path / ".env").exists():
        lacks.append(".env in this home is read by codex, past the list of variables that it is given")
    return tuple(lacks)


def _is(value: object, wanted: object) -> bool:
    # False is 0 to Python, and not to codex.
    return type(value) is type(wanted) and value == wanted


def _get(config: dict[str, Any], dotted: str) -> Any:
    value: Any = config
    for part in dotted.split("."):
        value = (as_object(value) or {}).get(part)
    return value


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
