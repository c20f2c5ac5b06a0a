"""--set: one field, one member, and the case that was given stays as it is."""

import pytest
import typer
import xarray as xr

from v2g_linopy.cli.set_option import changed


def test_a_field_for_all(smart_case):
    new = changed(smart_case, ["fleet.wear=0.05", "energy.limit=50"])
    assert float(new["fleet"]["wear"]) == 0.05
    assert new["fleet"]["wear"].attrs["units"] == "EUR/kWh"
    assert float(new["energy"]["limit"]) == 50
    assert "wear" not in smart_case["fleet"]


def test_a_limit_of_power_keeps_the_hours_plugged_in(smart_case):
    """The car is gone in the fourth hour: there 0 kW whatever is set. One value at every step would
    charge it away from home. Its own largest value changes nothing; discharging, 0 everywhere
    before, takes the plugged share of charging."""
    said: list[str] = []
    new = changed(smart_case, ["fleet.charge_max=5", "fleet.discharge_max=4"], said.append)["fleet"]
    assert new["charge_max"].values.tolist() == [[5.0, 5.0, 5.0, 0.0]]
    assert new["discharge_max"].values.tolist() == [[4.0, 4.0, 4.0, 0.0]]
    assert new["charge_max"].attrs["units"] == "kW"
    assert (
        len(said) == 2
        and "--set fleet.charge_max=5" in said[0]
        and "largest value is 5 kW" in said[0]
    )
    for word in ("fleet.charge_max=10", "fleet[ev-001].charge_max=10"):
        same = changed(smart_case, [word])["fleet"]["charge_max"]
        xr.testing.assert_equal(same, smart_case["fleet"]["charge_max"])


def test_part_of_a_step_stays_part_of_a_step(smart_case):
    """Plugged in for a quarter of the first hour, 2.5 of 10 kW: 1.8 of 7.2 kW, in MW too, and for a
    field left out.
    """
    fleet = smart_case["fleet"].to_dataset(inherit=False).drop_vars("discharge_max")
    charger = (("fleet", "time"), [[0.0025, 0.01, 0.01, 0.0]], {"units": "MW"})
    smart_case["fleet"] = xr.DataTree(fleet.assign(charge_max=charger))
    new = changed(smart_case, ["fleet.charge_max=7.2", "fleet.discharge_max=7.2"])["fleet"]
    for name in ("charge_max", "discharge_max"):
        assert new[name].values[0].tolist() == pytest.approx([1.8, 7.2, 7.2, 0.0])
        assert new[name].attrs["units"] == "kW"


def test_a_price_for_every_step_is_said(smart_case):
    """Prices are no profile to scale: the value holds at every step, which is told; a constant goes
    in silence.
    """
    said: list[str] = []
    words = ["energy.price=40", "energy.limit=50", "fleet.discharge_max=0", "fleet.energy_min=0"]
    new = changed(smart_case, words, said.append)
    assert float(new["energy"]["price"]) == 40
    assert [line.partition(":")[0] for line in said] == [
        "--set energy.price=40",
        "--set fleet.energy_min=0",
    ]
    assert all("varied over time" in line for line in said)


def test_the_command_says_what_set_did(run, case_file, tmp_path):
    """At 5 kW the 15 kWh take all three hours plugged in: 5 x (30 + 20 + 60) / 1000 = 0.55 EUR.

    Were 5 kW set in the fourth hour as well, the plan could trade while the car is away.
    """
    result = run(
        "solve", case_file, "-o", tmp_path / "out", "--no-report", "--set", "fleet.charge_max=5"
    )
    assert "profit -0.55 EUR" in result.stdout
    assert "the profile over time is kept" in result.stderr
    quiet = run("check", case_file, "-q", "--set", "fleet.charge_max=5")
    assert "profile" not in quiet.stderr


def test_a_field_of_one_member(smart_case):
    case = xr.DataTree.from_dict(
        {"/": smart_case.to_dataset(), "/energy": smart_case["energy"].to_dataset()}
    )
    fleet = smart_case["fleet"].to_dataset(inherit=False)
    case["fleet"] = xr.DataTree(
        xr.concat(
            [fleet, fleet.assign_coords(fleet=["ev-002"])],
            "fleet",
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="outer",
        )
    )
    new = changed(case, ["fleet[ev-002].charge_max=3", "fleet[ev-001].wear=0.1"])
    assert new["fleet"]["charge_max"].sel(fleet="ev-002").values.tolist() == [3.0, 3.0, 3.0, 0.0]
    assert new["fleet"]["charge_max"].sel(fleet="ev-001").values.tolist() == [10.0, 10.0, 10.0, 0.0]
    assert new["fleet"]["wear"].values.tolist() == [0.1, 0.0], "the default of the others"


def test_a_gate(smart_case):
    """Gates are set as members of any part are; forecasts are not."""
    gates = xr.Dataset(
        {"hour": ("gate", [12.0, float("nan")])}, {"gate": ["day_ahead", "intraday"]}
    )
    smart_case["gates"] = xr.DataTree(gates)
    smart_case["vintage"] = xr.DataTree(xr.Dataset())
    assert changed(smart_case, ["gates[day_ahead].hour=10"])["gates"].hour.values[0] == 10
    with pytest.raises(typer.BadParameter, match="no part 'vintage'"):
        changed(smart_case, ["vintage.hour=10"])


def test_flags_and_labels(smart_case):
    new = changed(
        smart_case, ["energy.virtual_bidding=true", "fleet.pod=depot", "fleet.unserved_cost=nan"]
    )
    assert float(new["energy"]["virtual_bidding"]) == 1
    assert str(new["fleet"]["pod"].item()) == "depot"
    assert bool(new["fleet"]["unserved_cost"].isnull())


def test_the_change_is_in_the_history(smart_case):
    assert (
        "fleet.discharge_max=0" in changed(smart_case, ["fleet.discharge_max=0"]).attrs["history"]
    )


@pytest.mark.parametrize(
    "word", ["fleet.charge=1", "energy[dayahead].limit=1", "energy[day_ahead].virtual_bidding=1"]
)
def test_what_cannot_be_set(smart_case, word):
    with pytest.raises(typer.BadParameter):
        changed(smart_case, [word])


@pytest.mark.parametrize("word", ["nan", "1_000", "True"])
def test_what_is_no_number(run, case_file, word):
    """A limit that is none would be a car that cannot charge."""
    result = run("solve", case_file, "--set", f"fleet.charge_max={word}", "--dry-run")
    assert result.exit_code == 2, result.output
    assert "charge_max needs a number (kW)" in result.stderr
