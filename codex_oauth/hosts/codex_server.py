"""A short conversation with Codex about its hooks: which it sees, which it trusts, and what it is to trust.

It runs on a home that is the user's own. So it is started without what a home's owner has not asked for: their sign-in
is not read (an app-server would refresh a token that is about to expire), no skills are unpacked, no plugins fetched,
and its databases are put elsewhere, where another version of codex does no harm. What is left of it in the home are
`installation_id` and an empty `tmp`, measured with 0.163 and 0.169; it sends nothing. Hooks of plugins are not seen.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, DeadlineExceededError, ProtocolError
from codex_oauth.jsonrpc import Dispatcher, crashed, unknown_method
from codex_oauth.process import Binary, CommandSpec, find_binary, spawn
from codex_oauth.protocol import CONFIG_BATCH_WRITE, HOOKS_LIST, INITIALIZE, INITIALIZED
from codex_oauth.transport import StdioTransport
from codex_oauth.types import as_object
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.protocol import ConfigEdit

__all__ = ("HookListing", "HookServer", "ListedHook", "hosts_codex", "open_hook_server")

_OVERRIDES: Final = (
    'cli_auth_credentials_store="ephemeral"',
    "skills.bundled.enabled=false",
    "features.plugins=false",
    "analytics.enabled=false",
    "check_for_update_on_startup=false",
)
_PATIENCE: Final = 15.0
"""Seconds for all of it; 0.1 were measured."""

_STOP_PATIENCE: Final = 1.0
"""Seconds for it to end, which takes it 20 to 40 ms; it has no token that a kill could lose."""


@dataclass(frozen=True, slots=True)
class ListedHook:
    """A hook as Codex sees it.

    Attributes:
        key: What its trust is kept under: the file, the event, and its places in it.
        event: The event, such as `permissionRequest`.
        command: What is run; None for a hook of another kind.
        matcher: Its pattern for tools; empty for all of them.
        source: Where it comes from: `user`, `project`, or one of an administrator's ways.
        path: The file that holds it.
        enabled: Whether it is switched on.
        trust: `trusted`, `untrusted`, `modified` or `managed`. One that is untrusted or modified is not run.
        fingerprint: What is trusted: it stands for the command and how it is run.
    """

    key: str
    event: str
    command: str | None = field(repr=False)
    matcher: str
    source: str
    path: str
    enabled: bool
    trust: str
    fingerprint: str

    @property
    def runs(self) -> bool:
        """Whether Codex runs it."""
        return self.enabled and self.trust in {"trusted", "managed"}


@dataclass(frozen=True, slots=True)
class HookListing:
    """What Codex sees.

    Attributes:
        hooks: The hooks, in order.
        complaints: What it found wrong with the files, in its own words.
    """

    hooks: tuple[ListedHook, ...]
    complaints: tuple[str, ...]


def hosts_codex(settings: Settings) -> Binary:
    """The codex that works on the user's own home: the one on PATH, for it is the user's; else as for a call.

    Raises:
        CodexNotFoundError: There is none.
    """
    found = shutil.which("codex", path=settings.inherited.get("PATH"))
    return find_binary(settings if found is None else replace(settings, codex_bin=Path(found)))


class HookServer:
    """An app-server that is asked about hooks. Made by `open_hook_server`."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def listing(self, folder: Path) -> HookListing:
        """The hooks that hold in a folder: the home's own, and those of a repository that Codex trusts.

        Raises:
            RpcError, ProtocolError, ServerCrashedError: It cannot be asked.
        """
        answer = await self._dispatcher.request(HOOKS_LIST, {"cwds": [str(folder)]})
        if not answer["data"]:
            raise ProtocolError("hooks/list: the answer is about no folder")
        entry = answer["data"][0]
        hooks = tuple(
            ListedHook(
                key=hook["key"],
                event=hook["eventName"],
                command=_words((as_object(hook) or {}).get("command")),
                matcher=hook.get("matcher") or "",
                source=hook["source"],
                path=hook["sourcePath"],
                enabled=hook["enabled"],
                trust=hook["trustStatus"],
                fingerprint=hook["currentHash"],
            )
            for hook in entry["hooks"]
        )
        return HookListing(hooks, (*entry["warnings"], *(error["message"] for error in entry["errors"])))

    async def write_states(
        self, forget: Iterable[str], states: Mapping[str, Mapping[str, Any]], *, clear: bool = False
    ) -> None:
        """Write into the home's `config.toml` what is trusted.

        Args:
            forget: Keys whose state is taken out first.
            states: By key, what is put in: `trusted_hash`, `enabled`.
            clear: Whether the table of states is taken out too, since nothing would be left in it.

        Raises:
            RpcError, ProtocolError, ServerCrashedError: It could not be written.
        """
        edits: list[ConfigEdit] = [
            {"keyPath": f"hooks.state.{_quoted(key)}", "mergeStrategy": "replace", "value": None} for key in forget
        ]
        if clear:
            edits = [{"keyPath": "hooks.state", "mergeStrategy": "replace", "value": None}]
        if states:
            edits.append({"keyPath": "hooks.state", "mergeStrategy": "upsert", "value": dict(states)})
        if edits:
            await self._dispatcher.request(CONFIG_BATCH_WRITE, {"edits": edits, "reloadUserConfig": True})


