"""A point of a sweep is the case solved by itself."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from invariants.wanted import Draw, few
from part_stories import Story, assets, markets, rules, vehicles
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.data.case_changes import SCHEMAS, with_changes

STORIES = {
    name: story
    for module in (assets, vehicles, markets, rules)
    for name, story in vars(module).items()
    if isinstance(story, Story)
}
"""Cases in which every part is, in each of its kinds."""
FACTORS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0])


@st.composite
def quantities(draw: Draw, case) -> str:
    """Any number that a case gives."""
    every = [
        f"{part}.{field.name}.scale"
        for part in case.children
        if part in SCHEMAS
        for field in SCHEMAS[part].inputs
        if field.kind == "quantity" and field.name in case[part]
    ]
    return draw(st.sampled_from(every))


def alone(case):
    """The status of a separate solve, and its objective; NaN where there is no plan."""
    try:
        found = v2g.solve(case, audit=False)
        return found.attrs["status"], found.attrs["objective"]
    except v2g.SchemaError:
        return "invalid input", np.nan
    except v2g.SolveError as error:
        return error.status, np.nan


@few(3)
@given(data=st.data())
def test_a_point_of_a_sweep_is_a_case_solved_alone(data):
    """The case of any part, any number that it gives, and factors in any order, 0 among them: what
    was possible is so no more, or the other way round, and rows, bounds and costs move.
    """
    case = STORIES[data.draw(st.sampled_from(list(STORIES)))].given()
    target = data.draw(quantities(case))
    factors = data.draw(st.lists(FACTORS, min_size=2, max_size=3, unique=True))
    found = v2g.sweep(case, {target: factors})
    for number, factor in enumerate(factors):
        point = found.isel({target: number})
        status, objective = alone(with_changes(case, {target: factor}))
        assert str(point.status.item()) == status
        assert float(point.objective) == approx(objective, rel=1e-9, abs=1e-9, nan_ok=True)
        assert (
            float(point.ledger.sum("entry", skipna=False))
            == approx(objective, rel=1e-9, abs=1e-9, nan_ok=True)
            or not point.entry.size
        )
