"""One name, one meaning: modules and public functions of the package.

Whoever reads `solve` or opens `view.py` shall not have to ask which. Names are shared only where
they mean the same: what every part does, a command and the function it runs, a way in."""

import ast
from collections import defaultdict
from pathlib import Path

from v2g_linopy.model.part import Part

PACKAGE = Path(__file__).resolve().parents[1] / "v2g_linopy"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}

WHAT_EVERY_PART_DOES = set(Part.__dataclass_fields__)
"""Every part has its `build`, `replay`, `postprocess`: one question, an answer of each part."""

ASKED_OF_ALL_PARTS = {"build": "solve/solve.py", "replay": "solve/audit.py"}
"""Where one of these questions is asked of a whole case or result."""

FILES_OF_PARTS = {
    "part": {"model/part.py"},  # what a part is
    "schema": {"case/schema.py"},  # what a schema is
    "build": set(),
    "replay": set(),
}
"""A part that is a folder has these files; beside them only the module that says what one is."""

SHARED_FUNCTIONS = {
    "add": "every file of commands adds its own to the command line",
    "main": "the ways in: the command line, and the script that makes the data sets",
}


def public_functions() -> dict[str, set[str]]:
    """Every public function of a module, and the files that define one of that name."""
    found = defaultdict(set)
    for file, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].add(file)
    return found


def commands() -> dict[str, str]:
    """Names of functions that are commands, `command(app, "solve", ...)(solve)`, and their file."""
    found = {}
    for file, tree in TREES.items():
        if not file.startswith("cli/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(inner := node.func, ast.Call):
                registers = isinstance(inner.func, ast.Name) and inner.func.id == "command"
                if registers and isinstance(node.args[0], ast.Name):
                    found[node.args[0].id] = file
    return found


def in_parts(file: str) -> bool:
    return file.startswith("parts/")


def test_no_two_public_functions_share_a_name():
    """A name stands in one module, or means the same in all of them.

    Proves that `from ... import name` at the top of a file says what is called below: `problems` of
    three modules, or `stress` of a battery and of a plan, would be three things and two."""
    run_by = commands()
    twice = {}
    for name, files in public_functions().items():
        others = files - {run_by.get(name)}  # a command is called as what it runs
        allowed = 1
        if name in WHAT_EVERY_PART_DOES and any(map(in_parts, others)):
            allowed = 0
            others = {f for f in others if not in_parts(f)} - {ASKED_OF_ALL_PARTS.get(name)}
        if len(others) > allowed and name not in SHARED_FUNCTIONS:
            twice[name] = sorted(files)
    assert not twice


def test_no_two_modules_share_a_name():
    """A file name stands once, but for those that every part has and for the file of a command."""
    files = defaultdict(set)
    for file in TREES:
        files[Path(file).stem].add(file)
    del files["__init__"]
    twice = {}
    for stem, same in files.items():
        others = same - {f"cli/{stem}.py"}
        allowed = 1
        if stem in FILES_OF_PARTS:
            allowed = 0
            others = {file for file in others if not in_parts(file)} - FILES_OF_PARTS[stem]
        if len(others) > allowed:
            twice[stem] = sorted(same)
    assert not twice


def test_every_shared_name_is_shared():
    """The lists above hold nothing that is no longer so."""
    functions = public_functions()
    assert all(len(functions[name]) > 1 for name in SHARED_FUNCTIONS)
    stems = [Path(file).stem for file in TREES]
    assert all(stems.count(stem) > 1 for stem in FILES_OF_PARTS)
