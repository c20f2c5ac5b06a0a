"""--set: one field, one member, and the case that was given stays as it is."""

import pytest
import typer
import xarray as xr

from v2g_linopy.commands.changes import changed


def test_a_field_for_all(smart_case):
    new = changed(smart_case, ["fleet.discharge_max=7.5", "energy.limit=50"])
    assert float(new["fleet"]["discharge_max"]) == 7.5
    assert new["fleet"]["discharge_max"].attrs["units"] == "kW"
    assert float(new["energy"]["limit"]) == 50
    assert float(smart_case["fleet"]["discharge_max"].max()) == 0


def test_a_field_of_one_member(smart_case):
    case = xr.DataTree.from_dict({"/": smart_case.to_dataset(), "/energy": smart_case["energy"].to_dataset()})
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
    assert new["fleet"]["charge_max"].sel(fleet="ev-002").values.tolist() == [3.0] * 4
    assert new["fleet"]["charge_max"].sel(fleet="ev-001").values.tolist() == [10.0, 10.0, 10.0, 0.0]
    assert new["fleet"]["wear"].values.tolist() == [0.1, 0.0], "the default of the others"


def test_flags_and_labels(smart_case):
    new = changed(smart_case, ["energy.virtual_bidding=true", "fleet.pod=depot", "fleet.unserved_cost=nan"])
    assert float(new["energy"]["virtual_bidding"]) == 1
    assert str(new["fleet"]["pod"].item()) == "depot"
    assert bool(new["fleet"]["unserved_cost"].isnull())


def test_the_change_is_in_the_history(smart_case):
    assert "fleet.discharge_max=0" in changed(smart_case, ["fleet.discharge_max=0"]).attrs["history"]


@pytest.mark.parametrize("word", ["fleet.charge=1", "energy[dayahead].limit=1", "energy[day_ahead].virtual_bidding=1"])
def test_what_cannot_be_set(smart_case, word):
    with pytest.raises(typer.BadParameter):
        changed(smart_case, [word])
