"""The CODEX_HOME that calls run in."""

from codex_oauth.home.foreign import foreign_home
from codex_oauth.home.managed import Home, prepare_home, ready_home, work_dir

__all__ = (
    "Home",
    "foreign_home",
    "prepare_home",
    "ready_home",
    "work_dir",
)
