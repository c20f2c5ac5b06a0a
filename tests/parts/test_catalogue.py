"""Every part file is in the catalogue, writes what it declares, and reads what it asks for."""

import ast
import math
from pathlib import Path
from typing import get_args

import pytest

import v2g_linopy as v2g
from v2g_linopy.model.part import Cause, Entry, Part
from v2g_linopy.study.attribution import CAUSES

PACKAGE = Path(v2g.__file__).parent
FOLDERS = [PACKAGE / "parts" / folder for folder in ("assets", "markets", "rules")]
PART_FILES = [
    p
    for folder in FOLDERS
    for p in folder.glob("*.py")
    if p.name not in ("__init__.py", "reserve_room.py")
]
PART_FILES += [
    p / "build.py" for folder in FOLDERS for p in folder.iterdir() if (p / "build.py").exists()
]
LABELS_ONLY = {
    "fleet": {"connector", "session", "vehicles", "charger"},
    "energy": {"expected"},
}  # identity for reports and figures per vehicle; what the sources of profit are told apart by


def strings(path):
    return {
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


SHARED = {
    "battery_wear": "model/battery_wear.py",
    "bid_sizes": "model/bid_sizes.py",
    "contracts": "model/contracts.py",
}  # what parts hand their arrays to
SHARED |= {"reserve_room": "parts/assets/reserve_room.py"}


def sources(part: Part) -> list[Path]:
    """The file of a part, or every file of its package."""
    path = Path(part.build.__code__.co_filename)
    return sorted(path.parent.glob("*.py")) if path.name == "build.py" else [path]


def functions(part: Part) -> list[ast.FunctionDef]:
    """The functions of a part, and of the modules with formulations that it imports."""
    trees = [ast.parse(path.read_text()) for path in sources(part)]
    imports = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    used = {(n.module or "").rpartition(".")[2] for n in imports} | {
        a.name for n in imports for a in n.names
    }
    trees += [
        ast.parse((PACKAGE / path).read_text()) for name, path in SHARED.items() if name in used
    ]
    return [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]


def test_every_file_is_in_the_catalogue():
    assert {Path(p.build.__code__.co_filename) for p in v2g.PARTS.values()} == set(PART_FILES)


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda p: p.name)
def test_every_input_is_read(part):
    """By attribute (`d.charge_max`), by key, or by the machinery (pod, first_stage)."""
    attributes = {
        n.attr for f in functions(part) for n in ast.walk(f) if isinstance(n, ast.Attribute)
    }
    keys = {n.value for f in functions(part) for n in ast.walk(f) if isinstance(n, ast.Constant)}
    machinery = {
        "pod",
        *(f.first_stage for f in part.schema.outputs),
        *LABELS_ONLY.get(part.name, ()),
    }
    machinery |= {"aggregate"}  # read by complementarity, compare and merging
    unread = [f.name for f in part.schema.inputs if f.name not in attributes | keys | machinery]
    assert not unread


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda p: p.name)
def test_every_output_is_written(part):
    """The name of the variable stands in the file, whole or as a stem before `_baseline`."""
    words = set().union(*map(strings, sources(part)))
    used = {
        c.value
        for f in functions(part)
        for c in ast.walk(f)
        if isinstance(c, ast.Constant) and isinstance(c.value, str)
    }
    missing = [f.name for f in part.schema.outputs if f.name.removesuffix("_baseline") not in used]
    assert words and not missing


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda p: p.name)
def test_documented(part):
    assert len(part.build.__doc__ or "") > 80
    assert len(part.replay.__doc__ or "") > 20
    for f in (*part.schema.inputs, *part.schema.outputs):
        assert f.doc and f.doc[0].islower() or f.doc[0].isdigit()


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda p: p.name)
def test_declared_names_exist(part):
    """What a part declares about its fields names fields: what gates freeze, states, end of window,
    stores.
    """
    inputs = {f.name for f in part.schema.inputs}
    outputs = {f.name for f in part.schema.outputs}
    asked = {*part.state_inputs, *part.end_of_window_inputs}
    asked |= {f.not_below for f in part.schema.inputs if f.not_below}
    given = set(part.terminal_storage)
    if part.trading is not None:
        asked |= {part.trading.limit, "closed", "committed", "block"}
        given.add(part.trading.quantity)
    assert asked <= inputs and given <= outputs
    assert set(part.state_inputs.values()) <= outputs | inputs


def test_causes_of_entries_are_those_of_the_ladder():
    """Penalties come from the name of an entry, not from its part."""
    assert {*get_args(Cause), "penalties"} == set(CAUSES)
    with pytest.raises(v2g.SchemaError, match="did you mean energy"):
        Entry("fuel", "enery")


