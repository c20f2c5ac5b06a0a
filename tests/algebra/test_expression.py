"""What expressions mean: rows found by hand, and random ones against linopy with `fillna(0)`."""

import doctest

import linopy
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from v2g_linopy.algebra import arrays, expression, linopy_adapter
from v2g_linopy.algebra.expression import Expression
from v2g_linopy.case.schema import Calendar, Field, Schema
from v2g_linopy.model import Scope

TIME = pd.RangeIndex(4, name="time")
CAR = pd.Index(["a", "b", "c"], name="car")
POD = pd.Index(["north", "south"], name="pod")
POD_OF_CAR = xr.DataArray(["south", "north", "south"], coords={"car": CAR}, name="pod")
DAY_OF_STEP = xr.DataArray([10, 10, 11, 11], coords={"time": TIME}, name="day")


@pytest.fixture
def model():
    """x on (car, time), without the steps 0 and 1 of car b; y on time."""
    with linopy_adapter.exact_labels():
        yield made()


def made() -> linopy.Model:
    model = linopy_adapter.new_model()
    mask = xr.DataArray(np.ones((3, 4), bool), coords={"car": CAR, "time": TIME})
    mask[1, :2] = False
    model.add_variables(coords=[CAR, TIME], name="x", mask=mask)
    model.add_variables(coords=[TIME], name="y")
    return model


def read(model: linopy.Model, name: str) -> Expression:
    return Expression.from_linopy(model.variables[name])


def table(x: "Expression | linopy.LinearExpression", dims: list[str], size: int) -> np.ndarray:
    """Factors by label of a variable, one line per cell of `dims`; the constant stands last."""
    if isinstance(x, Expression):
        shape = tuple(x.sizes.values())
        labels, factors, constant = x.lines()
        labels, factors = (a.reshape(*shape, -1) for a in (labels, factors))
        constant, order = constant.reshape(shape), x.dims
    else:
        labels, factors, constant, indexes = linopy_adapter.terms_of(x)
        order = tuple(indexes)
    assert set(order) == set(dims), (order, dims)
    axes = [order.index(d) for d in dims]
    labels, factors = (a.transpose([*axes, a.ndim - 1]) for a in (labels, factors))
    cells = int(np.prod(constant.shape))
    labels, factors = labels.reshape(cells, -1), factors.reshape(cells, -1)
    found = np.zeros((cells, size + 1))
    lines = np.broadcast_to(np.arange(cells)[:, None], labels.shape)
    there = labels >= 0
    np.add.at(found, (lines[there], labels[there]), factors[there])
    found[:, -1] = constant.transpose(axes).ravel()
    return found


# ---- against linopy ------------------------------------------------------------------------------

Pair = tuple[Expression, linopy.LinearExpression]
NUMBERS = st.integers(-4, 4).map(lambda n: n / 2)


def filled(x: linopy.LinearExpression) -> linopy.LinearExpression:
    """The rule of an Expression in the words of linopy: what is missing counts as 0."""
    return x.fillna(0)


@st.composite
def data_on(draw: st.DrawFn, indexes: dict[str, pd.Index], kind: st.SearchStrategy = NUMBERS):
    """Numbers on some of the dimensions, or one number."""
    dims = draw(st.lists(st.sampled_from(sorted(indexes)), unique=True)) if indexes else []
    shape = [len(indexes[d]) for d in dims]
    size = int(np.prod(shape))
    values = np.array(draw(st.lists(kind, min_size=size, max_size=size))).reshape(shape)
    return xr.DataArray(values, coords={d: indexes[d] for d in dims}, dims=dims)


def scaled(data: st.DataObject, pair: Pair) -> Pair:
    factor = data.draw(data_on(dict(pair[0].indexes)))
    return factor * pair[0], filled(factor * pair[1])


def moved_by_data(data: st.DataObject, pair: Pair) -> Pair:
    more = data.draw(data_on(dict(pair[0].indexes)))
    return more - pair[0], filled(more - pair[1])


