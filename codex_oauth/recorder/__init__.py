"""What the model was sent and what it answered, kept: one record for each of its responses, off unless asked for.

A `Recorder` takes the events of calls, makes a record of each `ResponseCompleted`, and hands it to its sinks, in a
thread of its own: a `FileSink` appends it to a file of JSON Lines, a `TapesSink` posts it to a tapes server. Nothing
that goes wrong with it fails a call.
"""

from __future__ import annotations

from codex_oauth.recorder.file import FileSink
from codex_oauth.recorder.opening import Recording, recorded_settings, recorder_of
from codex_oauth.recorder.recorder import Recorder, RecordSink
from codex_oauth.recorder.tapes_sink import TapesSink

__all__ = ("FileSink", "RecordSink", "Recorder", "Recording", "TapesSink", "recorded_settings", "recorder_of")
