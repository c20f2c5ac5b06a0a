"""Every cash entry and every limit of the audit, of every part: the catalogue is walked, and what
has no story fails.

The stories stand in `tests/part_stories`, with plans at half-hours and numbers found by hand: a
forgotten length of the step, which would stand in `build` and `replay` alike, is seen by no other.
"""

import re
from functools import cache

import pytest
import xarray as xr
from part_stories import Broken, Story, assets, changed, markets, rules, vehicles
from pytest import approx
from stories import assert_proven

import v2g_linopy as v2g
from docs.everything import case_of_everything
from v2g_linopy.model.inputs import Inputs, inputs_of
from v2g_linopy.solve.audit import replay_with

STORIES = {
    name: story
    for module in (assets, vehicles, markets, rules)
    for name, story in vars(module).items()
    if isinstance(story, Story)
}
BROKEN = [(name, broken) for name, story in STORIES.items() for broken in story.broken]
ELSEWHERE = {"ledger.objective": "test_tampered_results.py changes the headline"}


@cache
def solved(name: str) -> xr.DataTree:
    return STORIES[name].solved()


@cache
def inputs(name: str) -> Inputs:
    return inputs_of(solved(name), v2g.PARTS)


@pytest.mark.parametrize("name", STORIES)
def test_the_bill_is_that_of_the_hand(name):
    """Each entry in sum, in the mean of the scenarios; and the audit has looked at each, and finds
    nothing below 0, which would hide what is above.
    """
    result = solved(name)
    assert_proven(result)
    assert min(float(x) for x in result["audit"].data_vars.values()) >= 0
    expected = STORIES[name].cash
    assert {entry: total(result, entry) for entry in expected} == approx(expected)
    assert {*map(str, result["ledger"].data_vars), *expected} <= {
        *map(str, result["audit"].data_vars)
    }


@pytest.mark.parametrize("name", STORIES)
def test_a_sixteenth_of_it_has_a_sixteenth_of_the_bill(name):
    """Members and limits of less than a kW and a kWh are as good as larger ones: nothing that is
    more than none is taken for none.
    """
    result = STORIES[name].solved(size=1 / 16)
    assert_proven(result)
    expected = {entry: value / 16 for entry, value in STORIES[name].cash.items()}
    assert {entry: total(result, entry) for entry in expected} == approx(expected)


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[f"{n}-{b.limit}" for n, b in BROKEN])
def test_a_result_that_breaks_one_limit(name, broken):
    """The replay finds that limit broken by what it is broken by, and no other."""
    checks = replayed(name, broken)
    assert checks.attrs["passed"] == 0
    found = {str(n): float(x) for n, x in checks.data_vars.items() if float(x) > 1e-6}
    assert found == approx({broken.limit: broken.amount, **broken.also})


def test_what_is_no_part_of_a_contract_is_0():
    """No run of prices without a clause, no mean of the month without its settlement."""
    plan = solved("CONTRACTS")["ppa"]
    assert not plan.negative_run.sel(contract=["mean", "floor", "bought", "delivered"]).any()
    for name in ("mean_to_date", "mean_hours", "settled"):
        assert not plan[name].sel(contract=["floor", "resting", "bought", "delivered"]).any()


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda part: part.name)
def test_every_entry_of_a_part_has_a_story(part):
    """A part that declares an entry is asked for its value by hand, which is not 0."""
    told = {entry for story in STORIES.values() for entry, value in story.cash.items() if value}
    missing = {f"{part.name}.{entry}" for entry in part.entries} - told
    assert not missing


def test_every_limit_of_the_audit_has_a_story():
    """Whatever the audit of a case with every part looks at is broken by some story; so are all
    parts.
    """
    looked_at = {*map(str, v2g.solve(case_of_everything())["audit"].data_vars)}
    looked_at |= {str(n) for name in STORIES for n in solved(name)["audit"].data_vars}
    entries = {f"{p.name}.{entry}" for p in v2g.PARTS.values() for entry in p.entries}
    broken = {kind(limit) for _, b in BROKEN for limit in (b.limit, *b.also)}
    missing = {kind(n) for n in looked_at - entries - ELSEWHERE.keys()} - broken
    assert not missing
    assert {b.limit.partition(".")[0] for _, b in BROKEN} >= v2g.PARTS.keys()


def kind(limit: str) -> str:
    """Limits that one line of the code finds: of both paths, of every battery with segments, and of
    what a product asks of whom it is held by. The room of each asset is its own.
    """
    part, _, name = limit.partition(".")
    if name.startswith("segment_"):
        return name
    if part == "reserve" and not name.startswith("room_"):
        return re.sub(rf"_({'|'.join(v2g.PARTS)})$", "", limit)
    return f"{part}.{name.removesuffix('_baseline')}"


def replayed(name: str, broken: Broken) -> xr.Dataset:
    """The audit of a changed result, whose inputs are read again only if one of them changed."""
    result = changed(solved(name), broken.changes)
    groups = (change.partition(".") for change in broken.changes)
    given = any(group in v2g.PARTS and v2g.PARTS[group].has(array) for group, _, array in groups)
    return v2g.replay(result) if given else replay_with(inputs(name), result)


def total(result: xr.DataTree, entry: str) -> float:
    cash = result["ledger"][entry]
    return float((cash * result["probability"] if "scenario" in cash.dims else cash).sum())
