"""Examples in docstrings run."""

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import v2g_linopy as v2g

PACKAGE = Path(v2g.__file__).parent


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
