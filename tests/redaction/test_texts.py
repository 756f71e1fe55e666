"""What is taken out of a text, and what stays in it."""

from __future__ import annotations

import json

import pytest

from codex_oauth.redaction import redact
from tests.redaction.harmless import HARMLESS, REFERENCES
from tests.secrets_shapes import SHAPES

TOKEN = "Ab3dEf6hIj9kLm2nOp5qRs8t"

MORE_TOKENS = (
    *(
        "ghu_{}",
        "ghr_{}",
        "gldt-{}",
        "xapp-1-{}",
        "whsec_{}",
        "ASIA{:.16}",
        "AGE-SECRET-KEY-1{}",
        "ATATT3{}",
        "ya29.{}",
    ),
    *("GOCSPX-{}", "hvs.{}", "SG.{}.{}", "shpat_0123456789abcdef0123", "dop_v1_0123456789abcdef0123456789abcdef"),
    *("dapi0123456789abcdef0123456789abcdef", "gsk_{}", "xai-{}", "pplx-{}", "lin_api_{}", "sntrys_{}", "rt.1.{}"),
)

FOUND = {
    # What is written: what it becomes.
    f"Bearer {TOKEN}": "Bearer [secret: token]",
    f'curl -H "Authorization: token {TOKEN}" x': 'curl -H "Authorization: token [secret: credentials]" x',
    f"http GET x Authorization:'Bearer {TOKEN}'": "http GET x Authorization:'Bearer [secret: token]'",
    f'req.Header.Set("X-Api-Key", "{TOKEN}")': 'req.Header.Set("X-Api-Key", "[secret: key]")',
    f"<input name='csrf_token' value='{TOKEN}'>": "<input name='csrf_token' value='[secret: token]'>",
    "curl -sSu alice:hunter2 x": "curl -sSu alice:[secret: password] x",
    "curl -ualice:'hunter2' x": "curl -ualice:'[secret: password]' x",
    "curl --proxy-user=alice:hunter2 x": "curl --proxy-user=alice:[secret: password] x",
    "curl -b sid=hunter2 x": "curl -b sid=[secret: cookie] x",
    "curl \\\n  -u alice:hunter2 \\\n  x": "curl \\\n  -u alice:[secret: password] \\\n  x",
    "mysqldump -uroot -p'hunter2' shop": "mysqldump -uroot -p'[secret: password]' shop",
    "sshpass -phunter2 ssh x": "sshpass -p[secret: password] ssh x",
    "redis-cli -h x -a hunter2 ping": "redis-cli -h x -a [secret: password] ping",
    "ldapsearch -D x -w hunter2": "ldapsearch -D x -w [secret: password]",
    "unzip -P hunter2 a.zip": "unzip -P [secret: password] a.zip",
    "gh secret set FOO --body hunter2": "gh secret set FOO --body [secret: password]",
    "vault kv put secret/x password=hunter2": "vault kv put secret/x password=[secret: password]",
    "kubectl create secret generic x --from-literal=password=hunter2": (
        "kubectl create secret generic x --from-literal=password=[secret: password]"
    ),
    "echo 'root:hunter2' | chpasswd": "echo 'root:[secret: password]' | chpasswd",
    "docker login --password-stdin <<< hunter2": "docker login --password-stdin <<< [secret: password]",
    "set -x GH_TOKEN hunter2": "set -x GH_TOKEN [secret: token]",
    "setx API_KEY hunter2": "setx API_KEY [secret: key]",
    '$env:API_KEY = "hunter2"': '$env:API_KEY = "[secret: key]"',
    "ConvertTo-SecureString 'hunter2' -AsPlainText": "ConvertTo-SecureString '[secret: password]' -AsPlainText",
    "PASSWORD='hun'\"ter\"2": "PASSWORD='[secret: password]'\"[secret: password]\"[secret: password]",
    "ALTER USER x IDENTIFIED BY 'hunter2'": "ALTER USER x IDENTIFIED BY '[secret: password]'",
    "define('DB_PASSWORD', 'hunter2');": "define('DB_PASSWORD', '[secret: password]');",
    "token: str = 'hunter2'": "token: str = '[secret: token]'",
    'password := "hunter2"': 'password := "[secret: password]"',
    "host=x user=y password=hunter2 dbname=z": "host=x user=y password=[secret: password] dbname=z",
    "mongodb://u:hun@ter2@a,b/x": "mongodb://u:[secret: password]@a,b/x",
    "redis://:hunter2@cache": "redis://:[secret: password]@cache",
    f"https://{TOKEN}@example.com/x.git": "https://[secret: token]@example.com/x.git",
    f"https://x.example/?key={TOKEN}&a=1": "https://x.example/?key=[secret: key]&a=1",
    f"STRIPE_KEY={TOKEN}": "STRIPE_KEY=[secret: key]",
    f"_auth={TOKEN}": "_auth=[secret: token]",
    f"format-of-a-long-name-with-words.ghp_{TOKEN}": "format-of-a-long-name-with-words.[secret: github token]",
    f"\\nghp_{TOKEN}": "\\n[secret: github token]",
    "[['Authorization', 'Bearer hunter2x']]": "[['Authorization', 'Bearer [secret: token]']]",
    "+password: hunter2\n-password: hunter3": "+password: [secret: password]\n-password: [secret: password]",
    f"a {TOKEN} b --toKen {TOKEN}": f"a {TOKEN} b --toKen [secret: token]",
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_secret_of_this_shape_is_taken_out_and_what_is_around_it_stays(name: str) -> None:
    shape = SHAPES[name]
    shown = redact(shape.text)
    assert shape.secret not in shown.text
    assert shown.count == 1
    before, after = shape.template.split("{secret}")
    assert shown.text.startswith(before.rpartition(" ")[0])
    assert shown.text.endswith(after[-4:])
    assert "[secret: " in shown.text


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("around", ["Runs `{}` now", "First.\n{}\nLast.\n", '{{"command": "{}"}}', "({})", "$ {}"])
def test_a_secret_is_taken_out_whatever_is_around_it(name: str, around: str) -> None:
    shape = SHAPES[name]
    assert shape.secret not in redact(around.format(shape.text)).text


@pytest.mark.parametrize("form", MORE_TOKENS)
def test_tokens_of_other_services_are_known_by_their_shape_too(form: str) -> None:
    token = form.format(*2 * ["AB12CD34EF56GH78JK90"])
    assert redact(f"use {token} for it").text.startswith("use [secret: ")
    assert redact(f"use {token} for it").text.endswith("] for it")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://api.telegram.org/bot123456789:AA{TOKEN}abcdefghi/getMe", "bot123456789:AA[secret: token]/getMe"),
        (f"https://discord.com/api/webhooks/123456/{TOKEN}", "/api/webhooks/123456/[secret: webhook]"),
    ],
)
def test_of_an_address_that_is_a_secret_only_that_part_is_taken_out(address: str, shown: str) -> None:
    assert redact(f"curl {address}").text.endswith(shown)


