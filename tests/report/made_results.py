"""Results made by hand: every number of the ledger follows from the plan written here, no solver
involved.
"""

import numpy as np
import pandas as pd
import xarray as xr

ETA, WEAR, RETAIL, CAPACITY, PENALTY = 0.9, 0.08, 0.01, 20.0, 10.0
RUNGS = ["unmanaged", "smart", "V2G", "smart + reserves", "V2G + reserves"]
AGAINST = {1: 0, 2: 1, 3: 1, 4: 2}
CAUSES = ["energy", "reserve", "wear", "drivers", "penalties", "other"]
OUTPUTS = (
    "charge",
    "discharge",
    "energy",
    "unserved",
    "position",
    "volume",
    "share_fleet",
    "electricity",
)
ATTRS = {
    "title": "Made by hand",
    "currency": "EUR",
    "status": "optimal",
    "solver": "highs",
    "solver_version": "1.15",
    "linopy_version": "0.10.1",
    "v2g_linopy_version": "0.1.0",
    "build_seconds": 0.1,
    "solve_seconds": 0.2,
    "rows": 10,
    "columns": 20,
    "nonzeros": 30,
    "blocks": 1,
    "merged_members": 0,
    "block_note": "one block",
    "complementarity": "no binaries were needed",
    "case_hash": "0123456789abcdef",
}


class Plan:
    """Plugged in 8 to 17 local time; 2 kW fed in from 9 to 10, 6 kW drawn from 12 to 15; price 50 +
    the local hour.

    `moving` 0 leaves everything at rest. Arrivals bring 10 kWh, 22 kWh are needed at departure.
    """

    def __init__(
        self, members: int, start: str, days: float, minutes: int, timezone: str, moving: float
    ):
        steps = max(1, round(days * 24 * 60 / minutes))
        self.time = pd.date_range(start, periods=steps, freq=f"{minutes}min", name="time")
        self.dt, self.moving = minutes / 60, moving
        self.hour = np.asarray(self.time.tz_localize("UTC").tz_convert(timezone).hour, dtype=float)
        self.fleet = pd.Index([f"ev-{i:03d}" for i in range(members)], name="fleet")
        self.plugged = (self.hour >= 8) & (self.hour < 17)
        self.arrival = self.plugged & ~np.append(False, self.plugged[:-1])
        self.last = self.plugged & ~np.append(self.plugged[1:], False)
        self.noon = (self.hour >= 12) & (self.hour < 15)
        self.charge = self.each(6.0 * moving * self.noon)
        self.discharge = self.each(2.0 * moving * (self.hour == 9))
        self.price = 50.0 + self.hour

    def each(self, row: np.ndarray, unit: str = "kW") -> xr.DataArray:
        """The same row for every member."""
        return self.over("fleet", self.fleet, row, unit)

    def over(
        self, dim: str, labels: list[str] | pd.Index, row: np.ndarray, unit: str
    ) -> xr.DataArray:
        values = np.broadcast_to(np.asarray(row, dtype=float), (len(labels), len(self.time))).copy()
        return xr.DataArray(
            values,
            coords={dim: labels, "time": self.time},
            dims=[dim, "time"],
            attrs={"units": unit},
        )

    def energy(self) -> xr.DataArray:
        gained = self.dt * self.moving * (5.4 * self.noon - 2 / ETA * (self.hour == 9))
        energy, level = np.zeros(len(self.time)), 0.0
        for t in range(len(self.time)):
            level = (
                (level if self.plugged[t] and not self.arrival[t] else 0.0)
                + 10.0 * self.arrival[t]
                + gained[t]
            )
            energy[t] = level
        return self.each(energy, "kWh")


def result(
    members: int = 3,
    *,
    start: str = "2019-08-04T22:00",
    days: float = 2,
    minutes: int = 60,
    timezone: str = "Europe/Rome",
    reserve: bool = True,
    ladder: bool = True,
    duals: bool = True,
    scenarios: int = 0,
    moving: float = 1.0,
    unserved: float = 0.0,
) -> xr.DataTree:
    """A result in the layout of the package; `unserved` kWh are missing at the first departure of
    the first member.
    """
    plan = Plan(members, start, days, minutes, timezone, moving)
    groups = {"fleet": fleet(plan, unserved), "energy": market(plan)}
    if reserve:
        groups["reserve"] = reserves(plan)
    groups["ledger"] = ledger(plan, groups)
    if duals:
        price = plan.over("pod", ["site"], plan.price, "EUR/MWh")
        groups |= {
            "price": xr.Dataset({"electricity": price}),
            "dual": xr.Dataset({"fleet.balance": plan.each(plan.price / 1000 / ETA)}),
        }
    sums = {str(k): float(v.sum()) for k, v in groups["ledger"].data_vars.items()}
    profit = sum(v for k, v in sums.items() if ".slack." not in k)
    root = xr.Dataset(coords={"time": plan.time})
    if scenarios:
        names = [f"s{i}" for i in range(scenarios)]
        groups = {k: over_scenarios(v, names) for k, v in groups.items()}
        root = root.assign(
            probability=("scenario", np.full(scenarios, 1 / scenarios))
        ).assign_coords(scenario=names)
    groups["wear"] = worn(plan)
    if ladder:
        groups["ladder"] = rungs(sums)
    root.attrs = ATTRS | {
        "timezone": timezone,
        "profit": profit,
        "objective": sum(sums.values()),
        "step_hours": plan.dt,
    }
    return xr.DataTree.from_dict({"/": root, **{f"/{k}": v for k, v in groups.items()}})


