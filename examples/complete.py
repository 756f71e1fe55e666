"""A typed answer: run it with a question, such as `python examples/complete.py 'Is 91 prime?'`."""

import sys
from dataclasses import dataclass

from codex_oauth import Codex, CodexOAuthError


@dataclass
class Answer:
    """What the model is asked for."""

    reasoning: str
    answer: str
    confidence: float


def main() -> None:
    """Ask once and print what came back, and who paid."""
    try:
        reply = Codex().complete(" ".join(sys.argv[1:]) or "Is 91 prime?", output=Answer)
    except CodexOAuthError as error:
        sys.exit(f"{error.code}: {error}")
    print(f"{reply.output.answer} ({reply.output.confidence:.0%})")
    print(f"{reply.model}, {reply.usage.total} tokens, paid by {reply.account.kind} {reply.account.plan}")


if __name__ == "__main__":
    main()