def added(data: st.DataObject, pair: Pair) -> Pair:
    """Another variable, itself, or a masked one beside it."""
    name = data.draw(st.sampled_from(["x", "y"]))
    model = pair[1].model
    if not set(pair[0].dims) <= {"car", "time"} or not all(
        i.equals({"car": CAR, "time": TIME}[d]) for d, i in pair[0].indexes.items()
    ):
        return pair[0] + 2 * pair[0], filled(pair[1] + 2 * pair[1])
    return pair[0] + read(model, name), filled(pair[1] + filled(1 * model.variables[name]))


def masked(data: st.DataObject, pair: Pair) -> Pair:
    mask = data.draw(data_on(dict(pair[0].indexes), st.booleans())) == 1
    return pair[0].where(mask), filled(pair[1].where(mask))


def shifted(data: st.DataObject, pair: Pair) -> Pair:
    steps = data.draw(st.sampled_from([-2, -1, 1, 2]))
    return pair[0].shift(time=steps), filled(pair[1].shift(time=steps))


def summed(data: st.DataObject, pair: Pair) -> Pair:
    dims = data.draw(st.lists(st.sampled_from(sorted(pair[0].dims)), unique=True, min_size=1))
    return pair[0].sum(dims), filled(pair[1].sum(dims))


def grouped(data: st.DataObject, pair: Pair) -> Pair:
    by = pair[1].groupby(POD_OF_CAR.sel(car=pair[0].indexes["car"])).sum()  # linopy's by position
    return pair[0].groupby_sum(POD_OF_CAR, POD), filled(by)


def selected(data: st.DataObject, pair: Pair) -> Pair:
    dim = data.draw(st.sampled_from(sorted(pair[0].dims)))
    labels = list(pair[0].indexes[dim])
    if data.draw(st.booleans()):
        one = data.draw(st.sampled_from(labels))
        return pair[0].sel({dim: one}), filled(pair[1].sel({dim: one}, drop=True))
    some = data.draw(st.lists(st.sampled_from(labels), unique=True, min_size=1))
    return pair[0].sel({dim: some}), filled(pair[1].sel({dim: some}))


def convolved(data: st.DataObject, pair: Pair) -> Pair:
    kernel = data.draw(st.lists(NUMBERS, min_size=2, max_size=3))
    past = [filled(pair[1].shift(time=k)) if k else pair[1] for k in range(len(kernel))]
    expected = sum(w * x for w, x in zip(kernel, past, strict=True))
    return pair[0].convolve(xr.DataArray(kernel, dims="lag")), filled(expected)


ALWAYS = (scaled, moved_by_data, added, masked)
WITH_DIMS = (summed, selected)
WITH_TIME = (shifted, convolved)


@pytest.mark.filterwarnings("ignore::linopy.PerformanceWarning")  # linopy makes some dense
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_expressions_are_those_of_linopy_with_gaps_filled(data):
    """The same operators in the same order: matrix and constants of every cell agree, and so do the
    rows that are written. The rule is linopy's `fillna(0)` after each step.
    """
    with linopy_adapter.exact_labels():
        model = made()
        pair = read(model, "x"), filled(1 * model.variables["x"])
        for _ in range(data.draw(st.integers(1, 5))):
            known, dims = [*ALWAYS], pair[0].dims
            known += WITH_DIMS if dims else ()
            known += WITH_TIME if "time" in dims and pair[0].sizes["time"] > 2 else ()
            known += [grouped] if "car" in dims and pair[0].sizes["car"] == 3 else []
            pair = data.draw(st.sampled_from(known))(data, pair)
        mine, theirs = pair
        size, dims = linopy_adapter.variable_labels(model), list(mine.dims)
        expected = table(theirs, dims, size)
        assert table(mine, dims, size) == approx(expected)
        assert table(mine.to_linopy(), dims, size) == approx(expected)
        assert table(Expression.from_linopy(theirs), dims, size) == approx(expected)
        written = rows(model, mine, expected)
    assert written == approx(expected[:, :-1])


