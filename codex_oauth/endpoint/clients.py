"""What somebody types to point a client to the endpoint: the page's last part."""

from __future__ import annotations

from html import escape
from typing import Final

from codex_oauth.metrics import markup

__all__ = ("clients",)

_ANY_MODEL: Final = "default"

_SHELL: Final = """\
export OPENAI_BASE_URL={url}
export OPENAI_API_KEY="$({command})"
"""

_CURL: Final = """\
curl "$OPENAI_BASE_URL/chat/completions" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "{model}", "messages": [{{"role": "user", "content": "Is 91 prime?"}}]
  }}'
"""

_PYTHON: Final = """\
from openai import OpenAI

client = OpenAI()
response = client.responses.create(
    model="{model}", input="Is 91 prime?"
)
print(response.output_text)
"""

_TYPESCRIPT: Final = """\
import OpenAI from "openai";

const client = new OpenAI();
const response = await client.responses.create({{
  model: "{model}", input: "Is 91 prime?",
}});
console.log(response.output_text);
"""


def clients(base_url: str, token_command: str, model: str | None) -> str:
    """The card.

    Args:
        base_url: What a client is given, with `/v1`.
        token_command: The shell command that prints the token.
        model: The model to name; None for the endpoint's choice.
    """
    named = {"url": base_url, "command": token_command, "model": model or _ANY_MODEL}
    shell = _block("In the shell, for every client", "shell", _SHELL.format(**named))
    rest = "".join(
        f"<div>{_block(heading, language, text.format(**named))}</div>"
        for heading, language, text in (
            ("Python", "Python", _PYTHON),
            ("TypeScript", "TypeScript", _TYPESCRIPT),
        )
    )
    curl = _block("curl", "curl", _CURL.format(**named))
    words = "Anything that speaks OpenAI's API takes this base URL, and the token as its API key"
    return markup.card("Point a client here", words, f'{shell}<div class="clients">{rest}</div>{curl}', wide=True)


def _block(heading: str, language: str, text: str) -> str:
    # What scrolls has to be reachable with the keyboard.
    return f'<h3>{heading}</h3><pre tabindex="0" aria-label="{language}"><code>{escape(text)}</code></pre>'
