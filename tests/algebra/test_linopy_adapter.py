"""What linopy has to do for this package: one test per private name, so that a new linopy says
which of them it changed.
"""

import ast
from pathlib import Path

import linopy
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from v2g_linopy.algebra import linopy_adapter as adapter
from v2g_linopy.algebra.expression import Expression

PACKAGE = Path(adapter.__file__).resolve().parents[1]
ADAPTER = Path(adapter.__file__).resolve()
TIME = pd.RangeIndex(3, name="time")
PRIVATE = {"_xCounter", "_cCounter", "_csr", "_rhs", "_sign", "_LINOPY_TYPES", "label_index"}
PRIVATE |= {"vlabels", "label_to_pos", "to_matrix_with_rhs", "_allocate_labels", "_grid"}


def changed(name: str) -> str:
    return (
        f"{name} is not what it was in linopy {adapter.READ_IN} (here: {linopy.__version__}); read"
        " it again in v2g_linopy/algebra/linopy_adapter.py"
    )


@pytest.fixture
def model() -> linopy.Model:
    """x on three steps, the middle one masked, and a whole y."""
    with adapter.exact_labels():
        made = adapter.new_model()
        mask = xr.DataArray([True, False, True], coords={"time": TIME})
        made.add_variables(coords=[TIME], name="x", mask=mask)
        made.add_variables(coords=[TIME], name="y", integer=True, lower=0, upper=9)
    return made


def rows(model: linopy.Model) -> adapter.Rows:
    """2 x[0] + y[1] <= 4 and y[2] <= 5, at the first and the last step."""
    matrix = sp.csr_array(([2.0, 1.0, 1.0], [0, 4, 5], [0, 2, 3]), shape=(2, 6))
    return adapter.Rows(matrix, np.array([0, 2]), np.array([4.0, 5.0]), "<=")


def test_counters_give_one_label_to_each_cell(model):
    """Two variables on three steps are six labels, masked cells too; a row grid of three is three
    more labels of rows, of which two are written.
    """
    assert adapter.variable_labels(model) == 6, changed("Model._xCounter")
    adapter.add_rows(model, "limit", rows(model), {"time": TIME})
    assert adapter.row_labels(model) == 3, changed("Model._cCounter")


@pytest.mark.parametrize("kind", ["masked", "binary", "integer"])
def test_a_variable_on_its_labels_is_that_of_linopy(model, kind):
    """Bounds, labels, attributes and the order of dimensions: the dataset is the same."""
    car = pd.Index(["b", "a"], name="car")
    mask = np.array([[True, False, True], [False, True, True]])
    bounds, options = (np.zeros((2, 3)), np.array([[1, 2, 3], [4, 5, np.inf]])), {kind: True}
    if kind == "masked":
        options = {"mask": mask}
    with adapter.exact_labels():
        other = adapter.new_model()
        other.add_variables(coords=[TIME], name="x")
        other.add_variables(coords=[TIME], name="y", integer=True, lower=0, upper=9)
        given = {} if kind == "binary" else dict(zip(("lower", "upper"), bounds, strict=True))
        expected = other.add_variables(coords=[car, TIME], name="z", **given, **options)
        made = adapter.add_variable(model, "z", {"car": car, "time": TIME}, bounds, **options)
    why = changed("Model.add_variables, or what a variable holds")
    xr.testing.assert_identical(made.data, expected.data), why
    assert [x.dtype for x in made.data.values()] == [x.dtype for x in expected.data.values()], why
    assert adapter.variable_labels(model) == adapter.variable_labels(other) == 12, why
    assert model.variables["z"] is made and model.type == other.type, why
    with pytest.raises(ValueError, match="already"):
        adapter.add_variable(model, "z", {"car": car, "time": TIME}, bounds)


def test_a_masked_cell_has_no_column(model):
    """Labels 0 to 5, of which 1 is masked: five columns."""
    labels, column = adapter.columns(model)
    assert list(labels) == [0, 2, 3, 4, 5], changed("label_index.vlabels")
    assert list(column) == [0, -1, 1, 2, 3, 4], changed("label_index.label_to_pos")


def test_rows_come_back_as_they_were_written(model):
    """CSRConstraint keeps matrix, positions, right-hand sides and sign, and is found by name."""
    written = rows(model)
    adapter.add_rows(model, "limit", written, {"time": TIME})
    constraint = model.constraints["limit"]
    assert adapter.is_sparse(constraint), changed("CSRConstraint")
    back = adapter.rows_of(constraint)
    assert back.matrix is written.matrix, changed("CSRConstraint._csr")
    assert list(back.positions) == [0, 2], changed("CSRConstraint.active_positions")
    assert list(back.rhs) == [4.0, 5.0], changed("CSRConstraint._rhs")
    assert back.sign == "<=", changed("CSRConstraint._sign")
    assert list(constraint.active_labels()) == [0, 2], changed("CSRConstraint.active_labels")
    assert constraint.shape == (3,), changed("csr.Grid")
    assert constraint.indexes["time"].equals(TIME), changed("csr.Grid")
    assert adapter.row_indexes(constraint)["time"].equals(TIME), changed("CSRConstraint._grid")


