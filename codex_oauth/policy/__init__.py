"""How a call is made: deadline > structured output > concurrency > retry, outermost first.

The deadline covers queueing, repairs and retries. A repair is a new turn, so it passes concurrency and retry again. A
place is held across a retry's attempts, which also eases the load while the app-server says that it is busy.
"""

from codex_oauth.policy.concurrency import Concurrency, Places, available_memory
from codex_oauth.policy.deadline import Deadline
from codex_oauth.policy.retry import Retry
from codex_oauth.policy.runner import Runner
from codex_oauth.policy.structured_output import StructuredOutput

__all__ = ("Concurrency", "Deadline", "Places", "Retry", "Runner", "StructuredOutput", "available_memory")
