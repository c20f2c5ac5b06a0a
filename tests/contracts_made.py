"""A menu, and cars that are offered it, for tests."""

import xarray as xr
from sessions_made import stays, steps

import v2g_linopy as v2g

ENERGY, PAYMENT = [2.0, 5.0, 9.0], [0.02, 0.04, 0.06]
"""Three types that ask 0.01, 0.02 / 3 and 0.005 EUR/kWh: 0.02 + 3 x 0.02 / 3 + 4 x 0.005."""


def menu(**fields: object) -> xr.Dataset:
    """Contracts for three types, each indifferent between its own and the one below."""
    given = {
        "theta": ("type", [1.0, 1.5, 2.0]),
        "share": ("type", [0.5, 0.3, 0.2]),
        "wear": 0.01,
        "term": 3.0,
        "energy": ("type", ENERGY),
        "payment": ("type", PAYMENT),
    }
    return xr.Dataset(given | fields, {"type": ["low", "middle", "high"]})


def parked(sessions: xr.Dataset, price: list[float] | None = None) -> xr.DataTree:
    """Sessions with a day-ahead price that imbalance costs as well; 24 hours at 50 EUR/MWh unless
    it is given.
    """
    price = [50.0] * 24 if price is None else price
    fleet, table = v2g.sessions_to_fleet(sessions, steps(len(price)))
    limit = {"limit": ((), 1000.0, {"units": "kW"})}
    groups = {
        "fleet": fleet,
        "sessions": table,
        "energy": xr.Dataset({"price": (("market", "time"), [price]), **limit}, {"market": ["da"]}),
        "imbalance": xr.Dataset({"price_long": ("time", price), **limit}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["da"]}),
    }
    return v2g.assemble(steps(len(price)), groups)


def full_cars(*spans: tuple[float, float], **columns: object) -> xr.Dataset:
    """Cars that come as full as they have to leave, with 10 kW both ways."""
    given = {"energy_arrival": 30.0, "energy_need": 30.0, "discharge_max": 10.0} | columns
    return stays(*spans, **given)