def rows(model: linopy.Model, left: Expression, expected: np.ndarray) -> np.ndarray:
    """Matrix of `left <= most` as written, one line per cell; a cell without a row is 0."""
    most = abs(expected[:, -1]).max() + 1
    (left <= most).write(model, "row")
    found = np.zeros((len(expected), expected.shape[1] - 1))
    if "row" not in model.constraints:
        return found
    written = linopy_adapter.rows_of(model.constraints["row"])
    found[written.positions] = written.matrix.toarray()
    assert written.rhs == approx(most - expected[written.positions, -1])
    return found


# ---- by hand -------------------------------------------------------------------------------------


def test_the_step_before_the_first_counts_as_nothing(model):
    """y - y[t-1] <= 1 over four steps is four rows; linopy leaves the first one out."""
    y = read(model, "y")
    (y - y.shift(time=1) <= 1).write(model, "ramp")
    assert model.constraints["ramp"].ncons == 4
    theirs = model.variables["y"] - model.variables["y"].shift(time=1)
    assert model.add_constraints(theirs <= 1, name="theirs").ncons == 3


def test_a_masked_variable_counts_as_nothing(model):
    """Car b has no x at step 0: there 1 x + y <= 3 is y <= 3, a row of one term."""
    (read(model, "x") + read(model, "y") <= 3).write(model, "most")
    rows = linopy_adapter.rows_of(model.constraints["most"])
    assert list(np.diff(rows.matrix.indptr)) == [2, 2, 2, 2, 1, 1, 2, 2, 2, 2, 2, 2]


def test_a_label_may_name_the_cell_to_take(model):
    """The level of each day, at every step of it: z[day] at four steps is z10 z10 z11 z11."""
    day = pd.Index([10, 11], name="day")
    z = Expression.from_linopy(model.add_variables(coords=[day], name="z"))
    labels, _, _ = z.sel(day=DAY_OF_STEP).lines()
    first = model.variables["z"].range[0]
    assert list(labels[:, 0]) == [first, first, first + 1, first + 1]
    with pytest.raises(KeyError, match="12"):
        z.sel(day=xr.DataArray([12], coords={"time": [0]}))


def test_lags_and_their_sum(model):
    """lags(0, 2) of y at step 3 are y3 and y1; the kernel 1, 0, 5 weighs them 1 and 5."""
    start = model.variables["y"].range[0]
    y, lag = read(model, "y"), pd.Index([0, 2], name="lag")
    at_step_3 = table(y.lags(lag), ["time", "lag"], 16)[6:8]
    assert list(at_step_3.argmax(axis=1)) == [start + 3, start + 1]
    last = table(y.convolve(xr.DataArray([1.0, 0.0, 5.0], dims="lag")), ["time"], 16)[3]
    assert last[start : start + 4] == approx([0, 5, 0, 1])


def test_scenarios_in_another_order_at_each_step(model):
    """Positions (2, 0, 1) of the cars at step 0, as they are at the others."""
    order = xr.DataArray(np.tile([[0], [1], [2]], 4), coords={"car": CAR, "time": TIME})
    order[:, 0] = [2, 0, 1]
    labels, _, _ = read(model, "x").take_along("car", order).lines()
    assert labels.reshape(3, 4)[:, 0].tolist() == [8, 0, -1]
    assert labels.reshape(3, 4)[:, 1].tolist() == [1, -1, 9]


def test_members_of_no_group_are_left_out(model):
    """Only cars in the south count: a and c."""
    south = read(model, "x").groupby_sum(POD_OF_CAR, POD[1:])
    assert table(south, ["pod", "time"], 16)[0].nonzero()[0].tolist() == [0, 8]


