"""The stand-in itself: one object that starts it, tells it what to answer, and says what was asked."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .backend import Backend, Responder
from .certificates import certificates
from .inference import Inference
from .proxy import Proxy
from .recorded import Recorded
from .recording import Recording
from .replies import RateLimits
from .script import Answer, Script
from .sign_ins import SignIns
from .tokens import Account

__all__ = ["LoopbackChatGPT"]


class LoopbackChatGPT(SignIns, Recorded):
    """ChatGPT's backend on 127.0.0.1, for the unmodified `codex` binary to talk to without a network or an account.

    It runs in a thread of its own, so that it serves synchronous code, asyncio, trio and subprocesses alike. Every
    method and property may be used from any thread; those that wait block, and belong in a worker thread when called
    from async code.

        with LoopbackChatGPT() as chatgpt:
            chatgpt.sign_in(codex_home)
            chatgpt.script(Text("hello"), usage_limit_reached())
            subprocess.run([...], env={**os.environ, **chatgpt.environment, "CODEX_HOME": str(codex_home)})
            assert chatgpt.model_requests[0].text == "..."

    Args:
        plan: The plan of accounts signed in without naming one, e.g. `free`, `plus`, `pro`.
        email: Their e-mail address.
        account_id: Their ChatGPT account id.
        websocket: False answers the WebSocket upgrade with 426, so that the client uses POST and SSE.
        latency: Seconds before every model answer.
    """

    def __init__(
        self,
        *,
        plan: str = "plus",
        email: str = "person@example.com",
        account_id: str = "acc_1",
        websocket: bool = True,
        latency: float = 0.0,
    ) -> None:
        SignIns.__init__(self, Account(account_id, email, plan), self._port)
        Recorded.__init__(self, Recording())
        self._script = Script()
        self._inference = Inference(self._recording, self._script)
        self._inference.websocket = websocket
        self._inference.latency = latency
        self._backend = Backend(self._recording, self._tokens, self._auth, self._inference)
        self._proxy = Proxy(self._recording, self._backend.handle)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._listening_on = 0

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begins to listen on a free port of 127.0.0.1; the context manager does it too.

        Raises:
            RuntimeError: It was started before.
            OSError: There is no free port, or no room for the certificate.
        """
        if self._thread is not None:
            raise RuntimeError("a LoopbackChatGPT is started once")
        authority = certificates().authority
        # It also goes when nobody closes the stand-in and the interpreter ends.
        self._folder = tempfile.TemporaryDirectory(prefix="loopback-chatgpt-", ignore_cleanup_errors=True)
        self.ca_file.write_bytes(authority)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="loopback-chatgpt", daemon=True)
        self._thread.start()
        ready.wait()
        if self.errors:
            self.close()
            raise self.errors[0]
        return self

    def close(self) -> None:
        """Cuts every connection, ends the thread and removes the certificate. Closing again does nothing."""
        loop, stopped, thread = self._loop, self._stopped, self._thread
        if loop is not None and stopped is not None:
            self._loop = None
            loop.call_soon_threadsafe(stopped.set)
        if thread is not None:
            thread.join()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        # An exception in a scripted callable would otherwise only be seen as a strange answer of the service.
        if error is None and self.errors:
            raise self.errors[0]

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:  # noqa: BLE001 - raised again by `start`, or at the end of the block
            self._recording.error(error)
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def listening(port: int) -> None:
            self._listening_on, self._loop, self._stopped = port, loop, stopped
            ready.set()

        await self._proxy.serve(listening, stopped)

    # --- how to reach it ---------------------------------------------------------------------------------------------

    @property
    def proxy_url(self) -> str:
        """The address of the CONNECT proxy, the only way in.

        Raises:
            RuntimeError: It is not started.
        """
        return f"http://127.0.0.1:{self._port()}"

    @property
    def ca_file(self) -> Path:
        """The certificate, as PEM, that a client of the stand-in has to trust. It exists until `close`.

        Raises:
            RuntimeError: It is not started.
        """
        if self._folder is None:
            raise RuntimeError("the LoopbackChatGPT is not started")
        return Path(self._folder.name) / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead codex here; put them into the environment of the process that starts it.

        `NO_PROXY` is emptied, since a machine's own setting could lead the binary past the stand-in to the network.
        """
        return {
            "HTTPS_PROXY": self.proxy_url,
            "https_proxy": self.proxy_url,
            "NO_PROXY": "",
            "no_proxy": "",
            "CODEX_CA_CERTIFICATE": str(self.ca_file),
        }

    def _port(self) -> int:
        if not self._listening_on:
            raise RuntimeError("the LoopbackChatGPT is not started")
        return self._listening_on

    # --- what it answers ---------------------------------------------------------------------------------------------

    @property
    def default(self) -> Answer:
        """The reply when nothing is queued: a value of the requested schema, or else an echo, until it is set."""
        return self._script.default

    @default.setter
    def default(self, answer: Answer) -> None:
        self._script.default = answer

    @property
    def pending(self) -> int:
        """How many queued replies were not asked for yet."""
        return len(self._script)

    def script(self, *replies: Answer) -> None:
        """Queues replies: each model request takes one, a prewarm takes none.

        A callable is given the request and returns the reply. It runs in the stand-in's thread and must not block;
        what it raises is kept in `errors`. A client that retries takes the next reply for each attempt.
        """
        self._script.add(*replies)

    def respond(self, path: str, responder: Responder | None) -> None:
        """Answers every request for `path` with `responder` instead of the stand-in's own answer.

        A callable is given the request, so that it may tell methods apart, and returns None to leave a request to the
        stand-in. `HANG` and `DROP` give no answer at all. None in place of a responder takes an override back.
        """
        if responder is None:
            self._backend.overrides.pop(path, None)
        else:
            self._backend.overrides[path] = responder

    @property
    def websocket(self) -> bool:
        """Whether new WebSocket upgrades are accepted; otherwise they are answered with 426."""
        return self._inference.websocket

    @websocket.setter
    def websocket(self, accepted: bool) -> None:
        self._inference.websocket = accepted

    @property
    def latency(self) -> float:
        """Seconds before every model answer."""
        return self._inference.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._inference.latency = seconds

    @property
    def rate_limits(self) -> RateLimits | None:
        """What is reported beside each model answer and on the usage page; None, the default, reports nothing."""
        return self._inference.rate_limits

    @rate_limits.setter
    def rate_limits(self, limits: RateLimits | None) -> None:
        self._inference.rate_limits = limits

    @property
    def models(self) -> list[Mapping[str, Any]]:
        """The entries of `GET /backend-api/codex/models`, none at first. Only asked for without a pinned catalogue."""
        return self._backend.models

    @models.setter
    def models(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._backend.models = list(entries)

    @property
    def offline(self) -> bool:
        """Whether there is no network: setting it cuts every connection, and new ones are dropped at CONNECT."""
        return self._proxy.offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self._proxy.offline = offline
        if offline and (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._proxy.drop_all)

    def reset(self) -> None:
        """Forgets what was recorded and what is queued; accounts, overrides and settings stay."""
        self._script.clear()
        self._recording.clear()
