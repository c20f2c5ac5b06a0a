"""`python cli.py` is the command `v2g`, from a checkout."""

from v2g_linopy.cli import main

if __name__ == "__main__":
    main()
