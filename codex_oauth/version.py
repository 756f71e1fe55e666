"""The package's version, where both the build and the running code read it."""

__all__ = ("__version__",)

__version__ = "0.1.0"
