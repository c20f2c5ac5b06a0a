"""The rules of the house, as CONTRIBUTING states them: who may import whom, and how, and what a
replay may share with the build that it checks.

A room is a file or folder of the package. It may import only from rooms above it in the table; a
name with a dot is a room within a room (`data.tables`), which keeps the same rule inside."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "v2g_linopy"
DOOR = {"__init__", "__main__"}  # they open the house, and may look into every room
NUMERIC = {
    "worst_case_activation",
    "recourse_replay",
    "meter_replay",
    "peak_tariff",
}  # sorting and recursion on plain arrays
FACES = {"cli"}
ON_DEMAND = {("__init__",), ("cli", "listed")}  # they load what is used when it is used
OPTIONAL = {"matplotlib", "jinja2", "markupsafe", "numba", "python_calamine", "rainflow"}
OPTIONAL |= {"dask", "distributed", "pypsa"}
SERVED = {"service.server", "service.settings"}
"""They need the extra `[service]`; the command that starts it loads them."""
COSTLY = {"scipy.sparse.csgraph", "scipy.sparse.linalg"}
"""They bring the linear algebra of scipy, which took longer to load than this package."""
POSITIONAL = {"values", "to_numpy", "iloc", "item", "tolist"}  # an array without its labels
HANDED = {"s": ("model", "scope", "Scope"), "v": ("model", "view", "View")}
SHARED = {  # functions that a build and its replay may both reach, and why
    "records that carry numbers or expressions, and no rule": (
        "model.terms.Allowance",
        "model.terms.Edge",
        "model.terms.Flex",
        "model.terms.Flow",
        "model.terms.Powers",
        "model.terms.Recovery",
        "model.terms.Store",
        "model.terms._nothing",
    ),
    "an input, or what stands for one that is not given": ("model.formulas.given",),
    "one comparison each": (
        "model.formulas.first",
        "model.formulas.larger",
        "model.formulas.last",
        "model.formulas.smaller",
    ),
    "which steps are one block, window or month on the local clock": (
        "case.calendar._midnight",
        "case.calendar._named",
        "case.calendar.hours_in",
        "case.calendar.period_labels",
        "case.calendar.steps_by",
        "model.formulas_time._local",
        "model.formulas_time.closing",
        "model.formulas_time.same_block",
        "model.formulas_time.same_window",
        "model.formulas_time.window_ends",
    ),
    "one input in the place of another: where the baseline path begins": (
        "parts.assets.reserve_room.on_baseline",
    ),
    "the products of a rule in the order of the reserve's labels": (
        "model.bid_sizes.products_in_rules",
    ),
}
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
    """Parts never import each other, but all may use the room that a storage shows to reserves."""
    wrong = []
    for path in TREES:
        own = module(path)
        if own[0] != "parts" or own[1:] in ((), ("catalogue",)):
            continue
        for line, name in imports(path):
            other = name[0] == "parts" and name[:3] != own[:3] and name[2:3] != ("reserve_room",)
            if other:
                wrong.append(f"{where(path, line)}: {own[2]} imports {'.'.join(name)}")
    assert not wrong, "\n".join(wrong)


def test_a_replay_imports_neither_build_nor_algebra():
    """Nor does any file of its part that it imports, directly or through others."""
    files = {module(p): p for p in TREES if module(p)[0] == "parts"}
    wrong = []
    for start in (p for p in files.values() if p.name == "replay.py"):
        seen, left = {start}, [start]
        while left:
            path = left.pop()
            for line, name in imports(path):
                if name[0] == "algebra" or "build" in name:
                    found = f"{where(path, line)}: {where(start, 1)} reaches {'.'.join(name)}"
                    wrong.append(found)
                own = files.get(name) or files.get(name[:-1])
                if own is not None and own not in seen:
                    seen.add(own)
                    left.append(own)
    assert not wrong, "\n".join(wrong)


def test_replay_and_build_share_data_alone():
    """A function that both `build` and `replay` reach by name, in any file, is listed with its
    reason: a mistake in it would stand in the model and in its check. None is listed in vain.
    """
    builds, replays = ({x[:3]: x for x in starting(name)} for name in ("build", "replay"))
    assert builds.keys() == replays.keys()
    shared = {
        (part[2], ".".join(name))
        for part, build in builds.items()
        for name in reached(build) & reached(replays[part])
        if not isinstance(functions()[name], ast.Assign)
    }
    listed = {name for names in SHARED.values() for name in names}
    unlisted = sorted(f"{part}: {name}" for part, name in shared if name not in listed)
    assert not unlisted, "\n".join(unlisted)
    assert listed == {name for _, name in shared}


def test_no_replay_uses_algebra():
    """No function that a replay reaches uses a name of the algebra, but as a type."""
    wrong = [
        f"{'.'.join(name)} uses {used}"
        for start in starting("replay")
        for name in reached(start)
        for used in called(name)
        if bound(name[:-1]).get(used.partition(".")[0], ("",))[0] == "algebra"
    ]
    assert not wrong, "\n".join(wrong)


@cache
def functions() -> dict[tuple[str, ...], ast.AST]:
    """Functions, classes, methods and second names (`a = b`) of every file, by full name.

    A method is `Class.method`.
    """
    found: dict[tuple[str, ...], ast.AST] = {}
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[*module(path), node.name] = node
            if isinstance(node, ast.ClassDef):
                methods = (n for n in node.body if isinstance(n, ast.FunctionDef))
                found |= {(*module(path), f"{node.name}.{n.name}"): n for n in methods}
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
                names = (n.id for n in node.targets if isinstance(n, ast.Name))
                found |= {(*module(path), name): node for name in names}
    return found


def starting(name: str) -> list[tuple[str, ...]]:
    """The `build`, or the `replay`, of every part."""
    return [x for x in functions() if x[0] == "parts" and x[-1] == name]


@cache
def bound(file: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Names in a file, and the full names that they stand for."""
    path = next(p for p in TREES if module(p) == file)
    names = {name[-1]: name for name in functions() if name[:-1] == file}
    for node in TREES[path].body:
        if isinstance(node, ast.ImportFrom) and (start := origin(path, node)) is not None:
            names |= {a.asname or a.name: (*start, a.name) for a in node.names}
    return names


