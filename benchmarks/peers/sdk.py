# pyright: basic, reportMissingImports=false
"""The official SDK, as its documentation has it: a script that asks once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openai_codex import ApprovalMode, Codex, CodexConfig, Sandbox

request = json.loads(Path(sys.argv[2]).read_bytes())
with Codex(CodexConfig(codex_bin=sys.argv[1])) as codex:
    thread = codex.thread_start(
        approval_mode=ApprovalMode.deny_all,
        base_instructions=request["instructions"],
        ephemeral=True,
        model=request["model"],
        sandbox=Sandbox.read_only,
    )
    result = thread.run(request["prompt"], effort=request["effort"], output_schema=request["schema"])
    print(json.dumps(json.loads(result.final_response or "")))