def test_rows_of_linopy_are_read_like_our_own(model):
    """The same rows written dense by linopy give the same matrix by label, signs and sides."""
    x, y = model.variables["x"], model.variables["y"]
    with adapter.exact_labels():
        left = (2 * x).fillna(0) + 1 * y
        dense = model.add_constraints(left >= 4, name="dense", freeze=False)
    assert not adapter.is_sparse(dense), changed("add_constraints(freeze=False)")
    found = adapter.solver_rows_of(dense, model)
    expected = [[2, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 2, 0, 0, 1]]
    matrix = sp.csr_array((found.matrix.data, found.matrix.indices, found.matrix.indptr), (3, 6))
    assert (matrix.toarray() == expected).all(), changed("to_matrix_with_rhs")
    assert list(found.rhs) == [4, 4, 4] and set(found.sign) == {">"}, changed("to_matrix_with_rhs")


def test_an_expression_is_a_dataset_of_terms(model):
    """3 x + 1 on three steps: there and back again, 0 where x is masked."""
    labels = np.array([[0], [-1], [2]])
    made = adapter.linear_expression(
        model, labels, np.full((3, 1), 3.0), np.ones(3), {"time": TIME}
    )
    assert isinstance(made, linopy.LinearExpression)
    read_labels, factors, constant, indexes = adapter.terms_of(made)
    why = changed("LinearExpression.data (vars, coeffs, const, _term)")
    assert (read_labels == labels).all(), why
    assert list(factors[:, 0]) == [3, 0, 3] and list(constant) == [1, 1, 1], why
    assert list(indexes) == ["time"] and indexes["time"].equals(TIME), why


def test_the_objective_takes_prices_by_label(model):
    """2 y[0] + 3 y[0] - y[2], to be maximised; a label may come twice."""
    adapter.maximise(model, np.array([3, 3, 5]), np.array([2.0, 3.0, -1.0]))
    assert model.objective.sense == "max"
    labels, prices = adapter.objective_terms(model)
    total = np.bincount(labels[labels >= 0], prices[labels >= 0], 6)
    assert list(total) == [0, 0, 0, 5, 0, -1], changed("objective.expression.data")


def test_exact_labels_hold_inside_the_block_only():
    """Other labels are refused inside, in linopy and in xarray, and aligned again after."""
    before = linopy.options["semantics"]
    one, other = (xr.DataArray([1.0, 1.0], coords={"time": t}) for t in ([0, 1], [1, 2]))
    with adapter.exact_labels():
        assert linopy.options["semantics"] == "v1", changed('options["semantics"]')
        made = adapter.new_model()
        x = made.add_variables(coords=[pd.Index([0, 1], name="time")], name="x")
        with pytest.raises(ValueError):
            one + other
        with pytest.raises(ValueError):
            x + other
    assert linopy.options["semantics"] == before
    assert (one + other).sizes["time"] == 1


def test_arrays_leave_operators_to_expressions(model):
    """array + x is an Expression, from both sides and for every operator that has one."""
    x, array = Expression.from_linopy(model.variables["x"]), xr.DataArray(2.0)
    why = changed("monkey_patch_xarray._LINOPY_TYPES")
    for made in (array * x, array + x, array - x, np.float64(2) * x, 2.0 - x):
        assert isinstance(made, Expression), why
    signs = {(array <= x).sign, (array >= x).sign, (array == x).sign}
    assert signs == {">=", "<=", "="}, why


def test_a_stand_in_gives_the_variables_of_its_model(model):
    """What is written to it goes nowhere: the model has no rows after."""

    class Noting(adapter.StandIn):
        def add_variables(self, *bounds, **options):
            return self.variables[options["name"]]

        def add_constraints(self, rows, name=""):
            self.noted = name, adapter.rows_of(rows)

    target = Noting(model)
    (Expression.from_linopy(target.variables["y"]) <= 3).write(target, "most")
    name, noted = target.noted
    assert name == "most" and list(noted.rhs) == [3, 3, 3]
    assert adapter.variable_labels(target) == 6 and not list(model.constraints)


def private_names(path: Path) -> list[str]:
    """Uses of what is linopy's own: a module within linopy, or a private name of another object."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and of_itself(node) and node.attr.startswith("_")
    }
    own |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    own |= {
        name.id
        for n in ast.walk(tree)
        if isinstance(n, ast.AnnAssign) and isinstance(name := n.target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linopy."):
            found.append(f"{where} from {node.module}")
        if isinstance(node, ast.Import):
            found += [f"{where} {a.name}" for a in node.names if a.name.startswith("linopy.")]
        if isinstance(node, ast.Attribute) and is_private(node, own):
            found.append(f"{where} .{node.attr}")
    return found


def of_itself(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def is_private(node: ast.Attribute, own: set[str]) -> bool:
    if node.attr in PRIVATE:
        return True
    hidden = node.attr.startswith("_") and not node.attr.startswith("__")
    return hidden and not of_itself(node) and node.attr not in own and node.attr != "_exit"


def test_nobody_else_touches_a_private_name_of_linopy():
    """The adapter is the only file in which linopy's own names stand; there they are found."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != ADAPTER:
            wrong += private_names(path)
    assert not wrong, "\n".join(["only algebra/linopy_adapter.py may use these:", *wrong])
    assert {name.split(".")[-1] for name in private_names(ADAPTER)} >= PRIVATE