def test_where_puts_another_number(model):
    """y + 5 at the first step; elsewhere 7, or nothing unless said."""
    first = xr.DataArray([True, False, False, False], coords=[TIME])
    for kept, rest in (
        ((read(model, "y") + 5).where(first, 7.0), 7),
        ((read(model, "y") + 5).where(first), 0),
    ):
        assert table(kept, ["time"], 16)[:, -1] == approx([5, rest, rest, rest])
        assert table(kept, ["time"], 16)[:, :-1].sum() == 1


def test_what_does_not_depend_on_a_dimension_counts_for_each_label(model):
    """y + 2 beside three cars, summed over them, is 3 y + 6."""
    beside = read(model, "y") + xr.DataArray(np.full(3, 2.0), coords={"car": CAR})
    total = table((beside + 0 * read(model, "x")).sum("car"), ["time"], 16)
    assert total[:, 12:16] == approx(3 * np.eye(4)) and total[:, -1] == approx([6] * 4)


def test_a_variable_that_stands_twice_in_a_row_is_added_up(model):
    """Over the four steps of two days each level counts twice, in one number."""
    day = pd.Index([10, 11], name="day")
    z = Expression.from_linopy(model.add_variables(coords=[day], name="z"))
    (z.sel(day=DAY_OF_STEP).sum("time") <= 8).write(model, "both")
    assert list(linopy_adapter.rows_of(model.constraints["both"]).matrix.data) == [2, 2]


def test_what_is_absent_in_linopy_is_nothing_here(model):
    """2 x of linopy has no value where x is masked; read here, it is 0."""
    raw = 2 * model.variables["x"]
    assert bool(raw.data["const"].isnull().any())
    read_here = table(Expression.from_linopy(raw), ["car", "time"], 16)
    assert read_here[4:6].sum() == 0 and read_here.sum() == 20


def test_value_of_a_plan(model):
    """2 y + 1 at y = 3, 4, 5, 6."""
    primal = np.arange(16, dtype=float) - 9
    assert list((2 * read(model, "y") + 1).value(primal)) == [7, 9, 11, 13]


def test_coefficients_count_each_cell(model):
    """3 EUR per y, in the ledger of three cars at once: 9 EUR each."""
    cash = 3 * read(model, "y") + xr.DataArray(np.zeros(3), coords={"car": CAR})
    ((labels, prices),) = cash.coefficients()
    assert len(labels) == 4 and set(prices) == {9.0}


def test_rows_that_no_variable_can_satisfy_are_refused(model):
    """0 >= 1 at the masked steps of car b; where it holds, 0 <= 1, the row is left out."""
    x = read(model, "x")
    with pytest.raises(ValueError, match=r"least: 2 row\(s\) that no variable can satisfy"):
        (x >= 1).write(model, "least")
    (x <= 1).write(model, "most")
    assert model.constraints["most"].ncons == 10


def test_missing_numbers_are_refused(model):
    """A coefficient or a right-hand side that is NaN or endless is a mistake in the data."""
    gap, y = xr.DataArray([1.0, np.nan, 1.0, 1.0], coords={"time": TIME}), read(model, "y")
    with pytest.raises(ValueError, match="row: a coefficient is missing"):
        (gap * y <= 1).write(model, "row")
    with pytest.raises(ValueError, match="row: a coefficient is missing"):
        (np.inf * y <= 1).write(model, "row")
    with pytest.raises(ValueError, match="row: a right-hand side is missing"):
        (y <= gap).write(model, "row")


def test_terms_that_cancel_leave_no_row(model):
    """y - y <= 1 holds by itself."""
    y = read(model, "y")
    (y - y <= 1).write(model, "nothing")
    assert model.constraints["nothing"].ncons == 0


def test_labels_must_be_equal(model):
    """Nothing is aligned: other steps are refused by name."""
    other = xr.DataArray(np.ones(4), coords={"time": TIME + 1})
    with pytest.raises(ValueError, match="labels of time differ"):
        read(model, "y") + other


