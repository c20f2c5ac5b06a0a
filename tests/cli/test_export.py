"""`v2g export`: every format from a file to a file; what cannot be said leaves nothing behind."""

import json
from pathlib import Path

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


def test_every_format_is_in_the_page_on_exports():
    page = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
    for name, form in EXPORT_FORMATS.items():
        assert f"| `{name}` | {form.of} |" in page
