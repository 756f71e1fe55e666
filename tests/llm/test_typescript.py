"""The example in TypeScript, run by node against the real endpoint, and against one that answers badly."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Empty, Hang, LoopbackChatGPT, Text, usage_limit_reached
from tests.real.samples import PROMPT, REPLY

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "llm_context.ts"
NODE: Final = shutil.which("node")
TOKEN: Final = "codex-oauth-test-token-0123456789"

# A runtime: it is told prompts and ceilings, and prints what each comes to.
RUNTIME: Final = """
import { endpointLlm } from %s;
for (const [prompt, maxTokens] of JSON.parse(process.argv[2])) {
  try {
    const llm = endpointLlm(process.env);
    console.log(JSON.stringify(await llm.complete(prompt, maxTokens ? { maxTokens } : undefined)));
  } catch (error) {
    console.log(JSON.stringify({ name: error.name, message: error.message }));
  }
}
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

Ask = tuple[str, int | None]


def run(folder: Path, asks: Sequence[Ask], **variables: str) -> list[Any]:
    """What the runtime prints: a text, or an error's name and message."""
    assert NODE is not None
    flags, module = _as_node_takes_it(NODE, folder)
    (folder / "runtime.mjs").write_text(RUNTIME % json.dumps(module.as_uri()), encoding="utf-8")
    done = subprocess.run(
        [NODE, *flags, str(folder / "runtime.mjs"), json.dumps(asks)],
        env=variables,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def _as_node_takes_it(node: str, folder: Path) -> tuple[list[str], Path]:
    """The example itself, where this node leaves types out; else a copy without them."""
    asked = "process.features.typescript || process.allowedNodeEnvironmentFlags.has('--experimental-strip-types')"
    knows = subprocess.run([node, "-p", asked], capture_output=True, timeout=20, check=True).stdout.decode().strip()
    if knows == "strip":
        return [], EXAMPLE
    if knows == "true":
        return ["--experimental-strip-types", "--no-warnings"], EXAMPLE
    copy = folder / "llm_context.mjs"
    copy.write_text(without_types(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    return [], copy


def without_types(source: str) -> str:
    """The few kinds of types that the example has, taken out. Node refuses what is left if it is no JavaScript."""
    source = re.sub(r"^interface \w+ \{\n(?:  .*\n)*\}\n", "", source, flags=re.MULTILINE)
    return re.sub(r"(?<=[\w)]): (?:Record<[^>]*>|[A-Z]\w+|string)(?=\)| \{| =>)", "", source)


@pytest.fixture
def endpoint(environ: dict[str, str], settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The base URL of a `codex-oauth serve --http`."""
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    serve = [sys.executable, "-m", "codex_oauth", "serve", "--http", "--port", "0", "--token-file", str(token)]
    with subprocess.Popen([*serve, "--no-access-log"], env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"listens at (http://\S+/v1)", process.stderr.readline())
            assert found is not None
            yield found[1]
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_it_fulfils_the_contract_on_the_real_endpoint(endpoint: str, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    chatgpt.script(Text(REPLY, chunks=4), Text("second"), Empty(), Hang("wombat " * 500), usage_limit_reached())
    asks: list[Ask] = [(PROMPT, None), ("Again?", 64), (PROMPT, None), (PROMPT, 20), (PROMPT, None)]
    said = run(tmp_path, asks, CODEX_OAUTH_LLM_URL=endpoint, CODEX_OAUTH_LLM_TOKEN=TOKEN)
    assert said[:2] == [REPLY, "second"]
    url = f"{endpoint}/chat/completions"
    assert [one["name"] for one in said[2:]] == ["Error"] * 3
    empty, long, used_up = (one["message"] for one in said[2:])
    assert empty.startswith(f"ctx.llm: {url} returned 502: ")
    assert long == "ctx.llm: Codex backend stream returned response.incomplete"
    assert used_up.startswith(f"ctx.llm: {url} returned 429: ")
    asked = [[part["text"] for item in one.context for part in item["content"]] for one in chatgpt.model_requests]
    assert asked[:2] == [[PROMPT], ["Again?"]]
    assert len(chatgpt.model_requests) == 5


def test_a_wrong_token_an_unknown_model_and_missing_variables_are_told(
    endpoint: str, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    url = f"ctx.llm: {endpoint}/chat/completions"
    given = {"CODEX_OAUTH_LLM_URL": f"{endpoint}/", "CODEX_OAUTH_LLM_TOKEN": TOKEN}
    (wrong,) = run(tmp_path, [(PROMPT, None)], **{**given, "CODEX_OAUTH_LLM_TOKEN": "another"})
    assert wrong["message"].startswith(f"{url} returned 401: ")
    (unknown,) = run(tmp_path, [(PROMPT, None)], **given, CODEX_OAUTH_LLM_MODEL="gpt-0")
    assert unknown["message"].startswith(f"{url} returned 404: ")
    (missing,) = run(tmp_path, [(PROMPT, None)], CODEX_OAUTH_LLM_URL=endpoint)
    assert missing["message"] == "ctx.llm: set CODEX_OAUTH_LLM_URL and CODEX_OAUTH_LLM_TOKEN"
    assert chatgpt.model_requests == ()


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Generator[str]:
    """A server that gives these answers, one after the other."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = left.pop(0)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_without_a_text_a_long_body_and_no_answer_are_errors(tmp_path: Path) -> None:
    empty = json.dumps({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": ""}}]})
    none = json.dumps({"choices": []})
    with answering((200, empty.encode()), (200, none.encode()), (500, b"x" * 600), (200, b"<html>")) as base:
        *said, other = run(tmp_path, [(PROMPT, None)] * 4, CODEX_OAUTH_LLM_URL=base, CODEX_OAUTH_LLM_TOKEN=TOKEN)
    url = f"{base}/chat/completions"
    (unreachable,) = run(tmp_path, [(PROMPT, None)], CODEX_OAUTH_LLM_URL=base, CODEX_OAUTH_LLM_TOKEN=TOKEN)
    assert [one["message"] for one in said] == [
        "ctx.llm: Codex backend response contained no output text",
        "ctx.llm: Codex backend response contained no output text",
        f"ctx.llm: {url} returned 500: {'x' * 500}…",
    ]
    assert other["message"].startswith(f"ctx.llm: request to {url} failed: SyntaxError: ")
    assert unreachable["message"].startswith(f"ctx.llm: request to {url} failed: Error: connect ECONNREFUSED")
