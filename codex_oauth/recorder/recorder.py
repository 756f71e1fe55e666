"""Takes the model's responses as they come, and hands their records to sinks without keeping a call waiting."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable
from weakref import WeakSet

from codex_oauth.events import Event, ResponseCompleted
from codex_oauth.recorder.trouble import Trouble
from codex_oauth.types import ModelResponse

__all__ = ("RecordSink", "Recorder", "close_all")

_WAITING: Final = 1_000
"""Responses that may wait for their record to be made. One takes a millisecond or two; of more than that, the newest
are lost, and counted."""

_IDLE: Final = 5.0
"""Seconds without a response after which the thread ends. The next one starts another."""

_GRACE: Final = 2.0
"""Seconds that sinks have at the end for what is still under way."""


@runtime_checkable
class RecordSink(Protocol):
    """Where records go."""

    def write(self, record: Mapping[str, Any], /) -> None:
        """Take a record: an object of `schemas/recorded-response.schema.json`. Called from one thread, in order.

        Raises:
            Exception: It could not be kept. That is counted and said once, and fails nothing.
        """
        ...

    def close(self, timeout: float, /) -> None:
        """Finish what is under way, in at most so many seconds. It may be written to again."""
        ...


class Recorder:
    """Makes a record of each model response, and hands it to the sinks.

    It may serve many clients and many tasks at once. Closing it waits for what was observed; it can go on after that.
    What is not closed is closed as the interpreter ends.

    Args:
        sinks: Where the records go.
        redact: Whether secrets in texts are replaced, as the gate does it. Without it, prompts and replies are kept as
            they were. Tokens, headers, the account's id and its e-mail address are in no record either way.
        images: Whether images are kept. Without it, a digest and the size stand for each.
        project: A name of your own that each record carries.

    Attributes:
        trouble: What went wrong so far, by kind.
    """

    def __init__(
        self, sinks: Sequence[RecordSink], *, redact: bool = True, images: bool = False, project: str | None = None
    ) -> None:
        self.trouble = Trouble()
        self._sinks = tuple(sinks)
        self._redact = redact
        self._images = images
        self._project = project
        self._waiting: queue.SimpleQueue[_Observed] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._pending = 0
        self._worker: threading.Thread | None = None
        self._recorded = 0
        _RECORDERS.add(self)

    @property
    def sinks(self) -> tuple[RecordSink, ...]:
        """Where the records go."""
        return self._sinks

    @property
    def recorded(self) -> int:
        """How many responses every sink has taken."""
        return self._recorded

    def observe(self, event: Event, *, label: str | None = None, codex_version: str | None = None) -> None:
        """Take an event of a call: only a `ResponseCompleted` counts. It returns at once, and raises nothing.

        Args:
            event: The event.
            label: What the call is, as in the metrics: `complete`, `respond`, a label of the caller's.
            codex_version: The app-server's version.
        """
        if not isinstance(event, ResponseCompleted):
            return
        try:
            self._observe(_Observed(event.response, label, codex_version))
        except Exception as error:  # noqa: BLE001 - a recorder fails no call, not even where no thread can be started
            self.trouble.note("lost", "a response is not recorded", error)

    def _observe(self, observed: _Observed) -> None:
        with self._changed:
            if self._pending >= _WAITING:
                self.trouble.note("lost", "responses come faster than they can be recorded, and some are not")
                return
            self._pending += 1
            self._waiting.put(observed)
            # A thread does not outlive a fork.
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._run, name="codex-oauth-recorder", daemon=True)
                self._worker.start()

    def flush(self, timeout: float = _GRACE) -> bool:
        """Wait until the sinks have what was observed: it is in the file, or in the spool.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether they have.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, timeout)

    async def aflush(self, timeout: float = _GRACE) -> bool:
        """The same, for asynchronous code. Cancelling it gives up the waiting alone."""
        if not self._pending:
            return True
        import anyio.to_thread

        return await anyio.to_thread.run_sync(self.flush, timeout, abandon_on_cancel=True)

    def close(self, timeout: float = _GRACE) -> None:
        """Wait until the sinks have what was observed, and have done with it what can be done in the time."""
        until = time.monotonic() + timeout
        self.flush(timeout)
        for sink in self._sinks:
            try:
                sink.close(max(0.0, until - time.monotonic()))
            except Exception as error:  # noqa: BLE001 - a sink of the caller's own may raise anything
                self.trouble.note("sink", f"{type(sink).__name__} could not be closed", error)

    async def aclose(self, timeout: float = _GRACE) -> None:
        """The same, for asynchronous code."""
        import anyio.to_thread

        await anyio.to_thread.run_sync(self.close, timeout, abandon_on_cancel=True)

    def _run(self) -> None:
        while True:
            try:
                observed = self._waiting.get(timeout=_IDLE)
            except queue.Empty:
                with self._changed:
                    if not self._pending:
                        self._worker = None
                        return
                continue
            try:
                self._record(observed)
            except Exception as error:  # noqa: BLE001 - whatever a response holds, the next one is to be recorded
                self.trouble.note("lost", "a response is not recorded", error)
            finally:
                with self._changed:
                    self._pending -= 1
                    self._changed.notify_all()

    def _record(self, observed: _Observed) -> None:
        from codex_oauth.recorder.record import record_of

        record = record_of(
            observed.response,
            label=observed.label,
            codex_version=observed.codex_version,
            project=self._project,
            redact=self._redact,
            images=self._images,
        )
        taken = 0
        for sink in self._sinks:
            try:
                sink.write(record)
                taken += 1
            except Exception as error:  # noqa: BLE001 - a sink of the caller's own may raise anything
                self.trouble.note("sink", f"{type(sink).__name__} does not take a record", error)
        self._recorded += taken == len(self._sinks)


class _Observed:
    """A response, and what is known of its call."""

    __slots__ = ("codex_version", "label", "response")

    def __init__(self, response: ModelResponse, label: str | None, codex_version: str | None) -> None:
        self.response = response
        self.label = label
        self.codex_version = codex_version


_RECORDERS: WeakSet[Recorder] = WeakSet()


@atexit.register
def close_all() -> None:
    """Close every recorder of this process: what its end does, for one that ends without saying goodbye."""
    # Not every client is closed. Recorders that work are kept alive by their thread.
    recorders = tuple(_RECORDERS)
    until = time.monotonic() + _GRACE
    # Files first: one server that hangs must not take the time of all.
    for recorder in recorders:
        recorder.flush(max(0.0, until - time.monotonic()))
    for recorder in recorders:
        recorder.close(max(0.0, until - time.monotonic()))
