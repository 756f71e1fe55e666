"""The permission rules that the host itself was given: a hint of what the person lets it do.

Codex has none of the kind. Its rules for commands are programs (`rules/*.rules`), and a part of one, read as a list,
would say something else than the whole.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, cast

from codex_oauth.config import HostHomes
from codex_oauth.gate.context import HostPermissions
from codex_oauth.gate.context.excerpt import line_of, sendable
from codex_oauth.gate.context.files import read_start
from codex_oauth.gate.request import PermissionRequest

__all__ = ("host_permissions",)

_LARGEST: Final = 512 * 1024
_MOST: Final = 50
_LONGEST: Final = 200


def host_permissions(request: PermissionRequest, homes: HostHomes, root: str | None) -> HostPermissions | None:
    """The rules of Claude Code's settings: the user's, the project's, and those of the project that are the user's own.

    Args:
        request: Names the host.
        homes: Where the user's are.
        root: The project's root; None if there is none.

    Returns:
        At most 50 rules of each kind, of 200 characters each; None where there is none.
    """
    if request.host != "claude":
        return None
    files = [os.path.join(homes.claude, "settings.json")]
    if root is not None and os.path.isabs(root):
        files += (os.path.join(root, ".claude", name) for name in ("settings.json", "settings.local.json"))
    found = [permissions for file in dict.fromkeys(files) if (permissions := _permissions(file))]
    allow, ask, deny = (_rules(found, kind) for kind in ("allow", "ask", "deny"))
    return HostPermissions(allow=allow, ask=ask, deny=deny) if allow or ask or deny else None


def _permissions(path: str) -> dict[str, Any]:
    content = read_start(path, _LARGEST + 1)
    if content is None or len(content) > _LARGEST:
        return {}
    try:
        value = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    permissions = cast("dict[str, Any]", value).get("permissions") if isinstance(value, dict) else None
    return cast("dict[str, Any]", permissions) if isinstance(permissions, dict) else {}


def _rules(found: list[dict[str, Any]], kind: str) -> tuple[str, ...]:
    rules: dict[str, None] = {}
    for permissions in found:
        listed = permissions.get(kind)
        for rule in cast("list[object]", listed) if isinstance(listed, list) else ():
            if isinstance(rule, str) and rule.strip():
                rules[line_of(sendable(rule), _LONGEST)] = None
                if len(rules) == _MOST:
                    return tuple(rules)
    return tuple(rules)
