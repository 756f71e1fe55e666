"""The hosts' own settings: where a coding agent keeps its hooks, and this package's hook among them."""

from codex_oauth.hosts.carried import kept_program, options_of, with_program
from codex_oauth.hosts.claude import Scope, claude_settings, look_at_claude, repository_of
from codex_oauth.hosts.codex import codex_config, codex_hooks_file, hand_written, look_at_codex, switched_off
from codex_oauth.hosts.codex_server import HookListing, HookServer, ListedHook, hosts_codex, open_hook_server
from codex_oauth.hosts.codex_trust import Moves, moves, own_hooks, request_hooks, trusted_state
from codex_oauth.hosts.hook_command import HookOptions, Host, hook_command, joined, option_words
from codex_oauth.hosts.hook_settings import Change, Wanted, hooks_in, with_hook, without_hook
from codex_oauth.hosts.report import Obstacle, Report
from codex_oauth.hosts.settings_file import (
    SettingsFile,
    backup_of,
    difference,
    read_settings,
    remove_settings,
    write_settings,
)

__all__ = (
    "Change",
    "HookListing",
    "HookOptions",
    "HookServer",
    "Host",
    "ListedHook",
    "Moves",
    "Obstacle",
    "Report",
    "Scope",
    "SettingsFile",
    "Wanted",
    "backup_of",
    "claude_settings",
    "codex_config",
    "codex_hooks_file",
    "difference",
    "hand_written",
    "hook_command",
    "hooks_in",
    "hosts_codex",
    "joined",
    "kept_program",
    "look_at_claude",
    "look_at_codex",
    "moves",
    "open_hook_server",
    "option_words",
    "options_of",
    "own_hooks",
    "read_settings",
    "remove_settings",
    "repository_of",
    "request_hooks",
    "switched_off",
    "trusted_state",
    "with_hook",
    "with_program",
    "without_hook",
    "write_settings",
)