@asynccontextmanager
async def open_hook_server(
    binary: Binary, home: Path, inherited: Mapping[str, str], *, patience: float = _PATIENCE
) -> AsyncGenerator[HookServer]:
    """Start codex on a home, and end it on leaving.

    Args:
        binary: The codex.
        home: The CODEX_HOME.
        inherited: The rest of its environment.
        patience: Seconds for everything until it is left.

    Raises:
        ProcessError, RpcError, ProtocolError: It cannot be started or talked to.
        DeadlineExceededError: It did not answer in time.
    """
    failure: BaseException | None = None
    with tempfile.TemporaryDirectory(prefix="codex-oauth-", ignore_cleanup_errors=True) as scratch:
        argv = [str(binary.path), "app-server"]
        for override in _OVERRIDES:
            argv += ["-c", override]
        environ = {**inherited, "CODEX_HOME": str(home), "CODEX_SQLITE_HOME": scratch}
        child = spawn(CommandSpec(tuple(argv), environ, Path(scratch)))

        def ended(fault: CodexOAuthError | None) -> CodexOAuthError:
            return fault or crashed(child.returncode, child.stderr_tail)

        try:
            async with anyio.create_task_group() as tasks:
                dispatcher = Dispatcher(
                    StdioTransport(child), on_notification=_ignore, on_request=_refuse, on_end=ended
                )
                tasks.start_soon(child.drain_stderr)
                tasks.start_soon(dispatcher.run)
                try:
                    with anyio.fail_after(patience):
                        hello = dispatcher.send(
                            INITIALIZE,
                            {
                                "clientInfo": {"name": "codex_oauth", "title": "codex_oauth", "version": __version__},
                                "capabilities": {"experimentalApi": True},
                            },
                        )
                        dispatcher.notify(INITIALIZED)
                        await hello.result()
                        yield HookServer(dispatcher)
                finally:
                    await child.stop(patience=_STOP_PATIENCE)
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The tasks keep their errors to themselves: the one in the group is the caller's own.
            failure = group.exceptions[0]
    if isinstance(failure, TimeoutError) and not isinstance(failure, DeadlineExceededError):
        raise DeadlineExceededError(f"{binary.path}: did not answer within {patience:g} s") from failure
    if failure is not None:
        raise failure


def _quoted(key: str) -> str:
    # Codex takes whatever follows a backslash as it is: an escape of JSON or TOML, such as \n, would be another letter.
    return '"' + re.sub(r'(["\\])', r"\\\1", key) + '"'


def _words(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _ignore(method: str, params: Mapping[str, Any]) -> None:
    pass


async def _refuse(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001 - the interface has it
    raise unknown_method(method)
