"""The same equations once more as a Pyomo `ConcreteModel`, in the way its documentation writes
models: rules over sets.

Variables and rows exist only where something can happen, as in the other two, so that the models
have equal size."""

import pyomo.environ as pyo
import xarray as xr
from pyomo.contrib.appsi.solvers import Highs

from benchmarks.arrays import Arrays, read


def build(case: xr.DataTree) -> pyo.ConcreteModel:
    """docs/formulation.md §1–3 on the arrays of `case`."""
    a = read(case)
    model = pyo.ConcreteModel()
    _sets(model, a)
    _variables(model, a)
    _fleet(model, a)
    _reserve(model, a)
    _market(model, a)
    return model


def hand_over(model: pyo.ConcreteModel) -> Highs:
    """The persistent HiGHS interface holding `model`, not yet run."""
    solver = Highs()
    solver.set_instance(model)
    return solver


def solve(case: xr.DataTree) -> float:
    """Objective of `case` in EUR."""
    model = build(case)
    Highs().solve(model)
    return float(pyo.value(model.profit))


def _sets(m: pyo.ConcreteModel, a: Arrays) -> None:
    members, steps, markets, products = (range(n) for n in a.shape)
    d, most, connected, alive = a.fleet, a.reserve["volume_max"], a.plugged, a.alive
    plugged = [(i, t) for i in members for t in steps if connected[i, t]]
    bought = {t: [r for r in products if most[r, t] > 0] for t in steps}
    m.members, m.steps, m.markets, m.products = (
        pyo.Set(initialize=s) for s in (members, steps, markets, products)
    )
    m.charging = pyo.Set(
        dimen=2, initialize=[(i, t) for i, t in plugged if d["charge_max"][i, t] > 0]
    )
    m.discharging = pyo.Set(
        dimen=2, initialize=[(i, t) for i, t in plugged if d["discharge_max"][i, t] > 0]
    )
    m.needed = pyo.Set(
        dimen=2, initialize=[(i, t) for i in members for t in steps if d["energy_min"][i, t] > 0]
    )
    m.offering = pyo.Set(dimen=2, initialize=[(i, t) for i, t in plugged if bought[t]])
    m.shares = pyo.Set(dimen=3, initialize=[(i, r, t) for i, t in plugged for r in bought[t]])
    m.bought = pyo.Set(m.steps, initialize=bought)
    m.plugged = pyo.Set(
        m.steps, initialize={t: [i for i in members if connected[i, t]] for t in steps}
    )
    m.alive = pyo.Set(dimen=2, initialize=[(i, t) for i in members for t in steps if alive[i, t]])


def _variables(m: pyo.ConcreteModel, a: Arrays) -> None:
    d, most = a.fleet, a.share_max
    m.charge = pyo.Var(m.charging, bounds=lambda m, i, t: (0, d["charge_max"][i, t]))
    m.discharge = pyo.Var(m.discharging, bounds=lambda m, i, t: (0, d["discharge_max"][i, t]))
    m.energy = pyo.Var(m.alive, bounds=lambda m, i, t: (0, d["energy_max"][i, t]))
    m.unserved = pyo.Var(m.needed, bounds=lambda m, i, t: (0, d["energy_min"][i, t]))
    m.position = pyo.Var(
        m.markets,
        m.steps,
        bounds=lambda m, k, t: (-a.energy["limit"][k, t], a.energy["limit"][k, t]),
    )
    m.volume = pyo.Var(
        m.products, m.steps, bounds=lambda m, r, t: (0, a.reserve["volume_max"][r, t])
    )
    m.share = pyo.Var(m.shares, bounds=lambda m, i, r, t: (0, most[i, r, t]))
    m.exchange = pyo.Var(m.steps)


def _drawn(m: pyo.ConcreteModel, i: int, t: int) -> object:
    """Expected power drawn from the grid (kW)."""
    charge = m.charge[i, t] if (i, t) in m.charging else 0
    return charge - m.discharge[i, t] if (i, t) in m.discharging else charge


def _fleet(m: pyo.ConcreteModel, a: Arrays) -> None:
    d, dt = a.fleet, a.dt

    def balance(m, i, t):
        stored = d["energy_in"][i, t]
        if (i, t - 1) in m.alive:
            stored += d["keep"][i, t] * m.energy[i, t - 1]
        elif t == 0:
            stored += d["keep"][i, t] * d["energy_initial"][i, t]
        if (i, t) in m.charging:
            stored += dt * d["eta_charge"][i, t] * m.charge[i, t]
        if (i, t) in m.discharging:
            stored -= dt / d["eta_discharge"][i, t] * m.discharge[i, t]
        return m.energy[i, t] == stored

    def need(m, i, t):
        return m.energy[i, t] + m.unserved[i, t] >= d["energy_min"][i, t]

    m.balance = pyo.Constraint(m.alive, rule=balance)
    m.need = pyo.Constraint(m.needed, rule=need)


def _reserve(m: pyo.ConcreteModel, a: Arrays) -> None:
    d, r = a.fleet, a.reserve
    net = r["activation_up"] - r["activation_down"]

    def room_up(m, i, t):
        held = pyo.quicksum((r["up"][p, t] - net[p, t]) * m.share[i, p, t] for p in m.bought[t])
        return held - _drawn(m, i, t) <= d["discharge_max"][i, t]

    def room_down(m, i, t):
        held = pyo.quicksum((r["down"][p, t] + net[p, t]) * m.share[i, p, t] for p in m.bought[t])
        return held + _drawn(m, i, t) <= d["charge_max"][i, t]

    def allocation(m, p, t):
        held = pyo.quicksum(m.share[i, p, t] for i in m.plugged[t]) if p in m.bought[t] else 0
        return m.volume[p, t] - held == 0

    m.room_up = pyo.Constraint(m.offering, rule=room_up)
    m.room_down = pyo.Constraint(m.offering, rule=room_down)
    m.allocation = pyo.Constraint(m.products, m.steps, rule=allocation)


def _market(m: pyo.ConcreteModel, a: Arrays) -> None:
    d, r, dt = a.fleet, a.reserve, a.dt
    net = r["activation_up"] - r["activation_down"]
    paid = r["capacity_price"] + r["activation_cash"]

    def node(m, t):
        return pyo.quicksum(_drawn(m, i, t) for i in m.plugged[t]) + m.exchange[t] == 0

    def market(m, t):
        activated = pyo.quicksum(net[p, t] * m.volume[p, t] for p in m.products)
        return m.exchange[t] - pyo.quicksum(m.position[k, t] for k in m.markets) - activated == 0

    def profit(m):
        energy = pyo.quicksum(
            a.energy["price"][k, t] * m.position[k, t] for k in m.markets for t in m.steps
        )
        reserve = pyo.quicksum(paid[p, t] * m.volume[p, t] for p in m.products for t in m.steps)
        retail = pyo.quicksum(
            d["retail_price"][i, t] * _drawn(m, i, t) for i, t in m.charging | m.discharging
        )
        wear = pyo.quicksum(
            d["wear"][i, t] / d["eta_discharge"][i, t] * m.discharge[i, t] for i, t in m.discharging
        )
        missing = pyo.quicksum(d["unserved_cost"][i, t] * m.unserved[i, t] for i, t in m.needed)
        return dt * (energy + reserve + retail - wear) - missing

    m.node = pyo.Constraint(m.steps, rule=node)
    m.market = pyo.Constraint(m.steps, rule=market)
    m.profit = pyo.Objective(rule=profit, sense=pyo.maximize)
