"""`v2g export`: every format from a file to a file; what cannot be said leaves nothing behind."""

import json
import sys
import warnings
from pathlib import Path

import pypsa
from cases import case, market, product, vehicle

import v2g_linopy as v2g
from v2g_linopy.report.exports.export_formats import EXPORT_FORMATS

ROOT = Path(__file__).resolve().parents[2]


def test_a_plan_becomes_charging_profiles(run, result_file, tmp_path):
    """Both versions of OCPP from the folder of a result, and every fault of the options at once,
    in the words of the command line; nothing is written then, and nothing is replaced.
    """
    out = tmp_path / "profiles.json"
    assert run("export", result_file.parent, "--format", "ocpp-2.1", "-o", out).exit_code == 0
    first = out.read_text()
    assert json.loads(first)[0]["message"][2] == "SetChargingProfile"
    again = run("export", result_file, "--format", "ocpp-1.6", "-o", out)
    assert (again.exit_code, out.read_text()) == (8, first)
    wrong = ("--most-periods", 0, "--ramp", 0, "--transaction", "nobody=1", "--stack-level", -1)
    refused = run("export", result_file, "--format", "ocpp-1.6", "-o", out, "--force", *wrong)
    assert (refused.exit_code, out.read_text()) == (3, first)
    for words in ("4 problems", "--most-periods", "--ramp", "--stack-level", "'nobody'"):
        assert words in refused.output
    assert run("export", result_file, "--format", "ocpp", "-o", out, "--force").exit_code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["profiles.json", "solved"]


def test_a_case_has_no_plan_to_follow(run, case_file, tmp_path):
    refused = run("export", case_file, "--format", "ocpp-2.1", "-o", tmp_path / "p.json")
    assert refused.exit_code == 3 and "run `v2g solve`" in refused.output


def test_a_case_becomes_a_network(run, tmp_path, monkeypatch):
    """A file that PyPSA opens, of the case inside a result too; without PyPSA the extra is named,
    and a case that it cannot say is refused with its fields.
    """
    plain, sold = tmp_path / "plain.nc", tmp_path / "sold.nc"
    v2g.write(case({"ev": vehicle()}, market([20.0, 30.0])), plain)
    v2g.write(case({"ev": vehicle()}, market([20.0]), product(up=1.0)), sold)
    out = tmp_path / "network.nc"
    done = run("export", plain, "--format", "pypsa", "-o", out)
    assert done.exit_code == 0 and "objective of the case" in done.output
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyPSA sets an option of pandas that pandas will give up
        network = pypsa.Network(str(out))
    assert list(network.stores.index) == ["fleet ev", "fleet ev unserved"]
    out.unlink()
    assert "/reserve" in (refused := run("export", sold, "--format", "pypsa", "-o", out)).output
    told = run("export", plain, "--format", "pypsa", "-o", out, "--ramp", 1)
    monkeypatch.setitem(sys.modules, "pypsa", None)
    missing = run("export", plain, "--format", "pypsa", "-o", out)
    assert (refused.exit_code, told.exit_code, missing.exit_code) == (3, 2, 8)
    assert "pip install 'v2g-linopy[pypsa]'" in missing.output
    assert not out.exists()


def test_schedules_leave_and_come_back(run, result_file, case_file, tmp_path):
    """By the command line alone; a sensor of nobody and a file that is no JSON are refused."""
    asked, out, back = (tmp_path / name for name in ("asked.json", "out.json", "back.nc"))
    told = run("export", case_file, "--format", "flexmeasures", "--sensor", "nobody=4", "-o", asked)
    assert told.exit_code == 3 and "--sensor" in told.output and not asked.exists()
    assert run("export", case_file, "--format", "flexmeasures", "-o", asked).exit_code == 0
    words = ("export", result_file, "--format", "flexmeasures-schedule", "-o", out)
    assert run(*words).exit_code == 0
    assert run("follow", case_file, out, "-o", back).exit_code == 0
    paid = [v2g.read(path).attrs["profit"] for path in (back, result_file)]
    assert abs(paid[0] - paid[1]) < 1e-6
    out.write_text("[1, 2")
    refused = run("follow", case_file, out, "-o", back, "--force")
    assert refused.exit_code == 3 and "cannot be read" in refused.output


def test_every_format_is_in_the_page_on_exports():
    page = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
    for name, form in EXPORT_FORMATS.items():
        assert f"| `{name}` | {form.of} |" in page