def fleet(plan: Plan, unserved: float) -> xr.Dataset:
    missing = plan.each(0.0 * plan.hour, "kWh")
    if unserved:
        missing[0, int(np.flatnonzero(plan.last)[0])] = unserved
    return xr.Dataset(
        {
            "charge_max": plan.each(7.2 * plan.plugged),
            "discharge_max": plan.each(7.2 * plan.plugged),
            "energy_min": plan.each(22.0 * plan.moving * plan.last, "kWh"),
            "energy_max": plan.each(24.0 * plan.plugged, "kWh"),
            "keep": plan.each(plan.plugged & ~plan.arrival, "1"),
            "energy_in": plan.each(10.0 * plan.arrival, "kWh"),
            "eta_charge": xr.DataArray(ETA),
            "eta_discharge": xr.DataArray(ETA),
            "wear": xr.DataArray(WEAR, attrs={"units": "EUR/kWh"}),
            "retail_price": xr.DataArray(RETAIL, attrs={"units": "EUR/kWh"}),
            "charge": plan.charge,
            "discharge": plan.discharge,
            "energy": plan.energy(),
            "unserved": missing,
        }
    )


def worn(plan: Plan) -> xr.Dataset:
    """One discharge a day, of 2 kWh at the grid and a battery of 24 kWh: in the class of depth up
    to 10 %.
    """
    depth, days = 2 / ETA * plan.moving / 24, plan.dt * (plan.hour == 9).sum()
    cycles = np.zeros((len(plan.fleet), 20))
    cycles[:, 1] = days * (depth > 0)
    each = {
        "capacity": 24.0,
        "throughput": 24 * depth * days,
        "efc": depth * days,
        "price_marginal": np.nan,
    }
    each |= {"cost_planned": WEAR * 24 * depth * days, "cost_calendar": 0.0, "price_mean": np.nan}
    each |= {"cost_counted": np.nan, "cost_over": np.nan}
    arrays = {name: ("storage", np.full(len(plan.fleet), value)) for name, value in each.items()}
    labels = {"storage": [f"fleet.{name}" for name in plan.fleet], "depth": np.arange(1, 21) / 20}
    return xr.Dataset(arrays | {"cycles": (("storage", "depth"), cycles)}, coords=labels)


def market(plan: Plan) -> xr.Dataset:
    net = (plan.discharge - plan.charge).sum("fleet").values
    return xr.Dataset(
        {
            "price": plan.over("market", ["day_ahead"], plan.price, "EUR/MWh"),
            "limit": ("market", [1e4], {"units": "kW"}),
            "position": plan.over("market", ["day_ahead"], net, "kW"),
        }
    )


def reserves(plan: Plan) -> xr.Dataset:
    sold = 3.0 * plan.moving * plan.plugged
    return xr.Dataset(
        {
            "up": ("product", [1.0]),
            "down": ("product", [0.0]),
            "capacity_price": plan.over("product", ["up"], CAPACITY + 0 * plan.hour, "EUR/MW/h"),
            "volume": plan.over("product", ["up"], len(plan.fleet) * sold, "kW"),
            "share_fleet": (
                plan.each(sold).expand_dims(product=["up"]).transpose("fleet", "product", "time")
            ),
        }
    )


def ledger(plan: Plan, groups: dict[str, xr.Dataset]) -> xr.Dataset:
    d, m, r = groups["fleet"], groups["energy"], groups.get("reserve")
    entries = {
        "energy.energy": m.price / 1000 * plan.dt * m.position,
        "fleet.wear": -WEAR * plan.dt / ETA * d.discharge,
        "fleet.drivers": RETAIL * plan.dt * (d.charge - d.discharge),
        "fleet.slack.unserved": -PENALTY * d.unserved,
    }
    if r is not None:
        entries["reserve.capacity"] = r.capacity_price / 1000 * plan.dt * r.volume
    return xr.Dataset({k: v.assign_attrs(units="EUR") for k, v in entries.items()})


def rungs(sums: dict[str, float]) -> xr.Dataset:
    """A ladder that ends at the result; each rung adds the causes of a fifth of the way, and every
    step adds up.
    """
    cause = {
        "energy.energy": 0,
        "reserve.capacity": 1,
        "fleet.wear": 2,
        "fleet.drivers": 3,
        "fleet.slack.unserved": 4,
    }
    share = np.zeros((5, len(CAUSES)))
    for i in range(5):
        for name, value in sums.items():
            if name in cause:
                share[i, cause[name]] = value * (i + 1) / 5
    step = np.zeros((5, len(CAUSES)))
    for i, j in AGAINST.items():
        step[i] = share[i] - share[j]
    return xr.Dataset(
        {
            "profit": ("rung", np.delete(share, CAUSES.index("penalties"), axis=1).sum(axis=1)),
            "step": (("rung", "cause"), step),
            "before": ("rung", ["", *(RUNGS[j] for j in AGAINST.values())]),
        },
        coords={"rung": RUNGS, "cause": CAUSES},
    )


def over_scenarios(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """The same plan in every scenario."""
    outputs = [k for k in data.data_vars if k in OUTPUTS or "." in str(k)]
    return data.assign({k: data[k].expand_dims(scenario=names).copy() for k in outputs})
