"""The shipped requests are what they say they are, and a file of one's own is read strictly."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import pytest
from jsonschema import Draft202012Validator

from codex_oauth.errors import ConfigurationError
from codex_oauth.gate import GitContext, HostPermissions, PermissionRequest, Transcript
from codex_oauth.gate.evaluation.labelled import read_labelled, selected
from codex_oauth.gate.policy import Behavior
from codex_oauth.gate.prompt import request_text
from tests.gate.evaluation.oracle import KINDS, labelled_line, write_lines

SCHEMA: Final = json.loads(
    (Path(__file__).parents[3] / "schemas/labelled-request.schema.json").read_text(encoding="utf-8")
)
VALIDATOR: Final[Any] = Draft202012Validator(SCHEMA)
TEXT: Final = (files("codex_oauth.gate.evaluation") / "data" / "requests.jsonl").read_text(encoding="utf-8")
LINES: Final[list[dict[str, Any]]] = [json.loads(line) for line in TEXT.splitlines()]
SHIPPED: Final = read_labelled()

COVERED: Final = {
    *(
        "alias",
        "backticks",
        "bidi",
        "brace",
        "bypass",
        "cd",
        "chmod",
        "comment",
        "compound",
        "credentials",
        "cron",
        "database",
    ),
    *("delimiter", "description", "device", "dns", "docker", "dotenv", "download-run", "encoding", "env-prefix"),
    *("eval", "exfiltration", "fake-system", "file-content", "find", "force-push", "function", "gh", "git", "git-c"),
    *("glob", "header", "heredoc", "history", "hooks", "ifs", "injection", "intent", "keychain", "kubernetes", "long"),
    *("lookalike", "make", "mcp", "mcp-argument", "newline", "no-rule", "node-e", "npm", "package", "padding"),
    *("patch", "perl-e", "permissions", "pipe", "plan", "policy", "process-substitution", "python-c", "query-string"),
    *("question", "read", "redirect", "rsync", "secret", "sh-c", "ssh", "subagent", "substitution", "sudo", "systemd"),
    *("terraform", "transcript", "unicode", "web", "windows", "write", "xargs", "zero-width"),
}
"""What there must be an example of."""


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items: list[Any] = list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else []
    items = cast("list[Any]", value) if isinstance(value, list) else items
    return [text for item in items for text in texts_of(item)]


def test_every_shipped_line_fits_the_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [line["id"] for line in LINES if not VALIDATOR.is_valid(line)] == []


def test_the_shipped_file_is_ascii_so_that_nothing_in_it_is_invisible() -> None:
    assert TEXT.isascii()
    assert TEXT.endswith("\n")


def test_there_are_many_and_no_two_alike() -> None:
    assert len(SHIPPED) >= 320
    assert len({labelled.id for labelled in SHIPPED}) == len(SHIPPED)

    def asked(line: dict[str, Any]) -> str:
        context = {name: value for name, value in line.get("context", {}).items() if name != "git"}
        request = line["request"]
        return json.dumps([request["tool_name"], request["tool_input"], request["permission_mode"], context])

    assert [text for text, number in Counter(map(asked, LINES)).items() if number > 1] == []


def test_sessions_are_not_shared_so_that_no_request_is_judged_by_what_became_of_another() -> None:
    assert len({labelled.request.session for labelled in SHIPPED}) == len(SHIPPED)


@pytest.mark.parametrize(
    ("expected", "least", "most"), [("allow", 0.35, 0.40), ("deny", 0.35, 0.40), ("ask", 0.20, 0.30)]
)
def test_every_verdict_has_its_share(expected: str, least: float, most: float) -> None:
    assert least <= sum(labelled.expected == expected for labelled in SHIPPED) / len(SHIPPED) <= most


@pytest.mark.parametrize("always", ["allow", "deny", "ask"])
def test_one_who_always_says_the_same_is_wrong_more_often_than_right(always: Behavior) -> None:
    assert sum(labelled.accepts(always) for labelled in SHIPPED) / len(SHIPPED) < 0.5


@pytest.mark.parametrize("host", ["claude", "codex"])
@pytest.mark.parametrize("expected", ["allow", "deny", "ask"])
def test_every_verdict_is_there_for_both_hosts(host: str, expected: str) -> None:
    assert sum((labelled.host, labelled.expected) == (host, expected) for labelled in SHIPPED) >= 30


def test_every_kind_of_trick_has_an_example() -> None:
    assert {tag for labelled in SHIPPED for tag in labelled.tags} >= COVERED


@pytest.mark.parametrize(
    ("host", "tools"),
    [
        ("claude", {"Bash", "Read", "Write", "Edit", "MultiEdit", "NotebookEdit", "Glob", "Grep", "WebFetch", "Task"}),
        ("claude", {"WebSearch", "ExitPlanMode", "AskUserQuestion", "mcp__filesystem__read_text_file"}),
        ("codex", {"Bash", "apply_patch", "mcp__git__git_commit"}),
    ],
)
def test_the_tools_of_both_hosts_are_there(host: str, tools: set[str]) -> None:
    assert tools <= {labelled.request.tool for labelled in SHIPPED if labelled.host == host}


def test_a_request_is_what_its_host_sends() -> None:
    common = {"session_id", "transcript_path", "cwd", "hook_event_name", "permission_mode", "tool_name", "tool_input"}
    own = {"claude": {"prompt_id", "effort"}, "codex": {"turn_id", "model"}}
    optional = {"claude": {"permission_suggestions", "agent_id", "agent_type"}, "codex": set[str]()}
    modes = {"claude": {"default", "acceptEdits", "plan"}, "codex": {"default", "bypassPermissions"}}
    for line in LINES:
        sent, host, name = line["request"], line["host"], line["id"]
        assert common | own[host] <= set(sent) <= common | own[host] | optional[host], name
        request = PermissionRequest.from_hook(json.dumps(sent))
        assert request.host == host, name
        assert (request.tool, request.tool_input) == (sent["tool_name"], sent["tool_input"]), name
        assert request.mode in modes[host], name
        assert request.mode != "bypassPermissions" or request.tool.startswith("mcp__"), name


def test_a_label_goes_together_with_the_built_in_rules() -> None:
    for labelled in SHIPPED:
        name, expected, rule = labelled.id, labelled.expected, labelled.rule
        assert labelled.tags or rule, name
        assert labelled.why.endswith("."), name
        # Where all three are right, nothing is tested.
        assert len(labelled.also) < 2, name
        assert expected not in labelled.also, name
        if rule is None:
            assert expected == "ask", f"{name}: an allow and a denial rest on a rule"
        elif KINDS[rule] != expected:
            # What the person asked for themselves is asked about instead of denied.
            assert (KINDS[rule], expected, "intent" in labelled.tags) == ("deny", "ask", True), name
        assert rule != "plan-changes-nothing" or labelled.request.mode == "plan", name
        assert "no-rule" not in labelled.tags or rule is None, name


def test_no_label_contradicts_what_becomes_of_a_verdict() -> None:
    for labelled in SHIPPED:
        request, name = labelled.request, labelled.id
        if request.needs_person:
            assert (labelled.expected, labelled.also) == ("ask", ()), name
        if request.nobody_can_be_asked and labelled.expected == "ask":
            assert labelled.also == ("deny",), f"{name}: where nobody can be asked, an ask becomes a denial"
        assert "long" not in labelled.tags or not labelled.accepts("allow"), name


def test_what_the_person_wants_softens_a_denial_and_never_makes_an_allow() -> None:
    wanted = [labelled for labelled in SHIPPED if "intent" in labelled.tags]
    for labelled in wanted:
        assert labelled.context is not None, labelled.id
        assert labelled.context.transcript is not None, labelled.id
        assert labelled.context.transcript.user, labelled.id
        assert labelled.rule is None or KINDS[labelled.rule] == "allow" or not labelled.accepts("allow"), labelled.id
    assert sum(labelled.expected == "ask" for labelled in wanted) >= 10
    assert sum(labelled.expected == "deny" for labelled in wanted) >= 5


def test_a_request_is_shown_whole_unless_it_is_too_long_or_has_a_secret() -> None:
    for labelled in SHIPPED:
        rendered = request_text(labelled.request, labelled.context)
        assert rendered.whole != ("long" in labelled.tags or rendered.secrets > 0), labelled.id
        # It could not be right in allowing it.
        assert rendered.whole or labelled.expected != "allow", labelled.id


def test_no_host_is_named_that_somebody_may_have() -> None:
    hosts = {
        host.lower()
        for text in texts_of(LINES)
        for host in re.findall(r"(?:[a-z0-9-]+\.)+(?:com|org|net|io|invalid)\b", text, re.IGNORECASE)
    }
    assert hosts
    assert {host for host in hosts if not re.fullmatch(r"(.+\.)?example\.com|.+\.invalid", host)} == set()
    addresses = {address for text in texts_of(LINES) for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)}
    assert addresses <= {"169.254.169.254", "192.0.2.7"}


def test_nothing_in_it_looks_like_a_key_that_somebody_may_have() -> None:
    looks_like_one = re.compile(r"AKIA[0-9A-Z]{12}|gh[pousr]_\w{20}|sk-[\w-]{20}|xox[abp]-|eyJ[\w-]{20}|-----BEGIN")
    assert [text for text in texts_of(LINES) if looks_like_one.search(text)] == []


# --- a file of one's own ---------------------------------------------------------------------------------------


def test_a_line_is_read_whole(tmp_path: Path) -> None:
    context = {
        "git": {"root": "/r", "branch": None, "main_worktree": "/m"},
        "paths": ["/r/a"],
        "permissions": {"allow": ["Bash(ls:*)"]},
        "transcript": {"user": ["Do it."], "tools": ["Bash: ls"]},
    }
    line = labelled_line("a", "deny", "ls", also=["ask"], rule="destroy", tags=["x", "y"], why="So.", context=context)
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\n" + json.dumps(line).encode() + b"\r\n\n")
    (read,) = read_labelled(path)
    assert (read.id, read.host, read.expected, read.also, read.rule) == ("a", "claude", "deny", ("ask",), "destroy")
    assert (read.tags, read.why, read.request.tool_input) == (("x", "y"), "So.", {"command": "ls"})
    assert [read.accepts(one) for one in ("allow", "deny", "ask")] == [False, True, True]
    assert read.context is not None
    assert read.context.git == GitContext(root="/r", branch=None, main_worktree="/m")
    assert read.context.paths == ("/r/a",)
    assert read.context.permissions == HostPermissions(allow=("Bash(ls:*)",))
    assert read.context.transcript == Transcript(user=("Do it.",), tools=("Bash: ls",))


def test_little_is_needed(tmp_path: Path) -> None:
    line = {"id": "a", "host": "codex", "expected": "ask", "request": {"tool_name": "Bash", "tool_input": {"x": 1}}}
    assert VALIDATOR.is_valid(line)
    (read,) = read_labelled(write_lines(tmp_path / "r", line))
    assert (read.also, read.rule, read.tags, read.why, read.context) == ((), None, (), "", None)


def test_the_digest_stands_for_the_request_and_not_for_its_label(tmp_path: Path) -> None:
    def digest(**members: Any) -> str:
        line = labelled_line("a", **{"expected": "ask", **members})
        return read_labelled(write_lines(tmp_path / "r", line))[0].digest

    first = digest(command="ls")
    assert first == digest(command="ls", expected="deny", why="Other words.", tags=["other"])
    assert first != digest(command="ls -a")
    assert first != digest(command="ls", context={"paths": ["/x"]})


GOOD: Final = labelled_line("a", "deny", "secret-content")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON (column 2)"),
        ("[1]", "the line is not a JSON object"),
        (json.dumps({**GOOD, "expects": "deny"}), "unknown member 'expects'; did you mean 'expected'?"),
        (json.dumps({**GOOD, "zzz": 1}), "unknown member 'zzz'; known are id, host,"),
        (json.dumps({**GOOD, "expected": "maybe"}), "'expected' must be allow or deny or ask"),
        (json.dumps({**GOOD, "expected": ["deny"]}), "'expected' must be allow or deny or ask"),
        (json.dumps({**GOOD, "host": "vim"}), "'host' must be claude or codex"),
        (json.dumps({**GOOD, "also": "ask"}), "'also' must be a list of texts"),
        (json.dumps({**GOOD, "also": ["never"]}), "'also' may hold allow, deny, ask"),
        (json.dumps({**GOOD, "id": " "}), "'id' must be text, and not empty"),
        (json.dumps({**GOOD, "rule": 7}), "'rule' must be text, and not empty"),
        (json.dumps({**GOOD, "why": ""}), "'why' must be text, and not empty"),
        (json.dumps({**GOOD, "tags": [1]}), "'tags' must be a list of texts"),
        (json.dumps({**GOOD, "request": "secret-content"}), "'request' is not a JSON object"),
        (json.dumps({**GOOD, "request": {"tool_input": {}}}), "'request' has no tool_name"),
        (
            json.dumps({**GOOD, "request": {**GOOD["request"], "hook_event_name": "PreToolUse"}}),
            "'request' is of another event than PermissionRequest",
        ),
        (
            json.dumps({**GOOD, "context": {"transcripts": {}}}),
            "'context' has an unknown member 'transcripts'; did you",
        ),
        (json.dumps({**GOOD, "context": {"git": {"branch": "x"}}}), "'root' must be text, and not empty"),
        (json.dumps({**GOOD, "context": {"transcript": {"user": "x"}}}), "'user' must be a list of texts"),
        (json.dumps({name: GOOD[name] for name in GOOD if name != "host"}), "'host' is missing"),
    ],
)
def test_a_line_that_is_wrong_says_where_and_what_and_not_what_it_holds(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(json.dumps(labelled_line("other", "ask", "ls")) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_labelled(path)
    assert caught.value.message.startswith(f"{path}, line 3: ")
    assert message in caught.value.message
    assert "secret-content" not in caught.value.message


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n \n", encoding="utf-8")
    binary.write_bytes(b'{"id": "\xff"}')
    twice = write_lines(tmp_path / "twice", GOOD, GOOD)
    for path, message in (
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (empty, "there is no request in it"),
        (binary, "not UTF-8 (byte 8)"),
        (twice, "the id 'a' is there twice"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            read_labelled(path)


# --- a part of the requests ------------------------------------------------------------------------------------


def test_tags_and_hosts_choose() -> None:
    chosen = selected(SHIPPED, tags=("cron", "systemd"), host="codex")
    assert chosen
    assert all(one.host == "codex" and {"cron", "systemd"} & set(one.tags) for one in chosen)
    assert selected(SHIPPED) == SHIPPED


@pytest.mark.parametrize("limit", [1, 7, 60, len(SHIPPED), 10_000])
def test_a_limit_takes_requests_from_all_over_the_file(limit: int) -> None:
    chosen = selected(SHIPPED, limit=limit)
    assert len({one.id for one in chosen}) == min(limit, len(SHIPPED))
    places = [SHIPPED.index(one) for one in chosen]
    assert places == sorted(places)
    distances = {after - before for before, after in pairwise(places)}
    assert not distances or max(distances) - min(distances) <= 1


def test_a_choice_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no request has the tag 'hereddoc'; did you mean 'heredoc'"):
        selected(SHIPPED, tags=("hereddoc",))
    with pytest.raises(ConfigurationError, match="no request is left"):
        selected(SHIPPED, tags=("patch",), host="claude")
