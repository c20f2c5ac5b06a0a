"""The rules of the house, as the table of rooms in CONTRIBUTING states them: who may import whom,
and how.

A room is a file or folder of the package. It may import only from rooms above it in the table; a
name with a dot is a room within a room (`data.tables`), which keeps the same rule inside."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "v2g_linopy"
DOOR = {"__init__", "__main__"}  # they open the house, and may look into every room
NUMERIC = {
    "worst_case_activation",
    "meter_replay",
    "peak_tariff",
}  # sorting and recursion on plain arrays
FACES = {"cli"}
ON_DEMAND = {("__init__",), ("cli", "listed")}  # they load what is used when it is used
OPTIONAL = {"matplotlib", "jinja2", "markupsafe", "python_calamine", "rainflow"}
POSITIONAL = {"values", "to_numpy", "iloc", "item", "tolist"}  # an array without its labels
ROW = re.compile(r"^\| `([a-z_.]+?)(?:\.py)?` \|", re.MULTILINE)

TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}


def rooms() -> list[str]:
    """The rooms from the ground up, as CONTRIBUTING lists them."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = text.partition("<!-- begin rooms -->")[2].partition("<!-- end rooms -->")[0]
    return ROW.findall(house)


def module(path: Path) -> tuple[str, ...]:
    """`v2g_linopy/data/tables/files.py` is (data, tables, files)."""
    names = path.relative_to(PACKAGE).with_suffix("").parts
    return names[:-1] if names[-1] == "__init__" and len(names) > 1 else names


def imports(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and full name of everything of this package that a file imports."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (
                (node.lineno, own) for a in node.names if (own := inside(a.name)) is not None
            )
        elif isinstance(node, ast.ImportFrom) and (start := origin(path, node)) is not None:
            yield from ((node.lineno, (*start, alias.name)) for alias in node.names)


def inside(name: str) -> tuple[str, ...] | None:
    """A full name below the package; None for other packages."""
    first, *rest = name.split(".")
    return tuple(rest) if first == PACKAGE.name else None


def origin(path: Path, node: ast.ImportFrom) -> tuple[str, ...] | None:
    """The module that `from ... import` names; None for other packages."""
    if not node.level:
        return inside(node.module or "")
    folder = path.relative_to(PACKAGE).parts[:-1]
    return folder[: len(folder) - node.level + 1] + tuple(
        (node.module or "").split(".") if node.module else ()
    )


def room_of(name: tuple[str, ...], known: list[str]) -> str | None:
    """The smallest room of the table that holds a module."""
    return next((r for n in (2, 1) if (r := ".".join(name[:n])) in known), None)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_file_has_a_room():
    """No module at the root but the door and `errors`; every folder is a row of the table, and
    every row exists.
    """
    known = rooms()
    assert known[0] == "errors" and len(known) == len(set(known))
    homeless = [str(p.relative_to(ROOT)) for p in TREES if module(p)[0] not in {*known, *DOOR}]
    assert not homeless
    for room in known:
        path = PACKAGE.joinpath(*room.split("."))
        assert path.is_dir() or path.with_suffix(".py").exists(), (
            f"{room} is in the table, but nowhere else"
        )


def test_imports_point_up_the_table():
    """A room imports only what stands above it; a part of a room may not import one that stands
    below it either.
    """
    known = rooms()
    wrong = []
    for path in TREES:
        own = module(path)
        if own[0] in DOOR:
            continue
        here = room_of(own, known)
        for line, name in imports(path):
            there = room_of(name, known)
            if name == () and own[0] in FACES:
                continue  # a face calls the package by its public names
            if there is None:
                wrong.append(f"{where(path, line)} imports {'.'.join(name)}, which is no room")
            elif (
                there != here
                and not f"{here}.".startswith(f"{there}.")
                and known.index(there) > known.index(here)
            ):
                wrong.append(f"{where(path, line)}: {here} imports {there}, which stands below it")
    assert not wrong, "\n".join(wrong)


def test_no_circle_of_files():
    """No file imports itself through others: a file can be read, and loaded, after those that it
    imports.
    """
    files = {module(p): p for p in TREES if module(p)[0] not in DOOR}
    needs = {
        name: {
            n
            for _, full in imports(path)
            if (n := full if full in files else full[:-1]) in files and n != name
        }
        for name, path in files.items()
    }
    while free := {name for name, needed in needs.items() if not needed & needs.keys()}:
        needs = {name: needed for name, needed in needs.items() if name not in free}
    assert not needs, sorted(".".join(n) for n in needs)


def test_parts_stand_alone():
    """Parts never import each other, and the replay of a package imports neither its `build` nor
    the algebra.
    """
    wrong = []
    for path in TREES:
        own = module(path)
        if own[0] != "parts" or own[1:] in ((), ("catalogue",)):
            continue
        for line, name in imports(path):
            other = name[0] == "parts" and name[:3] != own[:3] and name[2:3] != ("reserve_room",)
            if other:
                wrong.append(f"{where(path, line)}: {own[2]} imports {'.'.join(name)}")
            if path.name == "replay.py" and (name[0] == "algebra" or "build" in name):
                wrong.append(f"{where(path, line)}: a replay imports {'.'.join(name)}")
    assert not wrong, "\n".join(wrong)


def test_no_import_hides_in_a_function():
    """Only an optional extra may be imported where it is used."""
    hidden = []
    for path, tree in TREES.items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
                hidden += [
                    f"{where(path, node.lineno)}: {n}"
                    for n in names
                    if n.split(".")[0] not in OPTIONAL
                ]
    assert not hidden, "\n".join(hidden)


def test_modules_are_loaded_on_demand_at_the_door_alone():
    """`import_module` hides an import from the rules above; only the door and the list of commands
    may call it.
    """
    calls = {
        module(path)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id in ("import_module", "__import__"))
        or (isinstance(node, ast.Attribute) and node.attr == "import_module")
    }
    assert calls == ON_DEMAND


def test_build_names_its_arrays():
    """No bare numpy, no position, no loop over members or time inside `build` and what it calls
    .
    """
    wrong = []
    for path, tree in TREES.items():
        if module(path)[0] != "parts" or path.stem in NUMERIC:
            continue
        called = {
            n.func for n in ast.walk(tree) if isinstance(n, ast.Call)
        }  # `mapping.values()` is no array
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or (node.attr == "values" and node in called):
                continue
            if node.attr in POSITIONAL:
                wrong.append(f"{where(path, node.lineno)}: .{node.attr}")
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name == "build":
                loops = [n for n in ast.walk(function) if isinstance(n, ast.For)]
                over = [(n.lineno, ast.unparse(n.iter)) for n in loops]
                wrong += [
                    f"{where(path, line)}: for {x}"
                    for line, x in over
                    if "time" in x or "indexes" in x
                ]
    assert not wrong, "\n".join(wrong)
