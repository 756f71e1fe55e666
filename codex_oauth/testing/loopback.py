"""The stand-in itself: one object that starts it, tells it what to answer, and says what was asked."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from .answers import Answers
from .api import Api
from .backend import Backend
from .certificates import API_HOST, HOSTS, certificates
from .inference import Inference
from .proxy import Proxy
from .recorded import Recorded
from .recording import Recording
from .script import Script
from .sign_ins import SignIns
from .tokens import Account

__all__ = ["LoopbackChatGPT"]


class LoopbackChatGPT(SignIns, Answers, Recorded):
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
        api_keys: The keys that `api.openai.com` takes. Without any, the default, that host is refused like all others.
    """

    def __init__(
        self,
        *,
        plan: str = "plus",
        email: str = "person@example.com",
        account_id: str = "acc_1",
        websocket: bool = True,
        latency: float = 0.0,
        api_keys: tuple[str, ...] = (),
    ) -> None:
        recording, script = Recording(), Script()
        inference = Inference(recording, script)
        Recorded.__init__(self, recording)
        SignIns.__init__(self, Account(account_id, email, plan), api_keys, recording, self._port)
        api = Api(api_keys, inference)
        Answers.__init__(self, script, inference, Backend(recording, self._tokens, self._auth, inference, api))
        self.websocket = websocket
        self.latency = latency
        hosts = (*HOSTS, API_HOST) if api_keys else HOSTS
        self._proxy = Proxy(recording, hosts, self._backend.handle)
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

    # --- what happens to it ------------------------------------------------------------------------------------------

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
