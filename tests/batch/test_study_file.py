"""What a study file asks for, and everything that is wrong with one."""

import json
import tomllib

import numpy as np
import pytest

import v2g_linopy as v2g
from v2g_linopy.batch.run_study import table_of
from v2g_linopy.batch.study_file import study_schema

GRID = """
case = ["one.nc", "two"]
[grid]
"fleet.wear" = [0.0, 0.1]
"energy.price.scale" = [0.5, 1.0, 2.0]
"""
TABLE = """
case = "one.nc"
[table]
rows = [{"fleet.wear" = 0.1, "fleet.pod" = "depot"}, {"fleet.wear" = 0.2, "fleet.pod" = "home"}]
"""
DRAW = """
case = "one.nc"
[grid]
"fleet.wear" = [0.0, 0.1]
[draw]
n = 5
seed = 3
method = "{method}"
[draw.fields]
"energy.price.scale" = [0.5, 2.0]
"fleet.charge_max" = [7.0, 11.0]
"""
SMALL = """
case = "one.nc"
command = "simulate"
[options]
every = 6.0
[solver]
time-limit = 60
"""


@pytest.fixture
def told(tmp_path):
    """Write a study file beside two empty files that stand for cases, and read it."""
    for name in ("one.nc", "two.nc"):
        (tmp_path / name).touch()

    def read(text, **files):
        for name, content in files.items():
            (tmp_path / f"{name}.csv").write_text(content)
        (tmp_path / "study.toml").write_text(text)
        return v2g.read_study(tmp_path / "study.toml")

    return read


def test_a_grid_is_the_full_product(told):
    study = told(GRID)
    points = list(study.points())
    assert len(study) == len(points) == len({p.name for p in points}) == 2 * 2 * 3
    assert study.dims == {
        "case": ["one", "two"],
        "fleet.wear": [0.0, 0.1],
        "energy.price.scale": [0.5, 1.0, 2.0],
    }
    last = {"case": "two", "fleet.wear": 0.1, "energy.price.scale": 2.0}
    assert points[-1].place == last and points[-1].case.name == "two.nc"
    assert dict(points[-1].changes) == {"fleet.wear": 0.1, "energy.price.scale": 2.0}


def test_a_study_that_grows_keeps_the_names_of_its_cases(told):
    before = {p.name for p in told(GRID).points()}
    after = {p.name for p in told(GRID.replace("[0.0, 0.1]", "[0.2, 0.0, 0.1]")).points()}
    assert before < after
    other = {p.name for p in told(GRID + "[solver]\ngap = 0.01\n").points()}
    assert not before & other, "another gap is another result"


def test_a_table_is_a_case_a_row(told):
    study = told(TABLE)
    assert study.dims == {"row": [0, 1]}
    assert [dict(p.changes) for p in study.points()] == [
        {"fleet.wear": 0.1, "fleet.pod": "depot"},
        {"fleet.wear": 0.2, "fleet.pod": "home"},
    ]
    text = 'case = "one.nc"\n[table]\nfile = "cases.csv"\n'
    of_file = told(text, cases="fleet.wear,fleet.pod\n0.1,depot\n0.2,home\n")
    assert of_file.rows == study.rows
    assert list(table_of(of_file).columns) == ["name", "file", "row", "fleet.wear", "fleet.pod"]


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_draws_stay_between_their_ends_and_are_the_same_again(told, method):
    text = DRAW.replace("{method}", method)
    study = told(text)
    assert study.dims == {"fleet.wear": [0.0, 0.1], "draw": [0, 1, 2, 3, 4]}
    values = np.array([list(row.values()) for row in study.rows])
    assert values.shape == (5, 2) and len(np.unique(values)) == 10
    assert (values > [0.5, 7.0]).all() and (values < [2.0, 11.0]).all()
    assert told(text).rows == study.rows
    assert told(text.replace("seed = 3", "seed = 4")).rows != study.rows


def test_even_draws_fill_each_quarter(told):
    """Four points of a Sobol sequence: one in each quarter of every field (Sobol, 1967)."""
    study = told(DRAW.replace("{method}", "sobol").replace("n = 5", "n = 4"))
    quarters = [int((row["energy.price.scale"] - 0.5) / 1.5 * 4) for row in study.rows]
    assert sorted(quarters) == [0, 1, 2, 3]


def test_options_of_the_command_line_are_read(told):
    study = told(SMALL)
    assert study.command == "simulate" and study.options == {"every": 6.0}
    assert study.solver == {"time_limit": 60} and study.dims == {} and len(study) == 1