def diffed(text: str, mark: str) -> str:
    return "@@\n" + "".join(f"{mark}{line}\n" for line in text.split("\n"))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("mark", ["+", "-", " ", "> "])
def test_a_secret_is_taken_out_of_a_diff(name: str, mark: str) -> None:
    shape = SHAPES[name]
    shown = redact(diffed(shape.text, mark)).text
    assert shape.secret not in shown
    assert all(line.startswith(mark) for line in shown.split("\n")[1:-1])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_secret_is_taken_out_of_json_that_was_written_out(name: str, depth: int) -> None:
    shape = SHAPES[name]
    text = diffed(shape.text, "-")
    for _ in range(depth):
        text = json.dumps({"text": text})
    assert shape.secret not in redact(text).text


@pytest.mark.parametrize("text", FOUND)
def test_a_secret_is_replaced_and_nothing_else(text: str) -> None:
    shown = redact(text)
    assert shown.text == FOUND[text]
    assert shown.count == shown.text.count("[secret: ")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    shown = redact(text)
    assert (shown.text, shown.count, shown.hid_syntax) == (text, 0, False)


@pytest.mark.parametrize("text", REFERENCES)
def test_a_reference_is_no_secret(text: str) -> None:
    shown = redact(text)
    assert (shown.text, shown.count, shown.hid_syntax) == (text, 0, False)


@pytest.mark.parametrize("text", [*FOUND, *(shape.text for shape in SHAPES.values())])
def test_a_second_time_changes_nothing(text: str) -> None:
    once = redact(text).text
    again = redact(once)
    assert (again.text, again.count) == (once, 0)


def test_what_was_found_is_not_in_its_representation() -> None:
    assert TOKEN not in repr(redact(f"echo {TOKEN} --token {TOKEN}"))
