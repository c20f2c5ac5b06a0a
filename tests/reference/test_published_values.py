"""Values of docs/formulation.md §16 A and B, from real data, through the public API and through
files.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_data import reference

import v2g_linopy as v2g

ITALY = {
    "V2G, capacity settled": (567.515896, {}),
    "V2G, energy settled": (88.066362, {"settled": "energy"}),
    "smart, capacity settled": (2.003004, {"v2g_on": False}),
    "V2G, no regulation": (-29.890581, {"regulation": False}),
}


def italy(vehicles, days, *, settled="capacity", v2g_on=True, regulation=True):
    """Commuters of §16 A, straight from the formulas; hours are counted from the first, as the
    source does.
    """
    with xr.open_dataset(reference("italy_commuters_2019.nc")) as file:
        ds = file.isel(ev=slice(0, vehicles), day=slice(0, days)).load()
    time = pd.date_range("2019-08-01", periods=24 * days, freq="h", name="time")
    fleet = pd.Index([f"ev-{i:03d}" for i in ds.ev.to_numpy()], name="fleet")

    def spread(a):
        return xr.DataArray(
            a.transpose("ev", "day", "hour").to_numpy().reshape(vehicles, -1) * 1.0,
            coords=[fleet, time],
        )

    def series(a):
        return xr.DataArray(a.to_numpy().ravel(), coords=[time])

    plugged = spread((ds.hour >= ds.arrive_hour) & (ds.hour < ds.depart_hour))
    arriving, leaving = spread(ds.hour == ds.arrive_hour), spread(ds.hour == ds.depart_hour - 1)
    on_arrival = spread(ds.soc_initial.expand_dims(hour=ds.hour))
    pun, down, up = series(ds.price_pun), series(ds.price_down), series(ds.price_up)
    groups = {
        "fleet": xr.Dataset(
            {
                "charge_max": 7.2 * plugged,
                "discharge_max": 7.2 * plugged * v2g_on,
                "energy_max": xr.full_like(plugged, 24.0),
                "energy_min": 0.99 * 24 * leaving,
                "keep": plugged * (1 - arriving),
                "energy_in": on_arrival * arriving,
                "eta_charge": 0.9,
                "eta_discharge": 0.9,
                "wear": 200 / (3000 * 0.8),
                "retail_price": 0.01,
            }
        ),
        "energy": xr.Dataset({"price": pun.expand_dims(market=["day_ahead"]), "limit": 1e6}),
    }
    if regulation:
        product = pd.Index(["up", "down"], name="product")
        groups["reserve"] = xr.Dataset(
            {
                "up": ("product", [1.0, 0.0]),
                "down": ("product", [0.0, 1.0]),
                "activation_up": ("product", [0.25, 0.0]),
                "activation_down": ("product", [0.0, 0.75]),
                "volume_max": 1e5 * xr.concat([(up > 0) * 1.0 * v2g_on, (down > 0) * 1.0], product),
                **(
                    {"capacity_price": xr.concat([up, down], product)}
                    if settled == "capacity"
                    else {"activation_price_up": up, "activation_price_down": down}
                ),
            },
            coords={"product": product},
        )
    return v2g.assemble(time, groups, timezone="Europe/Rome", title="Italian commuters 2019")


@pytest.mark.parametrize("name", ITALY)
def test_italian_commuters(name, tmp_path):
    """Published to 1e-6 EUR; a wrong sign of activation, wear or retail changes each by more than a
    euro.
    """
    value, options = ITALY[name]
    case = italy(10, 7, **options)
    result = v2g.solve(case)
    assert result.attrs["objective"] == pytest.approx(value, rel=1e-8, abs=5e-7)
    assert result["audit"].attrs["passed"] == 1
    v2g.write(case, tmp_path / "case.nc")
    again = v2g.solve(v2g.read(tmp_path / "case.nc"))
    assert again.attrs["objective"] == pytest.approx(result.attrs["objective"], rel=1e-10)
    v2g.write(result, tmp_path / "result.nc")
    once_more = v2g.solve(v2g.read(tmp_path / "result.nc"))
    assert once_more.attrs["objective"] == pytest.approx(result.attrs["objective"], rel=1e-10)


def test_italian_commuters_over_pods():
    """Three pods behind connections that do not bind earn the same."""
    case = italy(10, 7)
    fleet = case["fleet"].to_dataset()
    case["fleet"] = xr.DataTree(fleet.assign(pod=("fleet", [f"pod-{i % 3}" for i in range(10)])))
    limits = xr.Dataset({"import_max": ("pod", [500.0] * 3), "export_max": ("pod", [500.0] * 3)})
    case["connection"] = xr.DataTree(limits.assign_coords(pod=["pod-0", "pod-1", "pod-2"]))
    result = v2g.solve(case)
    assert result.attrs["objective"] == pytest.approx(567.515896, rel=1e-8)
    assert result["audit"].attrs["passed"] == 1


def arbitrage(hours, profile="multiple", start=1.0, slack=None, fleets=None):
    """Fleets of §16 B from shares of vehicles plugged in; charging excludes discharging, as in the
    source.
    """
    with xr.open_dataset(reference("fleet_arbitrage_2024.nc")) as file:
        ds = file.isel(time=slice(0, hours)).load()
    share = ds[f"availability_{profile}"].transpose("fleet", "time")
    share = share if fleets is None else share.sel(fleet=fleets)
    fleet = v2g.from_availability(
        share,
        vehicles=1000,
        capacity=30.0,
        charge_max=7.2,
        contract_limit=0.8,
        eta_charge=0.85,
        eta_discharge=0.78,
        slack_cost=slack,
        start=start,
        aggregate=False,
    )
    price = (
        ds.price.sel(case="case0", drop=True)
        .expand_dims(market=["day_ahead"])
        .assign_attrs(units="USD/MWh")
    )
    energy = xr.Dataset({"price": price, "limit": xr.DataArray(1e6, attrs={"units": "kW"})})
    return v2g.assemble(
        pd.DatetimeIndex(ds.time.to_numpy()), {"fleet": fleet, "energy": energy}, currency="USD"
    )


def test_day_of_arbitrage(tmp_path):
    case = arbitrage(24)
    result = v2g.solve(case)
    assert result.attrs["objective"] == pytest.approx(5299.902162, rel=1e-8)
    table = pd.read_csv(reference("fleet_arbitrage_24h_case0_80.csv"))
    inflow = xr.DataArray(
        table[[f"p_in_f{i}" for i in range(1, 5)]].to_numpy().T,
        coords={"fleet": ["f1", "f2", "f3", "f4"], "time": case["time"]},
    )
    outflow = inflow.copy(data=table[[f"p_out_f{i}" for i in range(1, 5)]].to_numpy().T)
    noise = np.abs(outflow) < 1e-9
    published = v2g.solve(
        case, fix={"fleet.charge": inflow, "fleet.discharge": outflow.where(~noise, 0.0)}
    )
    assert published.attrs["objective"] == pytest.approx(5299.902162, rel=1e-8)
    v2g.write(case, tmp_path / "case.nc")
    assert v2g.solve(v2g.read(tmp_path / "case.nc")).attrs["objective"] == pytest.approx(
        5299.902162, rel=1e-8
    )


@pytest.mark.parametrize("slack", [None, 10.0])
@pytest.mark.parametrize("mode", ["lazy", "milp"])
def test_week_of_arbitrage(slack, mode):
    """MILP optimum; the relaxation alone gives 51 540.51. Slack at 10 USD/kWh is exact: it is not
    used.
    """
    result = v2g.solve(arbitrage(168, slack=slack), complementarity=mode, gap=1e-9)
    assert result.attrs["objective"] == pytest.approx(50730.762995, rel=1e-8)
    for name in ("slack_in", "slack_out"):
        if slack is not None:
            assert float(result["fleet"][name].max()) == 0.0
    assert result["audit"].attrs["passed"] == 1


def test_relaxation_of_a_week_of_arbitrage():
    result = v2g.solve(arbitrage(168), complementarity="audit")
    assert result.attrs["objective"] == pytest.approx(51540.51, abs=5e-3)
    assert "unphysical" in result.attrs["complementarity"]


def test_fleet_that_cannot_leave():
    """Without slack the leaving cars hold more than fits, named by fleet and hour; with it: the
    published value.
    """
    with pytest.raises(v2g.Infeasible) as error:
        v2g.solve(arbitrage(168, profile="commercial", start=0.05))
    assert "fleet f1" in str(error.value)
    assert "hour 48" in str(error.value)
    result = v2g.solve(arbitrage(168, profile="commercial", start=0.05, slack=10.0), gap=1e-9)
    assert result.attrs["objective"] == pytest.approx(-124785.871404, rel=1e-8)
    relaxed = v2g.solve(
        arbitrage(168, profile="commercial", start=0.05, slack=10.0), complementarity="off"
    )
    assert relaxed.attrs["objective"] == pytest.approx(-124249.45, abs=5e-3)


def test_quarter_of_arbitrage():
    """2190 h, some hundred of them at negative prices, to a proven gap of 1e-4."""
    case = arbitrage(2190, fleets=["f1"])
    assert int((case["energy"].price < 0).sum()) > 100
    result = v2g.solve(case, complementarity="milp", gap=1e-4, time_limit=300)
    assert result.attrs["status"] == "optimal"
    assert result.attrs["mip_gap"] <= 1e-4
    assert result.attrs["overlap_kw"] <= 1e-6
    assert result["audit"].attrs["passed"] == 1