def test_an_expression_without_terms_is_zero(model):
    """It keeps its dimensions through every operator, and its rows are checked but not written."""
    nothing = Expression.without_terms(model, {"car": CAR, "time": TIME})
    again = (
        (2 * nothing - nothing.shift(time=1)).sum("car").convolve(xr.DataArray([1.0], dims="lag"))
    )
    assert again.dims == ("time",) and not again.has_terms and again.coefficients() == []
    assert (read(model, "y") + nothing.sum("car")).has_terms
    assert list(again.value(np.zeros(16))) == [0, 0, 0, 0]
    (again <= 1).write(model, "held")
    assert "held" not in model.constraints
    with pytest.raises(ValueError, match="no variable can satisfy"):
        (again >= 1).write(model, "not_held")


def test_what_cannot_be_combined_says_what_to_do(model):
    """Products of two expressions, and raw expressions of linopy."""
    y = read(model, "y")
    with pytest.raises(TypeError, match="no longer linear"):
        y * y
    for raw in (model.variables["y"], 1 * model.variables["y"]):
        with pytest.raises(TypeError, match=r"convert it with Expression\.from_linopy"):
            y + raw


# ---- a scope -------------------------------------------------------------------------------------

STEPS = pd.date_range("2026-01-01", periods=4, freq="h", name="time")
SCHEMA = Schema(
    inputs=(Field("power_max", "wheel", "kW", "most power"),),
    outputs=(Field("power", "wheel time", "kW", "power"),),
)


@pytest.fixture
def scope():
    data = xr.Dataset({"power_max": ("wheel", [1.0, 2.0])}, coords={"wheel": ["u", "v"]})
    with linopy_adapter.exact_labels():
        model = linopy_adapter.new_model()
        calendar = Calendar(STEPS)
        pods = pd.Index(["site"], name="pod")
        yield Scope(model, "wheel", SCHEMA, {"wheel": data}, {}, calendar, 1.0, pods)


def test_a_raw_row_of_linopy_is_refused_with_the_conversion(scope):
    """linopy would leave out rows where a term is missing: it must be converted, and the message
    says how. Converted, it is taken.
    """
    power = scope.var("power")
    raw = scope.model.variables["wheel.power"]
    with pytest.raises(TypeError) as refused:
        scope.add("most", raw <= 1)
    said = str(refused.value)
    assert said.startswith("wheel.most: rows are made by comparing Expressions, and this is linopy")
    assert "convert the side first, as in `Expression.from_linopy(x) <= 1`" in said
    scope.add("most", Expression.from_linopy(raw) <= 1)
    scope.add("same", Expression.from_linopy(2 * raw) - 2 * power <= 1)
    assert scope.model.constraints["wheel.most"].ncons == 8


def test_a_truth_value_is_no_row(scope):
    """Data compared with data."""
    with pytest.raises(TypeError, match="wheel.most: .* this is xarray.core.dataarray.DataArray"):
        scope.add("most", scope.data.power_max <= 1)


def test_where_nothing_is_possible_there_is_no_variable(scope):
    """An expression without terms on the declared dimensions, and no rows for its mask."""
    possible = scope.data.power_max > 5
    power = scope.var_where("power", possible, 3.0)
    assert power.dims == ("wheel", "time") and not power.has_terms
    scope.add("most", power <= -1, mask=possible)
    assert not list(scope.model.variables) and not list(scope.model.constraints)


def test_where_something_is_possible_the_rest_is_masked(scope):
    """The second wheel alone has a variable, with its bounds."""
    power = scope.var_where("power", scope.data.power_max > 1, scope.data.power_max)
    assert power.has_terms
    assert (scope.model.variables["wheel.power"].labels.values >= 0).sum() == 4
    assert float(scope.model.variables["wheel.power"].upper.values[1, 0]) == 2


def test_the_examples_of_the_room_run():
    """Examples in docstrings are programs."""
    for module in (arrays, expression, linopy_adapter):
        assert not doctest.testmod(module).failed
