"""What flexibility is worth, and where it is worth nothing (docs/formulation.md §15: 5, 6, 7, 19,
31, 32, 33)."""

import numpy as np
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from invariants import physics
from invariants.changes import at_least, close, edit, every, group, objective, plan
from invariants.strategies import cases
from invariants.wanted import CENTS, PLUGGED, Wanted, few

import v2g_linopy as v2g

LINEAR = Wanted(simple_market=True, reserve=False, connection=False, scenarios=False, retail=False)


@few(6)
@given(
    cases(),
    st.sampled_from(("charge_max", "discharge_max", "energy_max")),
    st.sampled_from((1.0, 4.0)),
)
def test_more_equipment_never_hurts(case, field, more):
    """5: more charger, discharge power or battery, where something is connected, never lowers the
    objective.

    Holds for needs given in kWh, as here, and because idling is always possible.
    """
    fleet = group(case, "fleet")
    there = (fleet.energy_max > 0) & (fleet.charge_max > 0)
    larger = edit(case, fleet=fleet.assign({field: fleet[field] + more * there}))
    assert at_least(objective(larger), objective(case))


@few(5)
@given(case=cases(Wanted(kinds=("sessions",))))
def test_staying_longer_never_hurts(case):
    """5: plugged in for a step longer, with the same need at the later departure, never lowers the
    objective.

    Holds for needs given in kWh, as here, and because idling is always possible.
    """
    fleet = group(case, "fleet")
    names = ("charge_max", "discharge_max", "energy_max")
    there = fleet.energy_max.transpose("fleet", "time").to_numpy() > 0
    longer = np.zeros_like(there)
    longer[:, 1:] = ~there[:, 1:] & there[:, :-1]
    assume(longer.any())
    longer = xr.DataArray(
        longer, coords={d: fleet[d] for d in ("fleet", "time")}, dims=("fleet", "time")
    )
    before = longer.shift(time=-1, fill_value=False)
    stays = {n: fleet[n].where(~longer, fleet[n].shift(time=1)) for n in names}
    stays["energy_min"] = fleet.energy_min.where(~longer, fleet.energy_min.shift(time=1)).where(
        ~before, 0.0
    )
    stays["keep"] = fleet.keep.where(~longer, 1.0)
    assert at_least(objective(edit(case, fleet=fleet.assign(stays))), objective(case))


@few(5)
@given(
    cases(LINEAR.only(kinds=(*PLUGGED, "trips"), lowest_price=0)),
    st.sampled_from(("eta_charge", "eta_discharge")),
)
def test_less_loss_never_hurts(case, side):
    """5: a higher efficiency never lowers the objective.

    Holds with a single open market, where energy is worth something at every step (no price below
    zero, none below what drivers pay, no reserve, no limit of the site or the market), and where
    the battery does not shrink while energy is on board. With a second open market the gross plan
    backs positions, and less loss is a smaller plan."""
    fleet = group(case, "fleet")
    better = edit(case, fleet=fleet.assign({side: (fleet[side] + 0.125).clip(max=1.0)}))
    assert at_least(objective(better), objective(case))


@few(5)
@given(case=cases(), more=st.sampled_from((1.0, 3.0)))
def test_a_higher_need_never_pays(case, more):
    """6: a higher need never raises the objective (one that can be missed, so that there is a
    plan).
    """
    fleet = group(case, "fleet")
    soft = fleet.unserved_cost.notnull() & (fleet.charge_max > 0)
    need = xr.where(soft, np.minimum(fleet.energy_min + more, fleet.energy_max), fleet.energy_min)
    if "scenario" in need.dims:
        need = need.transpose("scenario", "fleet", "time")
    assert at_least(objective(case), objective(edit(case, fleet=fleet.assign(energy_min=need))))


@few(3)
@given(case=cases(Wanted(simple_market=True, scenarios=False, steps=(1, 6), members=(1, 3))))
def test_every_rung_of_the_ladder_is_worth_at_least_the_one_below(case):
    """7: V2G ≥ smart ≥ unmanaged, and with reserves ≥ without.

    The need can be missed and no market limit binds, so that unmanaged charging is a plan.
    """
    ladder = v2g.compare(case, gap=0.0, audit=False)["ladder"]
    best = dict(zip(ladder["rung"].values, ladder["objective"].values, strict=True))
    assert at_least(best["smart"], best["unmanaged"])
    assert at_least(best["V2G"], best["smart"])
    if "reserve" in case.children:
        assert at_least(best["smart + reserves"], best["smart"])
        assert at_least(best["V2G + reserves"], best["V2G"])
        assert at_least(best["V2G + reserves"], best["smart + reserves"])


