"""Templates: every one gives a valid case, the same for the same seed, and says what it assumes."""

import pytest
import xarray as xr

import v2g_linopy as v2g

SMALL = {
    "commuters": ["--vehicles", 2, "--days", 1],
    "fleets": ["--days", 1],
    "depot": ["--vehicles", 2, "--days", 1],
    "homes-and-depot": ["--vehicles", 2, "--days", 1],
}
SMALL |= {"sequential": ["--vehicles", 2, "--days", 1]}
SMALL |= {"charging-station": ["--vehicles", 2, "--days", 1]}
SMALL |= {"nordic-fcr": ["--vehicles", 2, "--days", 1]}
SMALL |= {
    "site": ["--vehicles", 2, "--days", 1],
    "portfolio": ["--vehicles", 2, "--days", 1, "--pods", 3, "--gates"],
    "vpp": ["--pods", 4],
}


@pytest.mark.parametrize("template", SMALL)
def test_a_template_gives_a_valid_case(run, tmp_path, template):
    paths = [tmp_path / name for name in ("one", "two.nc", "three")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        result = run("new", path, "--template", template, *SMALL[template], "--seed", seed)
        assert result.exit_code == 0, result.output
        assert "seed" in result.stdout
    one, two, three = (v2g.read(path.with_suffix(".nc")) for path in paths)
    v2g.check(one)
    for group in one.children:
        xr.testing.assert_equal(one[group].to_dataset(), two[group].to_dataset())
    priced = "energy" if "energy" in one.children else "connection"
    assert not one[priced].to_dataset().equals(three[priced].to_dataset())


def test_a_change_is_checked_before_anything_is_written(run, tmp_path):
    result = run(
        "new", tmp_path / "x", "--vehicles", 1, "--days", 1, "--set", "fleet.charge_max=-1"
    )
    assert result.exit_code == 3
    assert "fleet.charge_max" in result.stderr
    assert not (tmp_path / "x.nc").exists()


def test_a_dry_run_writes_nothing(run, tmp_path):
    assert run("new", tmp_path / "x", "--vehicles", 1, "--days", 1, "--dry-run").exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_an_option_of_another_template_is_refused(run, tmp_path):
    for options in (["site", "--pods", 3], ["vpp", "--gates"]):
        result = run("new", tmp_path / "x", "--template", *options)
        assert result.exit_code == 2
        assert "is for portfolio" in result.stderr


def test_a_case_is_found_without_its_ending(run, tmp_path, monkeypatch):
    """`v2g new small` writes small.nc, and small is then the case, also beside the folder small of
    its results; a file that has no ending is taken before it.
    """
    monkeypatch.chdir(tmp_path)
    assert run("new", "small", "--vehicles", 1, "--days", 2).exit_code == 0
    written = ["--force", "--no-report"]
    once = ["--every", 24, "--no-hindsight"]
    commands = {"check": [], "solve": written, "compare": written, "simulate": written + once}
    for name, options in commands.items():
        done = run(name, "small", *options)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "small" / "result.nc").exists()
    assert run("report", "small", "--force").exit_code == 0
    assert run("scenarios", "small", "--history", "small", "-n", 1, "-o", "two").exit_code == 0

    missing = run("check", "none")
    assert missing.exit_code == 3
    assert "none   does not exist" in missing.stderr
    (tmp_path / "small.nc").rename(tmp_path / "other")
    (tmp_path / "other.nc").write_text("no case")
    assert run("check", "other").exit_code == 0
