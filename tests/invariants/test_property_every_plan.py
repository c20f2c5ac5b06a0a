"""One drawn case, one solve, every physical rule at once (docs/formulation.md §14, §15: 1 and
2).
"""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants import physics
from invariants.strategies import cases
from invariants.wanted import Wanted, few

import v2g_linopy as v2g

NEAR = 1e-6


KINDS = {
    "anything": Wanted(billed=True),
    "reserves": Wanted(reserve=True, connection=True, scenarios=False, steps=(2, 8)),
    "guaranteed": Wanted(reserve=True, guarantees=("endurance",), connection=False, steps=(3, 8)),
    "batteries": Wanted(
        reserve=False, simple_market=True, steps=(3, 8), members=(2, 4), billed=True
    ),
    "futures": Wanted(scenarios=True, steps=(2, 8)),
}


@pytest.mark.parametrize("kind", KINDS)
@few(10)
@given(data=st.data())
def test_every_plan_is_physical_and_its_bill_adds_up(kind, data):
    """Balances, limits, reserve room, positions, meters and the whole ledger, recomputed from the
    result alone.
    """
    case = data.draw(cases(KINDS[kind]))
    result = v2g.solve(case, gap=0.0)
    assert result.attrs["status"] == "optimal"
    broken = {name: x for name, x in physics.violations(result).items() if not x <= NEAR}
    assert not broken
    assert_ledger(result)
    assert_complete(result, case)
    assert result["audit"].attrs["passed"] == 1, result["audit"].attrs["worst"]


OUTPUTS = (
    "charge",
    "discharge",
    "energy",
    "spill",
    "unserved",
    "unserved_trip",
    "slack_in",
    "slack_out",
    "position",
)
TRADED = ("sold", "bought", "volume", "share_fleet", "import_", "export")


@few(10)
@given(case=cases(), data=st.data())
def test_the_audit_notices_any_changed_number(case, data):
    """A hundredth more in any cell of a plan or of the ledger, and the replay does not pass."""
    result = v2g.solve(case, gap=0.0)
    places = [
        (g, str(n)) for g in case.children for n in result[g].data_vars if n in OUTPUTS + TRADED
    ]
    places += [("ledger", str(n)) for n in result["ledger"].data_vars]
    for group, name in data.draw(
        st.lists(st.sampled_from(places), min_size=3, max_size=3, unique=True)
    ):
        changed = result.copy()
        values = result[group][name].to_numpy().copy()
        values.reshape(-1)[data.draw(st.integers(0, values.size - 1))] += 0.01
        changed[group] = (
            result[group]
            .to_dataset(inherit=False)
            .assign({name: result[group][name].copy(data=values)})
        )
        assert v2g.replay(changed).attrs["passed"] == 0, f"{group}.{name}"


def assert_ledger(result: xr.DataTree) -> None:
    """Every entry is the money of the plan; their sum is the objective, and without penalties the
    profit.
    """
    ledger, expected = result["ledger"].to_dataset(), physics.bill(result)
    weight = physics.Plan(result).weight
    for name, money in expected.items():
        member = {"fleet": "fleet", "energy": "market", "reserve": "product"}[
            name.partition(".")[0]
        ]
        written = (
            physics.aligned(ledger[name], f"scenario {member} time")
            if name in ledger
            else np.zeros((1, 1, 1))
        )
        assert np.allclose(written, money, rtol=1e-9, atol=NEAR), name
    assert set(map(str, ledger)) <= set(expected)
    total = {
        name: physics.expected(money + np.zeros((len(weight), 1, 1)), weight)
        for name, money in expected.items()
    }
    assert np.isclose(result.attrs["objective"], sum(total.values()), rtol=1e-9, atol=NEAR)
    profit = sum(x for name, x in total.items() if ".slack." not in name)
    assert np.isclose(result.attrs["profit"], profit, rtol=1e-9, atol=NEAR)


def assert_complete(result: xr.DataTree, case: xr.DataTree) -> None:
    """Every label of the case has a plan, no number is missing, and the inputs came back as they
    went in.
    """
    plans = {
        "fleet": ("charge", "discharge", "energy"),
        "energy": ("position",),
        "reserve": ("volume",),
    }
    for group, names in plans.items():
        if group not in case.children:
            continue
        for name in names:
            array = result[group][name]
            assert np.isfinite(array.to_numpy()).all(), name
            assert list(array.indexes["time"]) == list(case.to_dataset().indexes["time"])
        given = case[group].to_dataset(inherit=False)
        assert result[group].to_dataset(inherit=False)[list(given.data_vars)].equals(given)