@few(5)
@given(case=cases(LINEAR.only(lossless=False, lowest_price=1)))
def test_nobody_charges_and_discharges_at_a_positive_price(case):
    """19: with losses, and energy worth something everywhere, the relaxation is exact: LP = MILP,
    no binaries.
    """
    relaxed = plan(case, complementarity="off")
    both = np.minimum(relaxed["fleet"].charge, relaxed["fleet"].discharge)
    assert float(both.max()) <= 1e-7
    assert close(relaxed.attrs["objective"], objective(case, complementarity="milp"))
    assert plan(case).attrs["binaries"] == 0


@few(20)
@given(case=cases(Wanted(kinds=("nothing",), simple_market=True, lowest_price=-12)))
def test_nothing_earns_nothing(case):
    """31: no plug or no battery: 0, and no NaN.

    A charger without a battery sells no reserve, whatever it guarantees, and burns no energy at a
    negative price, also where activation is expected both ways and a battery might charge and
    discharge in one step."""
    result = plan(case)
    assert result.attrs["objective"] == 0 == result.attrs["profit"]
    for name in set(result.children) - {
        "dual",
        "reduced_cost",
    }:  # there, what does not exist has no value
        for field, array in group(result, name).data_vars.items():
            if array.dtype.kind == "f" and field not in ("slack_cost", "unserved_cost"):
                assert not array.isnull().any(), field


@few(8)
@given(case=cases(), charger=st.sampled_from((0.0, 2.0)))
def test_a_member_without_a_battery_changes_nothing(case, charger):
    """31: beside any fleet it changes nothing, with a charger or without; nor does a fleet of
    nobody earn anything.
    """
    fleet = group(case, "fleet")
    ghost = fleet.isel(fleet=[0]).assign_coords(fleet=["ghost"])
    zero = (
        "charge_max",
        "discharge_max",
        "energy_min",
        "energy_max",
        "keep",
        "energy_in",
        "energy_out",
        "spill_max",
    )
    ghost = ghost.assign({n: 0 * ghost[n] for n in (*zero, "energy_initial")})
    ghost = ghost.assign({n: ghost[n] + charger for n in ("charge_max", "discharge_max")})
    both = xr.concat([ghost, fleet], "fleet", data_vars="minimal")
    assert close(objective(edit(case, fleet=both)), objective(case))
    energy = group(case, "energy")
    calm = energy.assign(
        {n: 0 * energy[n] for n in ("committed", "virtual_bidding") if n in energy}
    )
    nobody = edit(case, fleet=fleet.isel(fleet=[]), energy=calm)
    assert plan(nobody).attrs["objective"] == 0


@few(4)
@given(
    case=cases(Wanted(simple_market=True)),
    price=st.integers(-4, 12),
    limit=st.sampled_from((1.0, 64.0)),
)
def test_another_market_never_hurts(case, price, limit):
    """32: a market beside the first never lowers the objective.

    Holds where nothing is committed there; here beside one open market without a spread, a block or
    a limit that binds."""
    energy = group(case, "energy")
    other = energy.assign(price=0 * energy.price + price * CENTS, limit=0 * energy.limit + limit)
    both = xr.concat(
        [energy, other.assign_coords(market=["another"])], "market", data_vars="minimal"
    )
    assert at_least(objective(edit(case, energy=both)), objective(case))


