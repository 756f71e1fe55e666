"""Many questions of a file, answered into another one: each paid for once, however often the run is stopped."""

from codex_oauth.batch.items import Defaults, Item
from codex_oauth.batch.opening import Batch, open_batch
from codex_oauth.batch.records import answer_record, failure_record
from codex_oauth.batch.running import run_batch
from codex_oauth.batch.tally import Tally

__all__ = ("Batch", "Defaults", "Item", "Tally", "answer_record", "failure_record", "open_batch", "run_batch")
