"""Units and meaning of the arrays that ingest writes, so that its cases say what they hold."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from ...case.io import assemble

FIELDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "fleet": {
        "charge_max": ("kW", "power the plugged vehicles can draw, at the grid"),
        "discharge_max": ("kW", "power they can feed in, at the grid"),
        "energy_min": ("kWh", "least energy on board at the end of the step"),
        "energy_max": ("kWh", "most energy on board at the end of the step"),
        "energy_initial": ("kWh", "energy on board before the first step"),
        "energy_in": ("kWh", "energy on board of arriving vehicles"),
        "energy_out": ("kWh", "energy driven"),
        "keep": ("1", "0 where a vehicle arrives or none is connected, else 1"),
        "eta_charge": ("1", "charging efficiency"),
        "eta_discharge": ("1", "discharging efficiency"),
        "wear": ("EUR/kWh", "wear per kWh leaving the battery"),
        "retail_price": ("EUR/kWh", "drivers pay this on the expected net energy drawn"),
        "unserved_cost": ("EUR/kWh", "penalty on need not served"),
        "slack_cost": ("EUR/kWh", "penalty on balance slack"),
        "aggregate": ("1", "1: many vehicles, may charge and discharge in one step"),
        "vehicles": ("1", "vehicles the member stands for"),
        "session": ("", "session connected in the step, -1 for none"),
        "pod": ("", "point of delivery of the member"),
        "connector": ("", "connector of the member"),
    },
    "battery": {
        "charge_max": ("kW", "charging power at the grid side"),
        "discharge_max": ("kW", "discharging power at the grid side"),
        "energy_max": ("kWh", "most energy stored"),
        "energy_initial": ("kWh", "energy stored before the first step"),
        "eta_charge": ("1", "charging efficiency"),
        "eta_discharge": ("1", "discharging efficiency"),
        "cyclic": ("1", "1: as full at the end as at the start"),
        "wear": ("EUR/kWh", "wear per kWh leaving the battery"),
        "pod": ("", "point of delivery of the member"),
    },
    "load": {
        "baseline": ("kW", "power it draws if nothing is curtailed or shifted"),
        "shift_up_max": ("kW", "power that may be drawn above baseline"),
        "shift_down_max": ("kW", "power below baseline, made up within the day"),
        "pod": ("", "point of delivery of the member"),
    },
    "charger": {
        "charge_max": ("kW", "power its converter can draw for all plugs"),
        "discharge_max": ("kW", "power it can feed in from all plugs"),
    },
    "renewable": {
        "available": ("kW", "power that sun or wind would give"),
        "pod": ("", "point of delivery of the member"),
    },
    "energy": {
        "price": ("EUR/MWh", "price of energy"),
        "limit": ("kW", "largest position, either way"),
        "block": ("h", "market time unit"),
    },
    "imbalance": {
        "price_long": ("EUR/MWh", "received for energy delivered beyond the position"),
        "price_short": ("EUR/MWh", "paid for energy missing"),
        "limit": ("kW", "largest imbalance, either way"),
    },
    "reserve": {
        "up": ("1", "power needed upward per kW sold"),
        "down": ("1", "power needed downward per kW sold"),
        "hours_up": ("h", "energy held upward per kW sold"),
        "hours_down": ("h", "energy held downward per kW sold"),
        "capacity_price": ("EUR/MW/h", "paid for capacity"),
        "activation_up": ("1", "expected share activated upward"),
        "activation_down": ("1", "expected share activated downward"),
        "activation_price_up": ("EUR/MWh", "settles energy activated upward"),
        "activation_price_down": ("EUR/MWh", "settles energy activated downward"),
        "guarantee": ("", "what stands behind the capacity sold"),
        "volume_max": ("kW", "most that is bought; 0 where nothing is"),
        "block": ("h", "length of one bid"),
    },
    "connection": {
        "import_max": ("kW", "most power drawn"),
        "export_max": ("kW", "most power fed in"),
        "supply_price": ("EUR/MWh", "price of import under the supply contract"),
        "feed_in_price": ("EUR/MWh", "paid for export under the supply contract"),
        "fee_import": ("EUR/MWh", "grid fee on import"),
        "tax": ("EUR/MWh", "tax on import"),
        "peak_price": ("EUR/kW", "for the mean of the largest imports of each month"),
        "peak_count": ("1", "how many of the largest imports are averaged"),
        "partial": ("", "what a month that the case covers in part pays for its peak"),
    },
}


def described_case(
    time: pd.DatetimeIndex,
    groups: Mapping[str, xr.Dataset],
    *,
    timezone: str,
    title: str,
    source: str,
    assumptions: str,
    currency: str = "EUR",
) -> xr.DataTree:
    """Assemble a case whose arrays carry units and a long name."""
    named = {
        group: _described(dataset, FIELDS.get(group, {}), currency)
        for group, dataset in groups.items()
    }
    return assemble(
        time,
        named,
        timezone=timezone,
        title=title,
        source=source,
        currency=currency,
        assumptions=assumptions,
    )


def _described(
    dataset: xr.Dataset, fields: Mapping[str, tuple[str, str]], currency: str
) -> xr.Dataset:
    out = {}
    for name in dataset.data_vars:
        if name in fields:
            unit, doc = fields[str(name)]
            attrs = {"units": unit.replace("EUR", currency)} if unit else {}
            out[name] = dataset[name].assign_attrs(
                {**attrs, "long_name": doc, **dataset[name].attrs}
            )
    return dataset.assign(out)
