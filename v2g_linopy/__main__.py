"""`python -m v2g_linopy` is the command `v2g`."""

from .cli import main

main()
