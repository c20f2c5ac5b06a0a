"""`python cli.py` is the command `v2g`, from a checkout."""

from v2g_linopy.commands import main

if __name__ == "__main__":
    main()