ALLOWED = {  # what a field may be beside a number in its range, and who forecasts or draws it
    "uncertain": {
        *("load.baseline", "renewable.available", "energy.price", "reserve.capacity_price"),
        *("imbalance.price_long", "imbalance.price_short"),
        *("reserve.activation_up", "reserve.activation_down", "reserve.call_share"),
        *("reserve.activation_price_up", "reserve.activation_price_down"),
    },
    "infinite": {
        *("load.curtail_max", "load.curtail_energy_max"),
        *("hydrogen.sale_max", "reserve.volume_max"),
        *("chp.power_to_heat", "chp.ramp_up", "chp.ramp_down", "chp.hours_initial"),
        *("charger.charge_max", "charger.discharge_max"),
        *("connection.import_max", "connection.export_max"),
    },
    "missing": {
        *("fleet.replacement_cost", "fleet.unserved_cost", "fleet.slack_cost"),
        *("fleet.taper_from", "fleet.taper_to", "fleet.allowance"),
        *("battery.replacement_cost", "battery.cycles_max"),
        *("chp.power_initial", "hydrogen.standby_power", "reserve.shortfall_price"),
        *("reserve.activation_period", "reserve.activation_cycle", "ppa.negative_hours"),
        *("reserve.recovery_delay", "reserve.bid_price"),
        *("connection.supply_price", "connection.feed_in_price", "connection.subscribed"),
        *("connection.peak_initial", "connection.peak_to_date"),
    },
    "signed": {
        *("energy.position", "ppa.mean_to_date"),
        *("risk.profit", "risk.value_at_risk", "risk.cvar"),
    },
}


@pytest.mark.parametrize("word", ALLOWED)
def test_which_fields_may_be_what(word):
    """Endless limits, gaps, negative outputs, forecasts: each is said of these fields, and of no
    other.
    """
    fields = (
        (p.name, f) for p in v2g.PARTS.values() for f in (*p.schema.inputs, *p.schema.outputs)
    )
    assert {f"{part}.{f.name}" for part, f in fields if getattr(f, word)} == ALLOWED[word]


def test_only_activation_and_calls_are_not_drawn():
    fields = ((p.name, f) for p in v2g.PARTS.values() for f in p.schema.inputs if not f.drawn)
    assert {f"{part}.{f.name}" for part, f in fields} == {
        name for name in ALLOWED["uncertain"] if ".activation" in name or ".call" in name
    }


@pytest.mark.parametrize("part", v2g.PARTS.values(), ids=lambda p: p.name)
def test_ranges_and_defaults_are_those_of_the_page(part):
    """Every input has on its page the default and the range that it is checked against."""
    page = (PACKAGE.parent / "docs" / "parts" / f"{part.name}.md").read_text(encoding="utf-8")
    rows = [[x.strip() for x in line.split("|")] for line in page.splitlines() if "| `" in line]
    told = {row[1].strip("`"): row for row in rows if len(row) == 8}
    for f in part.schema.inputs:
        default, limits = told[f.name][4:6]
        words = limits.replace("\u2265 ", "ge=").replace("\u2264 ", "le=").split(", ")
        bounds = {"ge": -math.inf, "le": math.inf} | {
            name: float(x) for name, _, x in (word.partition("=") for word in words) if x
        }
        if f.kind == "quantity":
            assert (bounds["ge"], bounds["le"]) == (f.ge, f.le), f.name
        if isinstance(f.default, int | float) and f.default == f.default:
            assert float(default.strip("`")) == f.default, f.name


def test_names_are_unique_within_a_part():
    for part in v2g.PARTS.values():
        names = [f.name for f in (*part.schema.inputs, *part.schema.outputs)]
        assert len(names) == len(set(names))


LISTS_OF_PARTS = {
    "model/part.py": "causes of entries; two are called as parts are",
    "study/attribution.py": "causes of entries",
    "operate/separable.py": "what a case may hold whose sessions are operated one by one",
    "study/contract_study.py": "what a case of sessions with contracts is made of",
    "study/profit_sources.py": "what a market and imbalance settle of one position",
    "data/importers/site_types.py": "what published types of sites are composed of",
    "flexibility/shares.py": "what the portfolio trades, and sites do not",
    "report/labels.py": "causes of entries",
    "report/figures/value.py": "causes of entries",
    "report/tables.py": "headings of key figures",
    "report/figures/style.py": "colours; a part without one gets the next that is free",
    "report/figures/batteries.py": "colours; a part without one is grey",
    "report/exports/pypsa_network.py": "what becomes which component of PyPSA",
    "report/exports/flexmeasures.py": "what a request for schedules of a fleet holds",
    "report/exports/network_limits.py": "what PyPSA has components for, and what of it not",
    "report/schedule_and_bids.py": "bids for energy and for reserves are tables of their own",
}
"""Files outside `parts` that list names which are those of parts, and why they may."""

CASES_OF_THEIR_OWN = ("parts/", "data/generators/", "cli/doctor.py")
"""Parts themselves, and what makes a case of chosen parts."""


def parts_named(node: ast.AST) -> set[str]:
    """Parts that the keys of a mapping, or the elements of a sequence or the first of each of its
    pairs, name: `energy`, or `energy.price`.
    """
    elements = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    elements = [e.elts[0] if isinstance(e, ast.Tuple) and e.elts else e for e in elements]
    texts = [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    return {text.partition(".")[0] for text in texts if " " not in text} & set(v2g.PARTS)


def test_nobody_else_lists_parts():
    """What the rest of the package needs to know of a part is declared by the part: one file and
    one line add it everywhere.
    """
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(CASES_OF_THEIR_OWN):
            continue
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if any(len(parts_named(node)) > 1 for node in nodes):
            found.add(name)
    assert found == set(LISTS_OF_PARTS)
