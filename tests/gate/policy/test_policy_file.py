"""One policy file, read: what it says, and what it is told where it is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_oauth.gate.policy import FAILURE_CLASSES, Rule
from codex_oauth.gate.policy.file import MAX_BYTES, PolicyFile, Section, parse_policy
from codex_oauth.gate.policy.lines import KeyLines

ID = "1 to 64 letters, digits, '.', '_', '/' or '-', and begin with a letter or digit"
ABOVE = "it belongs above the first line with a [table], at the top of the file"
FULL = '''\
on_uncertain = "deny"
when_nobody = "ask"
model = "gpt-6-luna"
effort = "low"
timeout = 20
transcript = false
host_permissions = false
environment = ["A throw-away container."]
append_environment = ["No Docker."]
disable = ["read-only"]
project_policies = "trusted"

[[rules]]
id = "push"
ask = "Pushes to a remote."

[[append_rules]]
id = "staging/db"
deny = """
  Touches the staging database,
  even to read it.
"""
deny_message = "Use the local one."

[[append_rules]]
id = "format"
allow = "Runs a formatter."
remember = "session"

[on_failure]
timeout = "deny"
default = "ask"

[host.codex]
timeout = 5.5
[[host.codex.append_rules]]
id = "no-docker"
deny = "Starts a container."

[mode.plan]
transcript = true
rules = []
'''


def problems(text: str) -> list[str]:
    """What is wrong with a file, each with its line."""
    return [problem.at("gate.toml") for problem in parse_policy(text.encode())[1]]


def read(text: str) -> PolicyFile:
    """What a file without problems says."""
    file, wrong = parse_policy(text.encode())
    assert wrong == ()
    return file


def test_everything_that_a_file_can_say_is_read() -> None:
    assert read(FULL) == PolicyFile(
        base=Section(
            on_uncertain="deny",
            when_nobody="ask",
            model="gpt-6-luna",
            effort="low",
            timeout=20,
            transcript=False,
            host_permissions=False,
            environment=("A throw-away container.",),
            append_environment=("No Docker.",),
            disable=("read-only",),
            rules=(Rule(id="push", kind="ask", text="Pushes to a remote."),),
            append_rules=(
                Rule(
                    id="staging/db",
                    kind="deny",
                    text="Touches the staging database, even to read it.",
                    deny_message="Use the local one.",
                ),
                Rule(id="format", kind="allow", text="Runs a formatter.", remember="session"),
            ),
            on_failure={"timeout": "deny", "default": "ask"},
        ),
        hosts={
            "codex": Section(timeout=5.5, append_rules=(Rule(id="no-docker", kind="deny", text="Starts a container."),))
        },
        modes={"plan": Section(transcript=True, rules=())},
        project_policies="trusted",
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff# a mark\n", "\r\n", "[host]\n[mode]\n[on_failure]\n"])
def test_a_file_may_say_nothing(text: str) -> None:
    assert read(text) == PolicyFile()


def test_a_file_may_have_the_lines_of_windows() -> None:
    assert read(FULL.replace("\n", "\r\n")) == read(FULL)
    assert problems("# first\r\n\r\nefort = 'x'\r\n") == ["gate.toml:3: unknown key 'efort'; did you mean 'effort'?"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("on_uncertian = 'ask'", "1: unknown key 'on_uncertian'; did you mean 'on_uncertain'?"),
        ("\nOn-Failure = 1", "2: unknown key 'On-Failure'; did you mean 'on_failure'?"),
        ("on_uncertain = 'Ask'", "1: 'on_uncertain' must be \"ask\", \"allow\" or \"deny\""),
        ("when_nobody = true", "1: 'when_nobody' must be \"ask\", \"allow\" or \"deny\""),
        (
            "project_policies = 'on'",
            "1: 'project_policies' must be \"untracked\", \"trusted\", \"required\" or \"off\"",
        ),
        ("model = ''", "1: 'model' must be a string, not empty, and without spaces"),
        ("effort = 3", "1: 'effort' must be a string, and is a number"),
        ("timeout = '20'", "1: 'timeout' must be seconds, more than 0 and at most 86400, and is a string"),
        ("timeout = true", "1: 'timeout' must be seconds, more than 0 and at most 86400, and is true or false"),
        ("timeout = 0", "1: 'timeout' must be seconds, more than 0 and at most 86400"),
        ("timeout = nan", "1: 'timeout' must be seconds, more than 0 and at most 86400"),
        ("timeout = inf", "1: 'timeout' must be seconds, more than 0 and at most 86400"),
        (f"timeout = 1{'0' * 400}", "1: 'timeout' must be seconds, more than 0 and at most 86400"),
        ("transcript = 'yes'", "1: 'transcript' must be true or false, and is a string"),
        ("host_permissions = 2026-01-01", "1: 'host_permissions' must be true or false, and is a date or time"),
        ("environment = 'x'", "1: 'environment' must be a list of strings, and is a string"),
        ("environment = ['x', 1]", "1: item 2 of 'environment' must be a string, and is a number"),
        ("append_environment = ['\t']", "1: item 1 of 'append_environment' is empty"),
        ("disable = 'push'", "1: 'disable' must be a list of rules' ids, and is a string"),
        ("disable = ['push', 'a b']", "1: item 2 of 'disable' is no rule's id"),
        ("on_failure = 'ask'", "1: 'on_failure' must be a table, and is a string"),
        (
            "[on_failure]\ntimeout = 'allow'",
            "2: 'on_failure.timeout' must be \"ask\" or \"deny\": a failure is never an allow",
        ),
        ("[on_failure]\ndefualt = 'ask'", "2: unknown class of failure 'defualt'; did you mean 'default'?"),
        ("on_failure.limits = 'ask'", "1: unknown class of failure 'limits'; did you mean 'limit'?"),
        ("host = 1", "1: 'host' must be a table such as [host.claude], and is a number"),
        ("[host.claud]", "1: unknown host 'claud'; did you mean 'claude'?"),
        ("[host]\nclaude = 1", "2: 'host.claude' must be a table, and is a number"),
        ("[mode.acceptedits]", "1: unknown mode 'acceptedits'; did you mean 'acceptEdits'?"),
        ("[host.claude]\nmodle = 'x'", "2: unknown key 'modle'; did you mean 'model'?"),
        (
            "[host.claude.mode.plan]",
            "1: unknown key 'mode': it can only stand at the top of the file, not inside [host.claude]",
        ),
        (
            "[mode.plan]\nproject_policies = 'off'",
            "2: unknown key 'project_policies': it can only stand at the top of the file, not inside [mode.plan]",
        ),
        (
            "[mode]\neffort = 'x'",
            "2: unknown mode 'effort'; 'effort' belongs at the top of the file, or in a section such as [mode.default]",
        ),
        ("deny = 'x'", "1: unknown key 'deny': it belongs to a rule, below a line [[append_rules]]"),
        ("rules = 1", "1: 'rules' must be a list of tables, and is a number"),
        ("rules = ['x']", "1: item 1 of 'rules' must be a table, and is a string"),
        ("[rules]\nid = 'x'", "1: 'rules' is a list of tables: write [[rules]], with two brackets"),
        (
            "[host.claude.append_rules]",
            "1: 'append_rules' is a list of tables: write [[host.claude.append_rules]], with two brackets",
        ),
        ("[[rules]]\nask = 'x'", "1: rule 1 has no 'id'"),
        ("[[rules]]\nid = '-x'\nask = 'x'", f"2: the 'id' of rule 1 must be {ID}"),
        (f"[[rules]]\nid = '{'x' * 65}'\nask = 'x'", f"2: the 'id' of rule 1 must be {ID}"),
        ("[[rules]]\nid = 'two words'\nask = 'x'", f"2: the 'id' of rule 1 must be {ID}"),
        ("[[rules]]\nask = 'x'\nid = 5", f"3: the 'id' of rule 1 must be {ID}"),
        ("[[rules]]\nid = 'a'", "1: rule 'a' must have exactly one of 'allow', 'deny' and 'ask', and has none"),
        (
            "[[rules]]\nid = 'a'\nask = 'x'\n\ndeny = 'y'",
            "1: rule 'a' must have exactly one of 'allow', 'deny' and 'ask', and has 'ask' and 'deny'",
        ),
        ("[[rules]]\nid = 'a'\nask = ' '", "3: 'ask' of rule 'a' is empty"),
        ("[[rules]]\nid = 'a'\nask = 3", "3: 'ask' of rule 'a' must be a string, and is a number"),
        (
            '[[rules]]\nid = "a"\nask = "x \\u202e y"',
            "3: 'ask' of rule 'a' has a character that cannot be seen (U+202E): take it out",
        ),
        (
            "[[rules]]\nid = 'a'\nask = 'x'\ndeny_message = 'y'",
            "4: 'deny_message' goes with 'deny' only, and rule 'a' is 'ask'",
        ),
        (
            "[[rules]]\nid = 'a'\ndeny = 'x'\nremember = 'session'",
            "4: 'remember' goes with 'allow' only, and rule 'a' is 'deny'",
        ),
        (
            "[[rules]]\nid = 'a'\nallow = 'x'\nremember = 'ever'",
            "4: 'remember' must be \"session\" or \"local\"",
        ),
        ("[[rules]]\nid = 'a'\nallow = 'x'\ntimeout = 5", f"4: unknown key 'timeout' in rule 'a': {ABOVE}"),
        ("[on_failure]\ndisable = []", f"2: unknown class of failure 'disable': {ABOVE}"),
        ("[[rules]]\nid = 'a'\nalow = 'x'\nask = 'y'", "3: unknown key 'alow' in rule 'a'; did you mean 'allow'?"),
        (
            "[[rules]]\nid = 'a'\nask = 'x'\n\n[[rules]]\nask = 'y'\nid = 'a'",
            "7: the id 'a' is used twice in 'rules' (first on line 2)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_what_would_be_right(text: str, told: str) -> None:
    assert problems(text) == [f"gate.toml:{told}"]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = "modle = 'x'\ntimeout = 'y'\n[mode.plan]\nrules = 3\n[[rules]]\n[host]\nclod = {}\n"
    assert [told.split(":")[1] for told in problems(text)] == ["1", "2", "4", "5", "5", "7"]


def test_the_same_id_may_be_in_two_lists() -> None:
    rules = "[[{}]]\nid = 'a'\nask = 'x'\n"
    assert problems("".join(map(rules.format, ("rules", "append_rules", "mode.plan.rules", "host.codex.rules")))) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = ", "gate.toml:1: not valid TOML: Invalid value, at the end of the file"),
        (b"timeout = 1\n\ntimeout = 2\n", "gate.toml:3: not valid TOML: Cannot overwrite a value, at column 12"),
        (b"model = 'x", "gate.toml:1: not valid TOML: "),
        (b"# one\n# two\n[[rules]\n", "gate.toml:3: not valid TOML: "),
        (b"a = " + b"[" * 5000, "gate.toml: not valid TOML: nested too deeply"),
        (b"timeout = " + b"1" * 5000, "gate.toml: not valid TOML: a value that cannot be read"),
        (b"# one\na." + b"a." * 100_000 + b"a = 1", "gate.toml:2: a line with more than 200 dots"),
        (b"# one\nmodel = 'caf\xe9'", "gate.toml:2: not UTF-8: save the file in that encoding"),
        (b"\xff\xfem\x00", "gate.toml:1: not UTF-8: save the file in that encoding"),
        (b"#" * (MAX_BYTES + 1), "gate.toml: the file is larger than 256 KiB"),
    ],
    ids=range(10),
)
def test_a_file_that_is_no_toml_is_told_where(content: bytes, told: str) -> None:
    file, wrong = parse_policy(content)
    assert file == PolicyFile()
    assert len(wrong) == 1
    assert wrong[0].at("gate.toml").startswith(told)


def test_the_largest_file_is_read() -> None:
    assert parse_policy(b"#" * MAX_BYTES)[1] == ()


@pytest.mark.parametrize(
    "unseen", ["\\u0000", "\\u001b", "\\u007f", "\\u0085", "\\u200b", "\\u2066", "\\ufeff", "\\U000e0041"]
)
def test_no_sentence_has_characters_that_a_person_does_not_see(unseen: str) -> None:
    for text in (f'[[rules]]\nid = "a"\ndeny = "x{unseen}y"', f'environment = ["x{unseen}y"]', f'model = "x{unseen}y"'):
        assert len(problems(text)) == 1, text


def test_a_sentence_over_several_lines_is_one() -> None:
    text = '[[rules]]\nid = "a"\ndeny = """\nOne\r\n\ttwo \\\n   three.\n"""\ndeny_message = " x\\ny "'
    assert read(text).base.rules == (Rule(id="a", kind="deny", text="One two three.", deny_message="x y"),)


def test_a_message_holds_no_more_of_the_file_than_the_start_of_a_key() -> None:
    (told,) = problems(f"{'x' * 5000} = 'sk-secret-of-the-user'")
    assert len(told) < 400
    assert "secret" not in told


def test_the_lines_of_every_way_to_write_a_key_are_found() -> None:
    text = """\
