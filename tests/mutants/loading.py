"""Import a file of the package in another form than it is written, without touching the disk."""

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from mutants.places import ROOT

Compiled = Callable[[str], CodeType | None]


class _Loader(SourceFileLoader):
    """Runs the code that it is given."""

    def __init__(self, name: str, path: str, code: CodeType, given: dict[str, object]) -> None:
        super().__init__(name, path)
        self.code, self.given = code, given

    def get_code(self, fullname: str) -> CodeType:
        return self.code

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self.given)
        super().exec_module(module)


class Finder(MetaPathFinder):
    """Asks for each file of the package whether it has other code (`v2g_linopy/model/part.py`)."""

    def __init__(
        self, compiled: Compiled, given: Callable[[str], dict[str, object]] = lambda f: {}
    ):
        self.compiled, self.given = compiled, given

    def install(self) -> None:
        """From now on; what is imported already is not imported again."""
        loaded = [name for name in sys.modules if name.partition(".")[0] == "v2g_linopy"]
        assert not loaded, f"too late: {loaded[0]} is imported"
        sys.path.insert(0, str(ROOT))
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        """The file as it is found, with other code."""
        if fullname.partition(".")[0] != "v2g_linopy":
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return spec
        file = Path(spec.origin).relative_to(ROOT).as_posix()
        code = self.compiled(file)
        if code is not None:
            spec.loader = _Loader(fullname, spec.origin, code, self.given(file))
        return spec
