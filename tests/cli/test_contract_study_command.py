"""`contract-study` and the map of `break-even`: what they write, and what they refuse."""

import json
import re

import pandas as pd
import pytest

import v2g_linopy as v2g
from v2g_linopy.cli import contract_study as command

FEW = ("--bids", "none", "--spread", "1,2", "--share", "0.5,1", "--wear", "0.01,0.02")
FILES = {f"{name}.csv" for name in command.TABLES} | {command.PAGE}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Two connectors for two days, and a menu of one type."""
    folder = tmp_path_factory.mktemp("given")
    v2g.write(v2g.charging_station(vehicles=2, days=2), folder / "stays.nc")
    menu = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=2, power=11, utility_scale=0.2)
    v2g.write(menu, folder / "menu.nc")
    return folder / "stays.nc", folder / "menu.nc"


def test_a_page_and_every_number_of_it(run, given, tmp_path, monkeypatch):
    out, made, study = tmp_path / "out", [], command.v2g.contract_study

    def kept(*words, **options):
        made.append(study(*words, **options))
        return made[0]

    monkeypatch.setattr(command.v2g, "contract_study", kept)
    done = run("contract-study", *given, *FEW, "--term", "2,3", "-o", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["gain"] == pytest.approx(told["profit"]["V2G"] - told["profit"]["smart"])
    assert {path.name for path in out.iterdir()} == FILES

    runs = pd.read_csv(out / "runs.csv").set_index("run")
    assert runs.loc["V2G", "owners_EUR"] == pytest.approx(told["owners"])
    sources = runs.filter(like="from ").sum(axis=1)
    assert sources.to_list() == pytest.approx(runs["profit_EUR"].to_list())
    positions = pd.read_csv(out / "positions.csv")
    assert positions["local_time"].iloc[0] == "2026-03-02T00:00+01:00"
    assert len(positions) == 3 * 48
    sweeps = pd.read_csv(out / "sweeps.csv")
    assert {*sweeps["varied"]} == {"term", "wear", "spread", "share"}

    page = (out / command.PAGE).read_text()
    assert page.count("<figure>") == page.count("<figcaption>") == 5
    outside = {*re.findall(r"(?:src|href)=\"([^#\"][^\"]*)", page)}
    assert all(link.startswith("data:image/png;base64,") for link in outside), "it loads nothing"
    assert "nan" not in page
    assert run("contract-study", *given, *FEW, "-o", out).exit_code == 8

    # a disk that is full when the page is written leaves nothing
    monkeypatch.setattr(command.v2g, "contract_study", lambda *words, **options: made[0])
    monkeypatch.setattr(command, "render_study", full_disk)
    done = run("contract-study", *given, *FEW, "-o", tmp_path / "other")
    assert done.exit_code == 8, done.output
    assert not (tmp_path / "other").exists()


def full_disk(found):
    raise OSError(28, "No space left on device")


def test_a_map_as_table_and_picture(run, given, tmp_path, monkeypatch):
    words = ("break-even", given[0], "--contracts", given[1], "--map", "spread,payment-scale")
    tried = ("--try", "spread=0,1", "--try", "payment-scale=0,1,2")
    done = run(*words, *tried, "-o", tmp_path / "map.csv")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "map.csv")
    gain = table.pivot(index="x", columns="y", values="gain")
    assert gain.loc[0.0, 0.0] == pytest.approx(0.0, abs=1e-6)  # no spread, nothing paid
    falls = gain.diff(axis=1).to_numpy()[:, 1:]
    assert falls == pytest.approx(falls[0, 0]), "by what owners are owed, at each spread"
    assert "of 6 points" in done.stdout
    picture = tmp_path / "map.svg"
    assert run(*words, *tried, "--policy", "rule", "-o", picture).exit_code == 0
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--map", "spread,term"), 2, "needs the menu of --contracts"),
        (("--try", "spread=1,2"), 2, "only with --map"),
        (("--map", "spread", "--contracts", "MENU"), 2, "two different ones"),
        (("--map", "spread,wages", "--contracts", "MENU"), 2, "not among"),
        (("--map", "term,spread", "--contracts", "MENU", "--try", "term=x"), 2, "no list"),
        (("--map", "term,spread", "--contracts", "MENU", "--try", "term=3,2"), 3, "rising"),
    ],
)
def test_what_a_map_cannot_be_asked(run, given, words, code, said):
    words = [str(given[1]) if word == "MENU" else word for word in words]
    refused = run("break-even", given[0], *words)
    assert refused.exit_code == code
    assert said in " ".join(refused.stderr.split())
