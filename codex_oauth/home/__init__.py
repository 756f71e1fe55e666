"""The CODEX_HOME that calls run in."""

from codex_oauth.home.foreign import foreign_home
from codex_oauth.home.managed import Home, HomeWatch, prepare_home, ready_home, work_dir

__all__ = (
    "Home",
    "HomeWatch",
    "foreign_home",
    "prepare_home",
    "ready_home",
    "work_dir",
)