@few(5)
@given(case=cases(Wanted(reserve=True)), guarantee=st.sampled_from(("expected", "endurance")))
def test_another_product_never_hurts(case, guarantee):
    """32: a product beside the others never lowers the objective.

    Holds unless it is the first to guarantee energy while activation is expected: then the
    undisturbed path of the whole fleet must be feasible too, also under what was sold without a
    guarantee."""
    reserve = group(case, "reserve")
    expects = bool(
        ((reserve.activation_up + reserve.activation_down) * (reserve.volume_max > 0)).sum() > 0
    )
    guaranteed = bool((reserve.guarantee == "endurance").any())
    assume(guarantee == "expected" or guaranteed or not expects)
    other = reserve.isel(product=[0]).assign_coords(product=["another"])
    other = other.assign(
        volume_max=0 * other.capacity_price + np.inf, guarantee=("product", [guarantee])
    )
    other = other.fillna(np.inf)
    both = xr.concat([reserve, other], "product", data_vars="minimal")
    assert at_least(objective(edit(case, reserve=both)), objective(case))


@few(5)
@given(case=cases(Wanted(reserve=True)))
def test_reserves_that_nobody_buys_change_nothing(case):
    """A reserve group with `volume_max = 0` changes nothing."""
    reserve = group(case, "reserve")
    unwanted = plan(
        edit(case, reserve=reserve.assign(volume_max=xr.zeros_like(reserve.volume_max)))
    )
    without = plan(edit(case, reserve=None))
    assert close(unwanted.attrs["objective"], without.attrs["objective"])
    assert float(unwanted["reserve"].volume.max()) == 0


@few(5)
@given(case=cases(LINEAR.only(kinds=PLUGGED, hard=False, lowest_price=0)), price=st.integers(0, 12))
def test_at_a_constant_price_nobody_discharges(case, price):
    """33: constant price ≥ 0, energy on arrival due at departure, no shrinking battery, no
    activation: no discharge.
    """
    fleet, energy = group(case, "fleet"), group(case, "energy")
    arrived = fleet.energy_in.transpose("fleet", "time").to_numpy()
    need, cap = (
        fleet[n].transpose("fleet", "time").to_numpy().copy() for n in ("energy_min", "energy_max")
    )
    keep = fleet.keep.transpose("fleet", "time").to_numpy()
    for i, initial in enumerate(fleet.energy_initial.to_numpy()):
        held = initial
        for t in range(need.shape[1]):
            held = held if keep[i, t] else arrived[i, t]
            last = t + 1 == need.shape[1] or not keep[i, t + 1]
            if last and cap[i, t] > 0:
                need[i, t] = max(need[i, t], held)
    case = edit(
        case,
        fleet=fleet.assign(
            energy_min=(("fleet", "time"), need), unserved_cost=0 * fleet.unserved_cost + 10.0
        ),
        energy=energy.assign(price=0 * energy.price + price * CENTS),
    )
    result = plan(case)
    strict = (
        fleet.wear * fleet.eta_discharge + price * (1 - fleet.eta_charge * fleet.eta_discharge) > 0
    )
    assert float((result["fleet"].discharge * strict).max()) <= 1e-7
    one_way = edit(case, fleet=group(case, "fleet").assign(discharge_max=0 * fleet.discharge_max))
    assert close(result.attrs["objective"], objective(one_way))


@few(5)
@given(
    cases(Wanted(kinds=("vehicle", "trips", "sessions", "cohort"), reserve=False)),
    st.sampled_from((1.0, 1000.0)),
)
def test_energy_not_served_is_never_sold(case, dear):
    """Without charging, what leaves the batteries was on board: a missed need or trip is no energy,
    at any price.
    """
    fleet = group(case, "fleet")
    there = (fleet.keep > 0) | (fleet.energy_in > 0) | (fleet.discharge_max > 0)
    there = there.any("scenario") if "scenario" in there.dims else there
    still = fleet.assign(
        charge_max=0 * fleet.charge_max, energy_min=fleet.energy_min.where(there, 0.0)
    )
    soft = still.unserved_cost.notnull() & there
    needy = xr.where(soft, still.energy_max, still.energy_min).transpose("fleet", "time")
    for changed in (edit(case, fleet=still), edit(case, fleet=still.assign(energy_min=needy))):
        result = plan(
            every(changed, lambda name, array: array * dear if name == "price" else array)
        )
        p = physics.Plan(result)
        sold = (p.fleet("discharge") / p.fleet("eta_discharge")).sum(-1) * p.dt
        brought = (p.fleet("energy_in") + 0 * p.fleet("discharge")).sum(-1) + p.fleet(
            "energy_initial"
        )[..., 0]
        assert (sold <= brought + 1e-6).all()
