"""Records posted to a tapes server, by way of a spool: nothing is lost while the server is down."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from codex_oauth.recorder.ingest import Fate, Ingest
from codex_oauth.recorder.spool import MOST_BYTES, Spool
from codex_oauth.recorder.tapes import tapes_payload
from codex_oauth.recorder.trouble import Trouble

__all__ = ("TapesSink", "spool_folder")

_SPREAD: Final = random.Random()
# Of its own: it draws in another thread, and the program may have a seed.

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts while the server is down: twice as many each time, up to this."""

_LOOK_AGAIN: Final = 0.2
"""Seconds after which to look whether the process that empties the spool has left anything."""


class _Outcome(Enum):
    EMPTY = auto()
    DOWN = auto()
    TAKEN = auto()
    """Another process empties the spool."""


class TapesSink:
    """Posts each record to the `/v1/ingest` of a tapes server, in the order in which they came.

    Every payload goes through the spool, a folder that outlives this process: it is written there first, posted by a
    thread, and removed once the server has it. While the server is down, or answers with a 5xx, payloads wait; this
    process tries again, and so does the next one that records. They are posted under the same `request_id` each time,
    so that the server keeps one that it got twice only once. A payload that the server refuses (4xx) is never posted
    again: it is set aside in the spool's `rejected.jsonl`.

    Args:
        url: The server's ingest address, such as `http://127.0.0.1:8082`. Plain HTTP is for this machine only.
        spool: The folder that holds the spools, one for each server; by default `tapes` in the state folder.
        timeout: Seconds that the server may take to answer.
        first_pause: Seconds before the second attempt; twice as many before each that follows, at most a minute.
        most_bytes: How much may wait, in bytes.

    Attributes:
        trouble: What went wrong so far, by kind: `down`, `rejected`, `elsewhere`, `spool`.

    Raises:
        ConfigurationError: The address is none, or the configuration file is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        spool: str | os.PathLike[str] | None = None,
        timeout: float = 10.0,
        first_pause: float = _FIRST_PAUSE,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.trouble = Trouble()
        self._server = Ingest(url, timeout=timeout)
        if spool is None:
            from codex_oauth.config import load_settings

            spool = load_settings().state_dir / "tapes"
        folder = Path(os.path.abspath(os.path.expanduser(spool)))
        self._spool = Spool(spool_folder(folder, self._server), most_bytes=most_bytes)
        self._first_pause = first_pause
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._added = 0
        self._closing = False
        self._abandoned = False
        self._accepted = 0

    @property
    def accepted(self) -> int:
        """How many payloads the server took from this sink: those that waited from before, too."""
        return self._accepted

    @property
    def spool(self) -> Spool:
        """Where payloads wait."""
        return self._spool

    def write(self, record: Mapping[str, Any], /) -> None:
        """Put a record's payload into the spool. A response without output is no turn to the server, and is left out.

        Raises:
            OSError: It could not be written, or no more may wait.
        """
        payload = tapes_payload(record)
        if payload is None:
            return
        self._spool.add(record["request_id"], json.dumps(payload, separators=(",", ":")).encode("ascii"))
        with self._changed:
            self._added += 1
            self._closing = self._abandoned = False
            # A thread does not outlive a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="codex-oauth-tapes", daemon=True)
                self._thread.start()

    def close(self, timeout: float, /) -> None:
        """Post what waits, if the server takes it: at most so many seconds, and at most one more attempt."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._thread is None or not self._thread.is_alive(), timeout):
                self._abandoned = True

    def _run(self) -> None:
        pause = self._first_pause
        while True:
            with self._changed:
                seen = self._added
            try:
                outcome = self._drain()
            except OSError as error:
                self.trouble.note("spool", f"the spool for {self._server.host} cannot be used", error)
                outcome = _Outcome.DOWN
            with self._changed:
                if self._is_over(outcome, seen):
                    self._thread = None
                    self._changed.notify_all()
                    return
                match outcome:
                    case _Outcome.EMPTY:
                        pause = self._first_pause
                    case _Outcome.TAKEN:
                        self._changed.wait(_LOOK_AGAIN)
                    case _Outcome.DOWN:
                        # Many that wait for one server must not all come at once.
                        self._sleep(pause * _SPREAD.uniform(0.75, 1.25))
                        pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_over(self, outcome: _Outcome, seen: int) -> bool:
        if self._abandoned:
            return True
        if outcome is _Outcome.EMPTY:
            return self._added == seen
        return self._closing and outcome is _Outcome.DOWN

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)

    def _drain(self) -> _Outcome:
        if not self._spool.waiting():
            return _Outcome.EMPTY
        with self._spool.taking() as alone:
            if not alone:
                return _Outcome.TAKEN
            # Looked for only now: what another process has just posted is gone.
            while waiting := self._spool.waiting():
                for path in waiting:
                    if self._abandoned or not self._deliver(path):
                        return _Outcome.DOWN
        return _Outcome.EMPTY

    def _deliver(self, path: Path) -> bool:
        """Post a payload; whether it is done with."""
        host = self._server.host
        try:
            payload = path.read_bytes()
        except FileNotFoundError:
            return True  # somebody has tidied up
        answer = self._server.post(payload)
        match answer.fate:
            case Fate.ACCEPTED:
                path.unlink(missing_ok=True)
                self._accepted += 1
            case Fate.REFUSED:
                kept = self._spool.reject(path, answer.status, answer.words)
                where = f"; {self._spool.rejected} has it" if kept else ""
                self.trouble.note("rejected", f"{host} refuses a response with status {answer.status}{where}")
            case Fate.ELSEWHERE:
                words = (
                    f"{host} answers with status {answer.status}, not 202: it is not the ingest port of a tapes server"
                )
                self.trouble.note("elsewhere", words)
                return False
            case Fate.LATER:
                why = f"status {answer.status}" if answer.status else "no answer"
                self.trouble.note("down", f"{host} takes no responses now ({why}); they wait in {self._spool.folder}")
                return False
        return True


def spool_folder(folder: Path, server: Ingest) -> Path:
    """The spool of one server among those of others."""
    readable = re.sub(r"[^A-Za-z0-9.-]", "_", server.host)
    return folder / f"{readable}-{hashlib.sha256(server.url.encode()).hexdigest()[:8]}"
