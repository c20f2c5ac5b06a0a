"""The command line: parse, call, print; no mathematics."""

from .app import app, main

__all__ = ["app", "main"]
