"""The hermetic profile: what `config.toml` and `models.json` of a managed home say, as pure text.

Measured on the wire with 0.159 to 0.169: a turn of this profile carries only the caller's instructions, input and
schema, no tools, and about 1.3 KB of codex's own client metadata; a default home sends some 70 KB with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from codex_oauth.errors import UnsupportedCodexError
from codex_oauth.types import Model

__all__ = ("PROFILE_REVISION", "features_to_disable", "hermetic_catalogue", "render_config", "visible_models")

PROFILE_REVISION: Final = 2
"""Raised whenever a home written before must be written anew."""

_KEPT_FEATURES: Final = frozenset({"enable_request_compression", "system_proxy_fallback"})
# They change how bytes travel, not what is said: zstd request bodies, and the proxy of the operating system.

_CONFIG: Final = """\
# Written by codex-oauth for codex {version}. Changes are overwritten.

# A file of this home's own, never the keyring: every codex on a machine shares one keyring service name, so a sign-in
# here would replace the user's own, and a sign-out would sign the user out.
cli_auth_credentials_store = "file"

# No AGENTS.md of the folder a program happens to run in: it would steer every answer, and be paid for with each.
# It does not cover $CODEX_HOME/AGENTS.md; each call checks that `instructionSources` is empty.
project_doc_max_bytes = 0

# The catalogue of this very binary without the tools that it prescribes per model (`tool_mode`). A file also spares
# the catalogue request, which holds `thread/start` up for six seconds where its host cannot be reached.
model_catalog_json = {catalogue}

# A thread that is unsubscribed goes at once. Left loaded, each call keeps about a megabyte.
thread_unload_delay_secs = 0

check_for_update_on_startup = false
web_search = "disabled"
include_permissions_instructions = false
include_apps_instructions = false
include_environment_context = false
include_collaboration_mode_instructions = false

[analytics]
enabled = false

[feedback]
enabled = false

# Prompts are not kept.
[history]
persistence = "none"

[skills]
include_instructions = false

[skills.bundled]
enabled = false

[tools.experimental_request_user_input]
enabled = false
{agents}
# Every feature that `codex features list` of this version shows as stable and on, but for those about transport.
[features]
{features}
"""

_AGENTS: Final = """
# Takes the place of the feature `multi_agent` from 0.169 on, where that one is deprecated.
[agents]
enabled = false
"""


def features_to_disable(listing: str) -> tuple[str, ...]:
    """The names to switch off, out of what `codex features list` printed.

    Raises:
        UnsupportedCodexError: The listing has no line that can be read.
    """
    names: list[str] = []
    seen = 0
    for line in listing.splitlines():
        # name, then a stage of one or more words ("under development"), then true or false.
        words = line.split()
        if len(words) < 3 or words[-1] not in ("true", "false"):
            continue
        seen += 1
        if words[1:] == ["stable", "true"] and words[0] not in _KEPT_FEATURES:
            names.append(words[0])
    if not seen:
        raise UnsupportedCodexError("`codex features list` printed nothing that this version of codex-oauth can read")
    return tuple(sorted(names))


def render_config(*, version: str, catalogue: Path, features: Iterable[str], agents_table: bool) -> str:
    """`config.toml` for the binary that will read it.

    Args:
        version: The binary's version, for the reader of the file.
        catalogue: Where `models.json` lies.
        features: Names to switch off.
        agents_table: Whether the binary knows `[agents] enabled`.
    """
    # A JSON string is a TOML basic string, but that TOML knows no surrogate pairs and escapes DEL too.
    quoted = json.dumps(str(catalogue), ensure_ascii=False).replace("\x7f", "\\u007f")
    return _CONFIG.format(
        version=version,
        catalogue=quoted,
        agents=_AGENTS if agents_table else "",
        features="\n".join(f"{name} = false" for name in features),
    )


def hermetic_catalogue(bundled: str) -> dict[str, Any]:
    """`models.json`: the binary's own catalogue, with no model that brings tools along.

    Raises:
        UnsupportedCodexError: The catalogue does not have the known shape.
    """
    try:
        catalogue = json.loads(bundled)
        models = catalogue["models"]
        for model in models:
            model.pop("tool_mode", None)
            model.pop("multi_agent_version", None)
            model["experimental_supported_tools"] = []
            model["apply_patch_tool_type"] = None
            model["shell_type"] = "disabled"
            model["supports_search_tool"] = False
        if not visible_models(catalogue):
            raise ValueError("no model")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnsupportedCodexError(
            "`codex debug models --bundled` printed a catalogue that this version of codex-oauth cannot read"
        ) from error
    return catalogue


def visible_models(catalogue: dict[str, Any]) -> tuple[Model, ...]:
    """What `model/list` answers on a home with this catalogue, hidden models included, in the same order.

    A test holds the two against each other on the real binary: the list is by priority, and its first visible one is
    the default.
    """
    entries = sorted(catalogue["models"], key=lambda entry: entry.get("priority", 0))
    shown = [entry["slug"] for entry in entries if entry.get("visibility") == "list"]
    return tuple(
        Model(
            id=entry["slug"],
            name=entry.get("display_name") or entry["slug"],
            description=entry.get("description") or "",
            efforts=tuple(level["effort"] for level in entry["supported_reasoning_levels"]),
            default_effort=entry.get("default_reasoning_level"),
            default=shown[:1] == [entry["slug"]],
            hidden=entry["slug"] not in shown,
        )
        for entry in entries
    )
