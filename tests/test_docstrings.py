"""Docstrings of the public surface: a short sentence, sections, and an example that runs.

Public are the names of `v2g_linopy.__all__` and of its room of data, the figures of
`result.plot`, and the records that the author of a part writes.
"""

import ast
import doctest
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

import v2g_linopy as v2g
from v2g_linopy import data, model
from v2g_linopy.case.schema import Field, Schema
from v2g_linopy.report.figures.accessor import ResultPlots
from v2g_linopy.study.explain import NotInResult

PACKAGE = Path(v2g.__file__).parent
ASSUMPTIONS = (data.BatteryAssumption, data.Regulation)
RECORDS: list[type] = [ResultPlots, Field, Schema, *ASSUMPTIONS]
RECORDS += [getattr(model, name) for name in model.__all__]
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "References", "Examples")
LONGEST = 100
"""Columns of a line."""


# --- examples ---------------------------------------------------------------------------------


def modules_with_examples() -> list[str]:
    """Names of the modules in which an example stands."""
    files = [f for f in sorted(PACKAGE.rglob("*.py")) if ">>> " in f.read_text(encoding="utf-8")]
    paths = [f.relative_to(PACKAGE.parent).with_suffix("") for f in files]
    return [".".join(p.parts).removesuffix(".__init__") for p in paths]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every example of a module gives what it says; those of methods go on from that of the class.

    Each runs in a folder of its own, so that it may write files.
    """
    known: dict[str, dict[str, Any]] = {}
    said: list[str] = []
    for test in doctest.DocTestFinder().find(import_module(name), name):
        folder = tmp_path / test.name
        folder.mkdir()
        monkeypatch.chdir(folder)
        test.globs |= known.get(test.name.rpartition(".")[0], {})
        doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
        known[test.name] = test.globs
    assert not said, "".join(said)


# --- the public surface -----------------------------------------------------------------------


def public() -> dict[str, Any]:
    """Every public function and class, and every public method of the records, by name."""
    found: dict[str, Any] = {}
    for name, thing in named():
        if isinstance(thing, ModuleType):
            found |= {f"{name}.{n}": x for n, x in own(thing)}
        elif callable(thing):
            found[name] = thing
    for record in (r for r in RECORDS if not issubclass(r, Enum)):
        found[record.__name__] = record
        found |= {f"{record.__name__}.{n}": x for n, x in methods(record)}
    return found


def named() -> Iterator[tuple[str, Any]]:
    """Yield what can be imported from the package, and from its room of data."""
    for room in (v2g, data):
        for name in room.__all__:
            yield name, getattr(room, name)


def own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the public functions and classes that a module defines."""
    for name, thing in vars(module).items():
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__:
            yield name, thing


def methods(record: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class."""
    for name, thing in vars(record).items():
        if not name.startswith("_") and inspect.isfunction(thing):
            yield name, thing


PUBLIC = public()


def sections(thing: Any) -> dict[str, list[str]]:
    """The lines of a docstring by the heading that they stand under; the summary under ''."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch("-{3,}", below) and len(below) == len(line):
            current = line
            found[current] = []
        elif not (current and re.fullmatch("-{3,}", line)):
            found[current].append(line)
    return found


def entries(lines: list[str]) -> list[str]:
    """Names that a section defines: `a, b : float` are two of them."""
    heads = [line.partition(" : ")[0] for line in lines if line and not line.startswith(" ")]
    return [name.strip() for head in heads for name in head.split(",")]


def parameters(thing: Any) -> list[str]:
    """Names of the parameters of a call, as a docstring writes them.

    An error that is made as its base class is says them there.
    """
    if isinstance(thing, type) and issubclass(thing, Exception) and "__init__" not in vars(thing):
        return []
    stars = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    given = inspect.signature(thing).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in given if p.name != "self"]


def faults(of: Callable[[Any], str]) -> list[str]:
    """What a rule finds, over all public names."""
    return [f"{name}: {fault}" for name, thing in PUBLIC.items() if (fault := of(thing))]


def test_first_line_is_one_short_sentence():
    """A list of names shows the first line alone."""

    def fault(thing: Any) -> str:
        first, *rest = (thing.__doc__ or "").splitlines() or [""]
        whole = first.endswith((".", "::")) and not (rest and rest[0].strip())
        return (
            "" if whole and len(first) <= LONGEST - 7 else f"{first!r} is no sentence of one line"
        )

    assert not faults(fault)