# a comment with \"\"\" and [
a.b = 1
a.c.d = '''
x = 1
'''
"q uoted" = { in = 1, list = [
  { first = 1 },
] }
[t]
x = 1
[[l]]
x = 1
[l.sub]
y = 1
[[l]]   # another
z = [
  1, # ]
  2,
]
[[ l . "m" ]]
w = 1
[l.m.n]
"""
    lines = KeyLines(text)
    assert {
        path: lines.of(path)
        for path in [
            ("a",), ("a", "b"), ("a", "c"), ("a", "c", "d"), ("q uoted", "in"), ("q uoted", "list", 0, "first"),
            ("t",), ("t", "x"), ("l",), ("l", 0), ("l", 0, "x"), ("l", 0, "sub", "y"), ("l", 1), ("l", 1, "z"),
            ("l", 1, "z", 1), ("l", 1, "m", 0, "w"), ("l", 1, "m", 0, "n"), ("nowhere",), ("t", "nowhere"),
        ]
    } == {
        ("a",): 2, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", "d"): 3, ("q uoted", "in"): 6,
        ("q uoted", "list", 0, "first"): 6, ("t",): 9, ("t", "x"): 10, ("l",): 11, ("l", 0): 11, ("l", 0, "x"): 12,
        ("l", 0, "sub", "y"): 14, ("l", 1): 15, ("l", 1, "z"): 16, ("l", 1, "z", 1): 16, ("l", 1, "m", 0, "w"): 21,
        ("l", 1, "m", 0, "n"): 22, ("nowhere",): None, ("t", "nowhere"): 9,
    }  # fmt: skip


def test_the_lines_of_an_absurd_file_are_given_up() -> None:
    text = "environment = [\n" + "  '[x]',\n" * 20_000 + "]\nfoo = 1\n"
    assert problems(text)[0].startswith("gate.toml: unknown key 'foo'")


def test_every_class_of_failure_can_be_named() -> None:
    text = "[on_failure]\n" + "".join(f"{name} = 'deny'\n" for name in (*FAILURE_CLASSES, "default"))
    assert set(read(text).base.on_failure) == {*FAILURE_CLASSES, "default"}


def test_the_ids_of_a_file_are_those_of_all_of_its_sections() -> None:
    assert read(FULL).rule_ids == {"push", "staging/db", "format", "no-docker"}


def test_reading_a_file_that_is_right_loads_neither_the_hints_nor_a_schema() -> None:
    program = (
        "import sys; from codex_oauth.gate.policy.file import parse_policy\n"
        "before = set(sys.modules)\n"
        "assert parse_policy(sys.argv[1].encode())[1] == ()\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program, FULL], capture_output=True, text=True, timeout=30, check=True)
    assert {"codex_oauth", "tomllib"} <= set(done.stdout.split())
    assert set(done.stdout.split()) & {"difflib", "jsonschema", "pydantic", "rich", "click"} == set()