WRONG = {
    "comand = 'solve'": "did you mean command?",
    "command = 'solv'": "is none of solve, compare, simulate, replay",
    "title = 3": "needs a word, not 3",
    "command = 'replay'\ngrid = {'fleet.wear' = [1]}\nsolver = {gap = 1}": "leave grid, solver out",
    "command = 'replay'\noptions = {random = 1.5}": "needs a whole number, 0 or more, not 1.5",
    "command = 'simulate'\noptions = {every = '6'}": "needs a number, 0 or more, not '6'",
    "command = 'simulate'\noptions = {hindsight = 1}": "needs true or false, not 1",
    "command = 'simulate'\noptions = {start = 3}": "needs a date, or a word, not 3",
    "command = 'simulate'\noptions = {forecast = 3}": "needs a word, not 3",
    "options = {calls = 'on'}": "'on' is none of given, on-off, netted",
    "options = {method = 'both'}": "'both' is none of auto, whole",
    "solver = {gap = nan}": "needs a number, 0 or more, not nan",
    "solver = {options = 3}": "needs a table of the solver's own options, not 3",
    "grid = {'fleet.waer' = [1]}": "fleet has no field 'waer'; did you mean wear?",
    "grid = {'fleat.wear' = [1]}": "no part 'fleat'; did you mean fleet?",
    "grid = {'fleet.wear' = [1, 'x']}": "needs a number (EUR/kWh), not 'x'",
    "grid = {'fleet.wear.scale' = ['x']}": "needs a factor, not 'x'",
    "table = {rows = [{'fleet.pod.scale' = 1}]}": "is no number, and cannot be scaled",
    "case = 3": "names no case",
    "case = ['one.nc', 'sub/one.nc']": "two cases are called one",
    "case = 'three.nc'": "three.nc does not exist",
    "grid = 3": "is a table: write [grid]",
    "grid = {'fleet' = [1]}": "is not PART.FIELD",
    "grid = {'fleet.wear' = 1}": "needs a list of values",
    "grid = {'fleet.wear' = []}": "needs a list of values",
    "grid = {'fleet.wear' = [1, 1]}": "names a value twice",
    "grid = {'fleet.wear' = [[1]]}": "neither a number nor a word",
    "options = {forcast = 'naive'}": "is no option of solve",
    "solver = {gp = 1}": "is no option of the solver; did you mean gap?",
    "table = {}\ndraw = {n = 1}": "needs two ends for each field",
    "table = {file = 'none.csv'}": "cannot be read",
    "table = {rows = [], file = 'x.csv'}": "needs either rows, or the file of a CSV",
    "table = {rows = [3]}": "needs a list of rows",
    "table = {rows = [{'wear' = 1}]}": "is not PART.FIELD",
    "table = {row = 1}": "is no key of a table; did you mean rows?",
    "draw = {n = 0, fields = {'fleet.wear' = [0, 1]}}": "needs a number of cases, 1 or more",
    "draw = {n = true, fields = {'fleet.wear' = [0, 1]}}": "needs a number of cases, 1 or more",
    "draw = {n = 1, fields = {'fleet.wear' = [1, 0]}}": "needs two numbers, the lower one first",
    "draw = {n = 1, fields = {'fleet.wear' = [0, inf]}}": "needs two numbers, the lower one first",
    "draw = {n = 1, fields = {'wear' = [0, 1]}}": "is not PART.FIELD",
    "draw = {n = 1, method = 'x', fields = {'a.b' = [0, 1]}}": "'x' is none of sobol, random",
    "draw = {n = 1, seed = -1, fields = {'a.b' = [0, 1]}}": "needs a whole number, 0 or more",
    "draw = {n = 1, seeds = 1, fields = {'a.b' = [0, 1]}}": "is no key; did you mean seed?",
    "grid = {'a.b' = [1]}\ndraw = {n = 1, fields = {'a.b' = [0, 1]}}": "is in the draw as well",
    "table = {rows = [{'a.b' = 1}]}\ndraw = {n = 1}": "stands beside a table",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named(told, text):
    with pytest.raises(v2g.SchemaError) as caught:
        told(text if text.startswith("case") else f'case = "one.nc"\n{text}')
    assert WRONG[text] in str(caught.value)


def test_every_problem_is_listed(told):
    with pytest.raises(v2g.SchemaError) as caught:
        told("case = 'three.nc'\ncomand = 1\n[grid]\n'fleet' = [1]\n")
    assert len(caught.value.problems) == 3
    with pytest.raises(v2g.SchemaError, match="is no TOML file"):
        told("case = ")
    text = 'case = "one.nc"\n[table]\nfile = "cases.csv"\n'
    with pytest.raises(v2g.SchemaError, match="column fleet.wear *has an empty cell"):
        told(text, cases="fleet.wear,fleet.pod\n,depot\n")


def test_the_published_schema_knows_every_key():
    """Examples of this file against the schema, key by key: what is read is in it."""
    schema = study_schema()
    json.dumps(schema)
    for text in (GRID, TABLE, DRAW, SMALL.replace("time-limit", "time_limit")):
        for key, value in tomllib.loads(text).items():
            known = schema["properties"][key]
            if "properties" in known:
                assert set(value) <= set(known["properties"]), key
