"""Published types of sites as cases: the closed-form optima of each site come out."""

import json

import numpy as np
import pytest
import xarray as xr
from pytest import approx
from reference_data import reference

import v2g_linopy as v2g

STEPS, HOURS = 4, 2
SERIES = {
    "1044": [0.0, -8.0, -4.0, 0.0],
    "1046": [-1.0, -2.0, 0.0, -1.0],
    "1048": [0.5, -3.0, 1.0, 0.0],
    "1049": [2.0, 4.0, 2.0, 0.0],
    "1050": [10.0, 20.0, 20.0, 50.0],
}


def written(path, *, pods=None, series=None, **changes):
    """A file in the shape of the published one: four half-hours."""
    inputs = {
        "time_steps": STEPS,
        "baselines": (SERIES if series is None else series) | {"1051": {"constant": 1.0, "n": 4}},
        "prices_hourly_eur_per_kwh": {"buy_c_in": [0.03, 0.02], "sell_c_out": [0.01, 0.04]},
    }
    pods = {"p1": "W1+L2", "p2": "2 PV+ST+L3"} if pods is None else pods
    path.write_text(json.dumps({"inputs": inputs | changes, "pods": pods}))
    return path


def total(case):
    """Least and most energy of every site from start to end, kWh."""
    energy = v2g.flexibility(case)["flexibility_bands"]["energy"].isel(time=-1)
    return {
        str(pod): tuple(energy.sel(pod=pod, edge=["min", "max"]).to_numpy())
        for pod in energy.indexes["pod"]
    }


def test_least_and_most_energy_of_a_small_file(tmp_path):
    """Numbers in kW, half-hours. p1: 10 x 4 kW of wind, 8 000 kW of a load that does without a
    quarter of 8: between 7 960 - 2 and 7 960 (x 0.5 h). p2: 2 x 12 kW of sun, a load of 100 that
    ends 1 short, a storage without losses that holds 17.5 and takes 52.5, both divided by 0.95:
    76 - 1 - 18.42 and 76 + 55.26.
    """
    case = v2g.read_site_types(written(tmp_path / "a.json"), unit="kW", storage="as published")
    found = total(case)
    assert found["p1"] == approx((0.5 * 7958, 0.5 * 7960))
    assert found["p2"] == approx((0.5 * (75 - 17.5 / 0.95), 0.5 * (76 + 52.5 / 0.95)))


def test_a_storage_with_losses(tmp_path):
    """A storage alone: 0.95 of its 17.5 kW x half-hours comes out. It draws most if it gives 42 kW
    in one of its four half-hours, and takes that and what makes it full, (52.5 + 42 / 0.95) / 0.95
    kW, in the other three: what is lost on the way is drawn, too. If it gave in two, the other two
    could not make it full again.
    """
    path = written(tmp_path / "a.json", pods={"store": "ST"})
    most = (52.5 + 42 / 0.95) / 0.95 - 42
    found = total(v2g.read_site_types(path, unit="kW"))
    assert found["store"] == approx((-0.5 * 17.5 * 0.95, 0.5 * most))


def test_what_a_site_is_made_of(tmp_path):
    """Three sites of two types: names, pods, scales, and prices that sell and buy as given, at the
    mean of both where selling would earn more.
    """
    case = v2g.read_site_types(written(tmp_path / "a.json"), pods=3, start="2026-05-01")
    plants = case["renewable"].to_dataset()
    assert [*plants.indexes["renewable"]] == ["p1 W1 1", "p2 PV 1", "p2 PV 2", "p1-2 W1 1"]
    assert plants["pod"].to_numpy().tolist() == ["p1", "p2", "p2", "p1-2"]
    assert plants["available"].sel(renewable="p1 W1 1").to_numpy().tolist() == approx(
        [0.010, 0.020, 0.0, 0.010]
    )
    loads = case["load"].to_dataset()
    assert loads["baseline"].sel(load="p1 L2 1").to_numpy().tolist() == [2.0, 4.0, 2.0, 0.0]
    assert str(case["time"].to_numpy()[1])[:16] == "2026-05-01T00:30"
    market = case["energy"].to_dataset().isel(market=0)
    assert market["price"].to_numpy().tolist() == approx([20, 20, 30, 30])
    assert market["spread"].to_numpy().tolist() == approx([20, 20, 0, 0])
    assert v2g.solve(case)["audit"].attrs["passed"] == 1


def test_shares_that_plants_and_loads_shift(tmp_path):
    """A tenth of the series of a plant, a fifth of a load: the sun may seem 0.8 kW more or less at
    its peak, and the load 4 kW where it draws 20.
    """
    path = written(tmp_path / "a.json", pods={"p": "PV+L3"})
    power = v2g.flexibility(v2g.read_site_types(path, unit="kW"))["flexibility_bands"]["power"]
    noon = power.sel(pod="p").isel(time=1)
    assert noon.sel(edge="min").item() == approx(20 - 8 - 4 - 0.8 + 0.4)
    assert noon.sel(edge="max").item() == approx(20 - 8 + 4 + 0.4)


