"""Imports point strictly down, parts do not know each other, and nothing is imported inside a function (DESIGN §3)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "v2g_linopy"

# Layer of each module or subpackage; a module imports only from lower layers. Within `ingest`, `report`, `explain` and
# `commands` modules may import each other; within `assets`, `markets` and `rules` they may not.
LAYERS = {
    "errors": 0,
    "units": 1,
    "schema": 2,
    "named": 1,
    "algebra": 2,
    "maths": 2,
    "periods": 1,
    "charging": 2,
    "tails": 2,
    "curves": 3,
    "case": 3,
    "core": 3,
    "solvers": 3,
    "ageing": 4,
    "bids": 4,
    "blocks": 4,
    "headroom": 4,
    "guarantees": 4,
    "worst_calls": 4,
    "peaks": 4,
    "products": 4,
    "metering": 4,
    "settling": 4,
    "assets": 5,
    "markets": 5,
    "rules": 5,
    "ingest": 5,
    "energy_management": 5,
    "catalogue": 6,
    "checking": 7,
    "audit": 8,
    "complementarity": 8,
    "explanation": 8,
    "merging": 8,
    "assembly": 8,
    "moving": 9,
    "signals": 8,
    "stress": 9,
    "rolling": 8,
    "results": 9,
    "portfolio": 10,
    "cells": 1,
    "compare": 11,
    "gates": 8,
    "forecasts": 8,
    "windows": 10,
    "checkpoints": 11,
    "horizon": 12,
    "frequency": 11,
    "scenarios": 11,
    "uncertainty": 11,
    "degradation": 12,
    "stages": 13,
    "explain": 13,
    "report": 13,
    "documentation": 13,
    "__init__": 14,
    "commands": 15,
    "__main__": 16,
}
TOGETHER = {"ingest", "report", "explain", "commands"}
OPTIONAL = {"matplotlib", "jinja2", "markupsafe", "python_calamine", "rainflow"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """First component of a module below the package."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path, node: ast.ImportFrom) -> set[str]:
    """Rooms of this package that an import statement reaches."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts[:-1]
    if node.level == 0:
        names = (node.module or "").split(".")
        if names[0] != PACKAGE.name:
            return set()
        target = tuple(names[1:])
    else:
        target = parts[: len(parts) - node.level + 1] + tuple((node.module or "").split(".") if node.module else ())
    return {target[0]} if target else {alias.name for alias in node.names}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = room(path)
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        for other in imported(path, node):
            below = LAYERS.get(other, LAYERS["__init__"]) < LAYERS[own]
            if not below and not (other == own and own in TOGETHER) and own != "__init__":
                wrong.append(f"line {node.lineno}: {own} (layer {LAYERS[own]}) imports {other}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_hides_in_a_function(path):
    """Only an optional extra may be imported where it is used."""
    hidden = []
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
            hidden += [f"line {node.lineno}: {n}" for n in names if n.split(".")[0] not in OPTIONAL]
    assert not hidden, "\n".join(hidden)


def test_every_room_has_a_layer():
    assert {room(p) for p in FILES} <= set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = [
        f"{f.name}: {(f.end_lineno or 0) - f.lineno + 1} lines"
        for f in ast.walk(ast.parse(text))
        if isinstance(f, ast.FunctionDef) and (f.end_lineno or 0) - f.body[0].lineno >= 75
    ]
    assert not long, long


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if room(p) in ("assets", "markets", "rules") and p.name != "__init__.py"],
    ids=lambda p: p.stem,
)
def test_build_names_its_arrays(path):
    """No bare numpy, no position, no loop over members or time inside `build` and what it calls (STYLE 5)."""
    tree = ast.parse(path.read_text())
    called = {n.func for n in ast.walk(tree) if isinstance(n, ast.Call)}  # `mapping.values()` is no array
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and (n.attr != "values" or n not in called)}
    assert not used & {"values", "to_numpy", "iloc", "item", "tolist"}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name == "build":
            loops = [ast.unparse(n.iter) for n in ast.walk(function) if isinstance(n, ast.For)]
            assert not [x for x in loops if "time" in x or "indexes" in x], loops