def test_sections_are_known_and_in_order():
    """Each section is there once, under the heading and in the order of numpydoc."""

    def fault(thing: Any) -> str:
        doc = inspect.getdoc(thing) or ""
        headings = re.findall(r"^(\w+)\n-{3,}$", doc, re.MULTILINE)
        known = [heading for heading in SECTIONS if heading in headings]
        return "" if headings == known else f"has the sections {headings}"

    assert not faults(fault)


def test_every_parameter_is_described():
    """Parameters stand in their section with the name that the signature gives them, and a type."""

    def fault(thing: Any) -> str:
        lines = sections(thing).get("Parameters", [])
        if untyped := [x for x in lines if x and x[0] not in " *" and " : " not in x]:
            return f"gives no type for {untyped}"
        described, wanted = entries(lines), parameters(thing)
        return "" if described == wanted else f"describes {described}, takes {wanted}"

    assert not faults(fault)


def test_every_result_is_described():
    """A function that returns something says what, of which dimensions and unit."""

    def fault(thing: Any) -> str:
        if isinstance(thing, type) or inspect.signature(thing).return_annotation in (None, "None"):
            return ""
        return "" if sections(thing).get("Returns") else "does not say what it returns"

    assert not faults(fault)


def test_every_public_name_has_an_example():
    """One section of examples, with at least one line that runs."""

    def fault(thing: Any) -> str:
        lines = sections(thing).get("Examples", [])
        return "" if any(line.startswith(">>> ") for line in lines) else "has no example"

    assert not faults(fault)


# --- errors -----------------------------------------------------------------------------------

Errors = frozenset[type[Exception]]


class Raised(ast.NodeVisitor):
    """Errors of this package that a function raises by itself or through what it calls by name.

    Calls of methods are not followed, so it finds the least that there is.
    """

    def __init__(self, names: dict[str, Any]):
        self.names, self.found = names, set[type[Exception]]()

    def visit_Raise(self, node: ast.Raise) -> None:
        """An error, or what a function makes that returns one."""
        made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        thing = self.named(made)
        if inspect.isfunction(thing):
            thing = get_type_hints(thing).get("return")
        if isinstance(thing, type) and issubclass(thing, v2g.V2GError):
            self.found.add(thing)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A function of this package."""
        thing = self.named(node.func)
        if inspect.isfunction(thing) and thing.__module__.startswith(v2g.__name__):
            self.found |= errors_of(thing)
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        """What a handler catches is raised no more, unless it raises it again."""
        inside = Raised(self.names)
        for statement in node.body:
            inside.visit(statement)
        caught = tuple(c for h in node.handlers for c in self.caught(h))
        self.found |= {e for e in inside.found if not issubclass(e, caught)}
        for other in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(other)

    def caught(self, handler: ast.ExceptHandler) -> list[type]:
        """Classes that a handler names; none where it raises them again."""
        again = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(handler))
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return [c for k in kinds if isinstance(c := self.named(k), type) and not again]

    def named(self, node: ast.AST | None) -> Any:
        """What a name, or a name of a module or class, stands for where the function is."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.named(node.value)
            known = isinstance(owner, type | ModuleType)
            found = getattr(owner, node.attr, None) if known else None
            return getattr(found, "__func__", found)
        return None


KNOWN: dict[Any, Errors] = {}
"""Errors of the functions read so far; none yet of one that is being read."""


def errors_of(function: Any) -> Errors:
    """Errors of this package that a function can raise, as far as names tell."""
    function = inspect.unwrap(function)
    if function not in KNOWN:
        KNOWN[function] = frozenset()
        if inspect.isfunction(function):
            reader = Raised(function.__globals__)
            reader.visit(ast.parse(textwrap.dedent(inspect.getsource(function))))
            KNOWN[function] = frozenset(reader.found)
    return KNOWN[function]


def test_every_error_is_described():
    """What a function raises stands in its section, by its name or that of a base class."""
    classes = {c.__name__: c for c in (*vars(v2g.errors).values(), NotInResult) if is_error(c)}

    def fault(thing: Any) -> str:
        told = entries(sections(thing).get("Raises", []))
        known = tuple(classes[name] for name in told if name in classes)
        missing = [e.__name__ for e in errors_of(thing) if not issubclass(e, known)]
        strange = [name for name in told if name not in classes and name != "TypeError"]
        return f"raises {missing}, and tells of {strange}" if missing or strange else ""

    assert not faults(fault)


def is_error(thing: Any) -> bool:
    """True for an error of this package."""
    return isinstance(thing, type) and issubclass(thing, v2g.V2GError)