@cache
def called(name: tuple[str, ...]) -> frozenset[str]:
    """Names, and names with an attribute, in a function or class; types are not followed."""
    types = {
        id(inner)
        for node in ast.walk(functions()[name])
        for kind in ("annotation", "returns")
        if (stated := getattr(node, kind, None)) is not None
        for inner in ast.walk(stated)
    }
    found = [n for n in ast.walk(functions()[name]) if id(n) not in types]
    plain = {n.id for n in found if isinstance(n, ast.Name)}
    dotted = {
        f"{n.value.id}.{n.attr}"
        for n in found
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    return frozenset(plain | dotted)


@cache
def reached(start: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """Functions that a function names, and those that they name, in all files.

    Methods are followed of the scope and the view that it is handed, as `s` and `v`.
    """
    seen: set[tuple[str, ...]] = set()
    left = [start]
    while left:
        name = left.pop()
        if name in seen or name not in functions():
            continue
        seen.add(name)
        names = bound(name[:-1])
        for used in called(name):
            first, _, rest = used.partition(".")
            if first in names:
                left += [names[first], (*names[first], rest)]
            elif first in HANDED:
                *file, kind = HANDED[first]
                left.append((*file, f"{kind}.{rest}"))
    return frozenset(seen)


def test_no_import_hides_in_a_function():
    """Only an optional extra may be imported where it is used, or what costs more than all else."""
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
                    if n.split(".")[0] not in OPTIONAL and n not in COSTLY | SERVED
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
    """No position of an array in any part, and no loop over members or time in what a `build`
    reaches there.
    """
    loops = [
        (name, node.iter)
        for name in set().union(*(reached(start) for start in starting("build")))
        if name[0] == "parts" and name[-2] not in NUMERIC
        for node in ast.walk(functions()[name])
        if isinstance(node, ast.For | ast.comprehension)
    ]
    wrong = [
        f"{'.'.join(name)}: for {text}"
        for name, over in loops
        if "time" in (text := ast.unparse(over)) or "indexes" in text
    ]
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
    assert not wrong, "\n".join(wrong)
