"""The commands that judge one request, `hook` and `classify --json`, whoever runs them: from options and input to what
they write.

A process of its own runs them, cold, or the warm service for its clients. So they write nothing by themselves, and the
question to the model lies between two steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.explaining import explain, json_line, printable
from codex_oauth.gate.asking import Asking
from codex_oauth.gate.failures import failure_class
from codex_oauth.gate.hook import HookAnswer, HookCall, failed
from codex_oauth.gate.journal import Journal
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.situation import situation_of
from codex_oauth.gate.verdict import Verdict
from codex_oauth.records import field, record, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_oauth.gate.policy import FailureClass
    from codex_oauth.gate.request import Host
    from codex_oauth.gate.settling import Question
    from codex_oauth.metrics import Served
    from codex_oauth.types import Reply

__all__ = (
    "ClassifyCommand",
    "Command",
    "Finished",
    "HookCommand",
    "broken",
    "command_of",
    "finished",
    "settings_of",
)

_STATUS: Final = {"allow": 0, "deny": 10, "ask": 11}


@record()
class Finished:
    """What a command leaves behind.

    Attributes:
        stdout: What it writes.
        stderr: The same for stderr.
        status: Its exit status.
    """

    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    status: int = 0


def settings_of(options: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the options of `codex_oauth.thin.options.parse` name.

    Raises:
        ConfigurationError: They are wrong.
    """
    return load_settings(
        home=options.get("--home"),
        profile=options.get("--profile"),
        codex_bin=options.get("--codex-bin"),
        environ=environ,
    )


class HookCommand:
    """`codex-oauth hook`."""

    def __init__(
        self, options: Mapping[str, str], stdin: bytes, settings: Settings, served: Served, began: float | None
    ) -> None:
        policy = options.get("--policy")
        on_failure: Any = options.get("--on-failure")
        host = cast("Host", options["host"])
        self._call = HookCall(
            stdin,
            host,
            settings,
            policy_file=Path(policy) if policy else None,
            on_failure=on_failure,
            served=served,
            began=began,
        )

    def question(self) -> Question | Finished:
        """What the model is asked; or all that there is to do."""
        asked = self._call.question()
        return finished(asked) if isinstance(asked, HookAnswer) else asked

    def answer(self, reply: Reply[Any], *, shared: bool = False) -> Finished:
        """What the model's reply makes of it; `shared` where somebody else had asked for it."""
        return finished(self._call.answer(reply, shared=shared))

    def without(self, error: Exception) -> Finished:
        """What becomes of it without a reply."""
        return finished(self._call.without(error))


def finished(answer: HookAnswer) -> Finished:
    """What a hook's process writes."""
    notes = [f"codex-oauth: {printable(' '.join(note.splitlines()))}\n" for note in answer.notes]
    status = 1 if answer.failed and not answer.stdout else 0
    return Finished(answer.stdout, "".join(notes).encode("utf-8", "backslashreplace"), status)


class ClassifyCommand:
    """`codex-oauth classify --json`."""

    def __init__(
        self,
        options: Mapping[str, str],
        stdin: bytes,
        cwd: str,
        settings: Settings,
        served: Served,
        began: float | None,
    ) -> None:
        self._served: Served = served
        self._began = began
        self._options = options
        self._stdin = stdin
        self._cwd = cwd
        self._settings = settings
        self._notes: tuple[str, ...] = ()
        self._asking: Asking | None = None
        self._journal: Journal | None = None

    def question(self) -> Question | Finished:
        """What the model is asked; or all that there is to do."""
        try:
            return self._question()
        except CodexOAuthError as error:
            return self.without(error)

    def answer(self, reply: Reply[Any], *, shared: bool = False) -> Finished:
        """What the model's reply makes of it; `shared` where somebody else had asked for it."""
        assert self._asking is not None
        return self._judged(self._asking.verdict(reply, shared=shared))

    def without(self, error: Exception) -> Finished:
        """What becomes of it without a reply."""
        if self._journal is not None:
            self._journal.failed(error)
        words = explain(error) if isinstance(error, CodexOAuthError) else f"codex-oauth: {type(error).__name__}"
        status = error.exit_status if isinstance(error, CodexOAuthError) else 1
        return Finished(b"", self._stderr(f"{words}\n"), status)

    def _question(self) -> Question | Finished:
        options = self._options
        host = cast("Host | None", options.get("--host"))
        shell_command = options.get("--command")
        if shell_command is not None:
            request = PermissionRequest.from_command(shell_command, cwd=self._cwd, host=host)
        elif self._stdin.strip():
            request = PermissionRequest.from_hook(self._stdin, host=host)
        else:
            raise ConfigurationError("the hook's input is empty; give --command TEXT, or a hook's JSON on stdin")
        mode, cwd, policy_file = (options.get(name) for name in ("--mode", "--cwd", "--policy"))
        request = replace(request, mode=mode or request.mode, cwd=cwd or request.cwd)
        situation = situation_of(request, self._settings, policy_file=Path(policy_file) if policy_file else None)
        self._notes = situation.notes
        self._journal = Journal(
            self._settings.metrics, command="classify", host=request.host, served=self._served, began=self._began
        )
        self._asking = Asking(
            request,
            situation.policy,
            situation.context,
            self._settings,
            self._journal,
            model=options.get("--model"),
            effort=options.get("--effort"),
            timeout=float(options["--timeout"]) if "--timeout" in options else None,
        )
        asked = self._asking.question()
        return self._judged(asked) if isinstance(asked, Verdict) else asked

    def _judged(self, verdict: Verdict) -> Finished:
        if self._journal is not None:
            self._journal.judged(verdict)
        status = _STATUS[verdict.behavior] if "--exit-code" in self._options else 0
        return Finished(_encoded(json_line(verdict.to_json()) + "\n"), self._stderr(""), status)

    def _stderr(self, more: str) -> bytes:
        return _encoded("".join(f"codex-oauth: {note}\n" for note in self._notes) + more)


Command: TypeAlias = HookCommand | ClassifyCommand


def command_of(
    options: Mapping[str, str],
    *,
    stdin: bytes,
    cwd: str,
    settings: Settings,
    served: Served = "process",
    began: float | None = None,
) -> Command:
    """A command.

    Args:
        options: As `codex_oauth.thin.options.parse` gives them.
        stdin: Its whole input.
        cwd: The folder that it runs in.
        settings: As `settings_of` gives them.
        served: Who makes the call, for the metrics: the process that was asked, or the warm service.
        began: When the request began, by `time.perf_counter()`; now if None.
    """
    if options["command"] == "hook":
        return HookCommand(options, stdin, settings, served, began)
    return ClassifyCommand(options, stdin, cwd, settings, served, began)


def broken(options: Mapping[str, str], error: Exception, name: FailureClass | None = None) -> Finished:
    """What a command leaves behind that could not even begin.

    Args:
        options: The command's.
        error: What happened.
        name: The class of the failure, where the error does not say it.
    """
    if options["command"] == "hook":
        on_failure: Any = options.get("--on-failure")
        return finished(failed(error, name or failure_class(error), on_failure))
    if not isinstance(error, CodexOAuthError):
        raise error
    return Finished(b"", _encoded(f"{explain(error)}\n"), error.exit_status)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
