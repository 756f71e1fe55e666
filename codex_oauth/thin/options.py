"""The two commands that hosts and scripts run for each request, read by hand: click takes longer than the answer."""

from __future__ import annotations

__all__ = ("WHERE", "parse")

WHERE = ("--home", "--profile", "--codex-bin")
"""Options that say whose service and whose app-server it is."""

_SHARED = frozenset({*WHERE, "--policy"})
_VALUES = {
    "hook": _SHARED | {"--on-failure"},
    "classify": _SHARED | {"--command", "--host", "--mode", "--cwd", "--model", "--effort", "--timeout"},
}
_FLAGS = {"hook": frozenset[str](), "classify": frozenset({"--json", "--exit-code"})}
_CHOICES = {"--on-failure": ("ask", "deny"), "--host": ("claude", "codex")}
_PATHS = frozenset({"--home", "--codex-bin", "--policy", "--cwd"})


def parse(words: list[str]) -> dict[str, str] | None:
    """The words of a command line as options and their values.

    Args:
        words: What comes after the program's name.

    Returns:
        `command` is `hook` or `classify`, `host` the hook's; a flag has an empty value. None for whatever else: other
        commands, help, mistakes and rare options are click's, which says what is wrong.
    """
    if not words or words[0] not in _VALUES:
        return None
    command, rest = words[0], words[1:]
    found = {"command": command}
    if command == "hook":
        if not rest or rest[0] not in ("claude", "codex"):
            return None
        found["host"] = rest.pop(0)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name in found:
            return None
        if name in _FLAGS[command] and not equals:
            found[name] = ""
            continue
        if name not in _VALUES[command] or (not equals and not rest):
            return None
        value = value if equals else rest.pop(0)
        if not value or (not equals and value.startswith("-")) or value not in _CHOICES.get(name, (value,)):
            return None
        if name in _PATHS and not value.startswith("/"):
            return None
        if name == "--timeout" and not _is_timeout(value):
            return None
        found[name] = value
    # Text for people has colours and widths, which are the terminal's.
    if command == "classify" and "--json" not in found:
        return None
    return None if "--home" in found and "--profile" in found else found


def _is_timeout(value: str) -> bool:
    try:
        return 0 < float(value) <= 86_400
    except ValueError:
        return False
