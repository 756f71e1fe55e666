"""The model's word on a request, kept for the same request again: where the user's own policy file says for how long.

What was kept is no verdict: it is settled anew, by the policy that counts now, just as a reply of the model's is. Each
word has a file of its own, named by everything that it rests on, so that nobody needs a lock. One that is gone, cut off
or something else is a word that was never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.gate.canonical import canonical
from codex_oauth.gate.settling import settled
from codex_oauth.thin.place import make_folder
from codex_oauth.types import Account, Reply, Timing, Usage
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.gate.context import Context
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.prompt import Rendered
    from codex_oauth.gate.request import PermissionRequest
    from codex_oauth.gate.settling import Question
    from codex_oauth.gate.verdict import Verdict

__all__ = ("MOST", "KeptWord", "kept_word", "wallet")

MOST: Final = 500
"""Files that are kept; beyond, the oldest go. A session asks a few hundred times a day."""

_KEPT: Final = 24 * 3600
"""Seconds that a file is kept at most: a policy file can say no longer time either."""

_LONGEST: Final = 16 * 1024
"""Bytes of a file. A reason and a message for the agent take a few hundred."""

_WORDS_OF_ITS_OWN: Final = frozenset({"description", "justification"})
"""What an agent says about a shell command, each time in other words. The command is the same without them."""

_MEMBERS: Final = ("reason", "rule", "behavior", "deny_message")
_ELSEWHERE: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def kept_word(
    asked: Question,
    request: PermissionRequest,
    policy: Policy,
    rendered: Rendered,
    context: Context,
    settings: Settings,
) -> KeptWord | None:
    """The place of the model's word on a request; None where none is kept of it, or at all.

    A word is for the same rules, request and circumstances alone: those that the model is shown, but for the last calls
    of the agent, which are others each time.

    Args:
        asked: What the model is asked, with the model and the effort that were named.
        request: The request.
        policy: Says for how long.
        rendered: The request as the model is shown it. One with a secret in it, or that is not shown whole, has no
            place.
        context: What is known besides.
        settings: Whose plan pays, and where the files are.
    """
    if policy.cache <= 0 or not rendered.whole or rendered.secrets:
        return None
    if settings.external is not None and settings.external.command:
        return None  # whose token its command will print, nobody knows before
    shell = canonical(request.tool, request.tool_input)["action"] == "run a shell command"
    left_out = _WORDS_OF_ITS_OWN if shell else frozenset[str]()
    model = asked.model or settings.model
    transcript = context.transcript
    rests_on = json.dumps(
        {
            "version": __version__,
            "policy": policy.fingerprint,
            # The fingerprint is short: somebody may find other rules that have it.
            "instructions": asked.instructions,
            "host": request.host,
            "tool": request.tool,
            "input": {name: value for name, value in request.tool_input.items() if name not in left_out},
            "cwd": request.cwd,
            "mode": request.mode,
            "agent": request.agent,
            "git": asdict(context.git) if context.git else None,
            "paths": context.paths,
            "permissions": asdict(context.permissions) if context.permissions else None,
            "said": transcript.user if transcript else (),
            "model": model or settings.model_preference,
            "effort": asked.effort or settings.effort,
            "wallet": wallet(settings),
        },
        sort_keys=True,
    )
    name = hashlib.sha256(rests_on.encode()).hexdigest()
    return KeptWord(settings.state_dir / "gate" / "cache", name, policy.cache)


def wallet(settings: Settings) -> str:
    """Hexadecimal digits that stand for who pays: a home with its sign-in, or a token of somebody's.

    A home whose sign-in was changed, or taken away, is another wallet. So is one whose token was refreshed: that costs
    one verdict.
    """
    sign_in = None
    with suppress(OSError):
        found = os.stat(settings.home / "auth.json")
        # The time alone is the same for every file where a system fixes it, as for what is mounted or linked there.
        sign_in = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    external = asdict(settings.external) if settings.external else None
    content = json.dumps([str(settings.home), settings.managed, settings.profile, sign_in, external])
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()


class KeptWord:
    """The place of one word. Nothing that is wrong with it fails the request.

    Args:
        folder: Where the files are; made if need be.
        name: What it rests on, as 64 hexadecimal digits.
        seconds: How long a word counts.
    """

    def __init__(self, folder: Path, name: str, seconds: float) -> None:
        self._folder = folder
        self._name = name
        self._seconds = seconds

    def verdict(self, request: PermissionRequest, policy: Policy, rendered: Rendered) -> Verdict | None:
        """The verdict that the word makes; None where there is none that counts."""
        began = time.perf_counter()
        try:
            reply = self._reply()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if reply is None:
            return None
        verdict = settled(reply, request, policy, rendered)
        if not _may_be_kept(verdict) or verdict.behavior != reply.output["behavior"]:
            return None
        took = (time.perf_counter() - began) * 1000
        return replace(verdict, cached=True, timing=None, latency_ms=took)

    def keep(self, reply: Reply[Any], verdict: Verdict) -> None:
        """Keep the word that made a verdict, if that is the model's own, allows or denies, and came at the first try.

        A question to the person is not kept: they wait anyway, and the model may know better the next time.
        """
        if not _may_be_kept(verdict):
            return
        account = verdict.account
        content = json.dumps(
            {
                "name": self._name,
                "at": time.time(),
                "word": {member: reply.output[member] for member in _MEMBERS},
                "model": reply.model,
                "effort": reply.effort,
                "account": {"kind": account.kind, "plan": account.plan} if account else None,
                "codex_version": reply.codex_version,
            }
        ).encode("ascii")
        if len(content) > _LONGEST:
            return
        with suppress(OSError):
            make_folder(str(self._folder))
            if not _is_own(os.lstat(self._folder), stat.S_ISDIR):
                return
            self._forget_old()
            self._write(content)

    def _reply(self) -> Reply[Any] | None:
        descriptor = os.open(self._folder / self._name, os.O_RDONLY | _ELSEWHERE)
        with os.fdopen(descriptor, "rb") as file:
            # Somebody else's, or a link to what is: not the word of this user's model.
            if not _is_own(os.fstat(descriptor), stat.S_ISREG):
                return None
            kept = json.loads(file.read(_LONGEST))
        # A clock that was set back makes a word from the future, of which nobody knows how old it is.
        if kept["name"] != self._name or not 0 <= time.time() - kept["at"] < self._seconds:
            return None
        word = {member: kept["word"][member] for member in _MEMBERS}
        account = kept["account"]
        texts = (*word.values(), kept["model"], account["kind"])
        maybe = (kept["effort"], account["plan"], kept["codex_version"])
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(text, str | None) for text in maybe):
            return None
        return Reply(
            output=word,
            text="",
            usage=Usage(),
            model=kept["model"],
            effort=kept["effort"],
            account=Account(kind=account["kind"], plan=account["plan"]),
            timing=Timing(),
            repaired=False,
            warm=False,
            turn_id="",
            codex_version=kept["codex_version"],
        )

    def _write(self, content: bytes) -> None:
        new = self._folder / f".{self._name[:16]}.{os.getpid()}.{os.urandom(4).hex()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ELSEWHERE, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(new, self._folder / self._name)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise

    def _forget_old(self) -> None:
        found: list[tuple[float, Path]] = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                found.append((path.lstat().st_mtime, path))
        found.sort()
        too_many = max(0, len(found) - MOST + 1)
        before = time.time() - _KEPT
        for number, (written, path) in enumerate(found):
            if number >= too_many and written >= before:
                break
            with suppress(OSError):
                path.unlink()


def _may_be_kept(verdict: Verdict) -> bool:
    return verdict.source == "model" and verdict.behavior in ("allow", "deny") and not verdict.repaired


def _is_own(found: os.stat_result, kind: Any) -> bool:
    """Whether it is of that kind, this user's, and written by nobody else."""
    user = getattr(os, "geteuid", None)
    if user is None:
        return bool(kind(found.st_mode))  # there are neither owners nor modes
    return bool(kind(found.st_mode)) and found.st_uid == user() and not found.st_mode & 0o022
