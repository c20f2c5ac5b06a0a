"""Commands that are listed without being loaded: `v2g --help` needs names and sentences alone."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

MARKUP: Literal["markdown"] = "markdown"
"""How the texts of the help are written."""


class Listed(TyperCommand):
    """A command by its name and its sentence; its module is loaded when the command is used.

    Parameters
    ----------
    name : str
        The word on the command line.
    module : str
        The module of this folder whose `add` registers it.
    sentence : str
        The first sentence of its help, as in the docstring of its function.
    """

    def __init__(self, name: str, module: str, sentence: str):
        super().__init__(name, help=sentence, rich_markup_mode=MARKUP)
        self.module = module

    def loaded(self) -> Any:
        """The command itself, with its options."""
        app = typer.Typer(rich_markup_mode=MARKUP)
        import_module(f".{self.module}", __package__).add(app)
        return typer.main.get_group(app).commands[str(self.name)]

    def make_context(self, *words: Any, **extra: Any) -> Any:
        """Read a command line with the options of the loaded command, which then runs."""
        return self.loaded().make_context(*words, **extra)


class ListedGroup(TyperGroup):
    """A group of listed commands under one word of the command line."""

    def __init__(self, name: str, sentence: str, commands: Iterable[Listed]):
        super().__init__(
            name=name,
            help=sentence,
            commands=list(commands),
            no_args_is_help=True,
            rich_markup_mode=MARKUP,
        )
