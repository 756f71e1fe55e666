"""The generated modules, the pinned schema, the binary it came from, and the hand-written names agree."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import codex_cli_bin  # pyright: ignore[reportMissingTypeStubs]
import jsonschema
import pytest

from codex_oauth import protocol
from codex_oauth.protocol import METHODS, NOTIFICATIONS, SERVER_REQUESTS, SHAPES, _generated, check, methods

ROOT = Path(__file__).parent.parent.parent
PINNED: dict[str, Any] = json.loads((ROOT / "schemas/protocol/app-server.json").read_text(encoding="utf-8"))
CODEX = str(codex_cli_bin.bundled_codex_path())


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "scripts/generate_protocol.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_the_generated_modules_are_what_the_pinned_schema_gives() -> None:
    done = generate("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_pinned_schema_is_what_the_bundled_binary_gives() -> None:
    done = generate("--pin", "--check", "--codex", CODEX)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == 1, "only the versions that were compared"


def test_the_pinned_schema_is_structure_only() -> None:
    text = json.dumps(PINNED["definitions"])
    assert '"title":' not in text.replace('"title": {', "")
    assert '"description": "' not in text


@pytest.mark.parametrize(("section", "table"), [("requests", METHODS), ("server_requests", SERVER_REQUESTS)])
def test_every_pinned_method_has_its_name_and_its_own_shape(section: str, table: Any) -> None:
    received = "result" if section == "requests" else "params"
    pinned = {name: SHAPES[entry[received]] for name, entry in PINNED[section].items()}
    assert {name: getattr(method, received) for name, method in table.items()} == pinned


def test_every_pinned_notification_has_its_own_shape() -> None:
    assert dict(NOTIFICATIONS) == {name: SHAPES[params] for name, params in PINNED["notifications"].items()}


@pytest.mark.parametrize("module", [protocol, methods, _generated])
def test_public_names_are_sorted(module: Any) -> None:
    constants_first = sorted(module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert list(module.__all__) == constants_first


def test_the_package_exports_every_generated_type_and_every_method() -> None:
    assert {*_generated.__all__, *methods.__all__, "SHAPES", "Shape", "check"} == set(protocol.__all__)
    assert all(hasattr(protocol, name) for name in protocol.__all__)
    assert not hasattr(protocol, "Nonsense")


def test_importing_the_package_builds_no_types_and_loads_nothing_heavy() -> None:
    program = "import sys, codex_oauth.protocol; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT).split())
    assert not loaded & {"codex_oauth.protocol._generated", "pydantic", "jsonschema", "anyio", "dataclasses", "inspect"}


@contextlib.contextmanager
def app_server(home: Path) -> Any:
    # A home of its own and a dead proxy: nobody is signed in, and nothing reaches a network.
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "HTTPS_PROXY": "http://127.0.0.1:9"}
    argv = [CODEX, "app-server"]
    process = subprocess.Popen(argv, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, env=env, text=True, cwd=home)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_real_server_sends_what_the_shapes_and_the_schema_say(tmp_path: Path) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("initialize", {"clientInfo": {"name": "tests", "version": "0"}, "capabilities": {"experimentalApi": True}}),
        ("account/read", {}),
        ("model/list", {}),
        ("thread/start", {"ephemeral": True, "environments": [], "sandbox": "read-only", "approvalPolicy": "never"}),
        ("account/login/cancel", {"loginId": "00000000-0000-0000-0000-000000000000"}),
        ("account/logout", {}),
    ]
    seen: set[str] = set()
    with app_server(tmp_path) as process:
        for number, (name, params) in enumerate(calls):
            request = {"id": number, "method": name, "params": params if name != "account/logout" else None}
            process.stdin.write(json.dumps(request) + "\n" + '{"method":"initialized"}\n' * (number == 0))
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "id" in message:
                    assert "result" in message, message
                    accept(METHODS[name].result, PINNED["requests"][name]["result"], message["result"], name)
                    break
                seen.add(message["method"])
                if message["method"] in NOTIFICATIONS:
                    definition = PINNED["notifications"][message["method"]]
                    accept(NOTIFICATIONS[message["method"]], definition, message["params"], message["method"])
    assert "thread/started" in seen


def accept(shape: protocol.Shape, definition: str, value: Any, where: str) -> None:
    check(shape, value, where)
    jsonschema.validate(value, {"$ref": f"#/definitions/{definition}", "definitions": PINNED["definitions"]})
