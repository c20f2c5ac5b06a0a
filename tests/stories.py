"""Every story is solved and proven, and its result holds its case as it was; each kind of array
that a result has comes out of a file as it went in. Stories that are marked `through_file` are
solved a second time, from the file of their case.
"""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.model.part import Part
from v2g_linopy.solve import result

Solve = Callable[..., xr.DataTree]
Kind = tuple[Hashable, ...]
KEPT: set[Kind] = set()  # kinds of arrays that a file has kept in an earlier story


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a story twice where it is marked: files matter to it (labels, clocks, gaps,
    scenarios).
    """
    if "pipeline" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("through_file")
        ways = ("solve", "through_file") if marked else ("solve",)
        metafunc.parametrize("pipeline", ways, indirect=True)


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Solve:
    """Solve a case, see that the plan is proven, that the bill adds up and that a file keeps
    both.
    """
    anew = request.param == "through_file"

    def run(case: xr.DataTree, **options: object) -> xr.DataTree:
        if anew:
            result = v2g.solve(through_a_file(case, tmp_path / "case.nc"), **options)
            assert result.attrs["case_hash"] == hash_of(case, options)
        else:
            result = v2g.solve(case, **options)
        assert_proven(result)
        assert_same_inputs(result, case, options.get("parts", v2g.PARTS))
        if anew:
            loaded = through_a_file(result, tmp_path / "result.nc")
            assert_same_groups(loaded, result)
            assert hash_of(loaded, options) == result.attrs["case_hash"]
            return loaded
        assert_kept_by_a_file(result, tmp_path / "result.nc")
        return result

    return run


def hash_of(case: xr.DataTree, options: Mapping[str, Any]) -> str:
    """Return the hash of the inputs of a case or a result."""
    inputs = inputs_of(case, options.get("parts", v2g.PARTS))
    return result.hash_of(inputs)


def assert_proven(result: xr.DataTree) -> None:
    """The audit found nothing, and the objective is the sum of the ledger, penalties included."""
    assert result["audit"].attrs["passed"] == 1, result["audit"].attrs["worst"]
    sums = {
        name: float(_expected(entry, result).sum())
        for name, entry in result["ledger"].data_vars.items()
    }
    assert sum(sums.values()) == pytest.approx(result.attrs["objective"], abs=1e-9)
    income = [
        value for name, value in sums.items() if ".slack." not in name and name != "risk.adjustment"
    ]
    assert sum(income) == pytest.approx(result.attrs["profit"], abs=1e-9)


def assert_kept_by_a_file(result: xr.DataTree, path: Path) -> None:
    """Groups come out of a file as they went in; those that hold nothing new stay out of it."""
    kinds = {name: kinds_of(name, node.dataset) for name, node in result.children.items()}
    new = [name for name, some in kinds.items() if not some <= KEPT]
    if not new:
        return
    groups = {f"/{name}": result[name].to_dataset(inherit=False) for name in new}
    part = xr.DataTree.from_dict({"/": result.to_dataset(), **groups})
    assert_same_groups(through_a_file(part, path), part)
    KEPT.update(*(kinds[name] for name in new))


def kinds_of(group: str, arrays: xr.Dataset) -> set[Kind]:
    """Return all by which a file tells arrays apart: where each stands, and what it is made of."""
    kinds: set[Kind] = set()
    for name, x in arrays.variables.items():
        gaps = x.dtype.kind == "f" and bool(np.isnan(x.to_numpy()).any())
        form = (x.dims, x.dtype.kind, x.size == 0, gaps, frozenset(x.attrs))
        kinds |= {(group, name), form}
    return kinds


def assert_same_inputs(result: xr.DataTree, case: xr.DataTree, parts: Mapping[str, Part]) -> None:
    """What a later replay or solve reads of a result is what its case says, to the bit."""
    for name, node in case.children.items():
        given, kept = node.to_dataset(inherit=False), result[name].to_dataset(inherit=False)
        outputs = parts[name].schema.outputs if name in parts else ()
        made = [n for n in given.data_vars if any(f.names(str(n)) for f in outputs)]
        own = {n: x for n, x in kept.data_vars.items() if not any(f.names(str(n)) for f in outputs)}
        _assert_same(kept[[*own]], given.drop_vars(made))
    root, expected = result.to_dataset(), case.to_dataset()
    _assert_same(root.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert all(root.attrs[name] == expected.attrs[name] for name in ("timezone", "currency"))


def assert_same_groups(loaded: xr.DataTree, result: xr.DataTree) -> None:
    """Every array, label and attribute of every group is the same."""
    assert {*loaded.children} == {*result.children}
    pairs = [(loaded, result)] + [(loaded[name], result[name]) for name in result.children]
    for one, other in pairs:
        _assert_same(one.to_dataset(inherit=False), other.to_dataset(inherit=False))


def through_a_file(tree: xr.DataTree, path: Path) -> xr.DataTree:
    """Save and load."""
    v2g.write(tree, path, overwrite=True)
    return v2g.read(path)


def _assert_same(one: xr.Dataset, other: xr.Dataset) -> None:
    assert {*one.variables} == {*other.variables}
    assert one.attrs == other.attrs
    for name, variable in one.variables.items():
        expected = other.variables[name]
        assert variable.dims == expected.dims, name
        assert variable.attrs == expected.attrs, name
        np.testing.assert_array_equal(variable.to_numpy(), expected.to_numpy(), err_msg=str(name))


def _expected(entry: xr.DataArray, result: xr.DataTree) -> xr.DataArray:
    return entry * result["probability"] if "scenario" in entry.dims else entry