def test_steps_in_which_nothing_shifts(tmp_path):
    """The shiftable load draws its profile in steps 15 to 24, the plant of heat and power feeds in
    its own in steps 0 to 19; before and after they shift.
    """
    series = {"1050": [100.0] * 30, "1054": [-10.0] * 30}
    path = written(tmp_path / "a.json", pods={"p": "CHP+L3"}, series=series, time_steps=30)
    case = v2g.read_site_types(path, unit="kW")
    load, plant = case["load"].to_dataset().isel(load=0), case["battery"].to_dataset()
    assert load["shift_up_max"].to_numpy().tolist() == [20.0] * 15 + [0.0] * 10 + [20.0] * 5
    assert load["power_min"].to_numpy().tolist() == [80.0] * 15 + [100.0] * 10 + [80.0] * 5
    assert plant["charge_max"].isel(battery=0).to_numpy().tolist() == [0.0] * 20 + [1.0] * 10


BAD = {
    "pods.p 'PW' is no template": {"pods": {"p": "PW+L3"}},
    "baselines.1043 missing: L4": {"pods": {"p": "L4"}},
    "baselines.1044 1 numbers": {"series": SERIES | {"1044": [1.0]}},
    "time_steps 5 steps": {"time_steps": 5},
    "there is no site": {"pods": {}},
    "sell_c_out 1 hours": {
        "prices_hourly_eur_per_kwh": {"buy_c_in": [0.03, 0.02], "sell_c_out": [0.01]}
    },
}


@pytest.mark.parametrize("words", BAD)
def test_a_file_that_does_not_fit(tmp_path, words):
    """Each fault is named with its place."""
    with pytest.raises(v2g.SchemaError) as found:
        v2g.read_site_types(written(tmp_path / "a.json", **BAD[words]))
    assert words in " ".join(str(found.value).split())


def test_wrong_options_are_listed_together(tmp_path):
    """All of them, in one message."""
    with pytest.raises(v2g.SchemaError) as found:
        v2g.read_site_types(
            written(tmp_path / "a.json"), pods=0, unit="kWh", storage="perfect", start="1.5.2026"
        )
    for word in ("pods", "unit", "storage", "start"):
        assert word in str(found.value)


SCALED = {  # template: series, scale, share of the sum of the series that may be left out
    "PV": ("1044", 1, 0),
    "W1": ("1046", 10, 0),
    "W2": ("1047", 10, 0),
    "CHP": ("1054", 10, 0),
    "L1": ("1048", 10, 0),
    "L2": ("1049", 1000, 0.25),
    "L3": ("1050", 1, 0.01),
    "L4": ("1043", 1, 0.01),
}


def closed_form(site, series):
    """Least and most sum of a site as published, W x steps."""
    least = most = 0.0
    for word in site.split("+"):
        count, _, template = word.rpartition(" ")
        many = int(count or 1)
        if template == "ST":
            least, most = least - many * 17.5 / 0.95, most + many * 52.5 / 0.95
            continue
        name, scale, share = SCALED[template]
        x = np.array(series[name])
        drawn = x.clip(min=0.0) if template.startswith("L") else x.clip(max=0.0)
        most += many * scale * drawn.sum()
        least += many * (scale * drawn.sum() - share * x.sum())
    return least, most


def test_the_published_sites():
    """All seven types of the published file: least and most sum of what each draws, against the
    closed forms (docs/sites.md).
    """
    path = reference("sites_2020.json")
    published = json.loads(path.read_text())
    case = v2g.read_site_types(path, storage="as published")
    case["energy"] = case["energy"].to_dataset().drop_vars("spread")
    price = xr.full_like(case["energy"]["price"], 1.0)
    found = []
    for sign in (1.0, -1.0):  # drawing costs, and drawing earns
        case["energy"]["price"] = (sign * price).assign_attrs(units="EUR/MWh")
        found.append(drawn(v2g.solve(case, complementarity="off", audit=False)))
    for pod, words in published["pods"].items():
        least, most = closed_form(words, published["inputs"]["baselines"])
        assert float(found[0].sel(pod=pod)) == approx(least, rel=1e-8), pod
        assert float(found[1].sel(pod=pod)) == approx(most, rel=1e-8), pod


def drawn(result):
    """What every site draws from start to end, W x steps."""
    sun, store, load = (result[part].to_dataset() for part in ("renewable", "battery", "load"))
    each = [
        load["power"].groupby(load["pod"]),
        (sun["curtail"] - sun["available"]).groupby(sun["pod"]),
        (store["charge"] - store["discharge"]).groupby(store["pod"]),
    ]
    sums = xr.align(*(x.sum().sum("time") for x in each), join="outer", fill_value=0.0)
    return 1000 * sum(sums)
