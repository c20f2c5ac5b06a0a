"""`python -m v2g_linopy` is the command `v2g`."""

from .commands import main

main()
