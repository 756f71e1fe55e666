"""A call as a process of its own: the app-server is started by the launch record, before anything else is known, and
the rest of the work is done while it starts, or while the service works."""

__all__ = ()
