"""A fleet analyst's own files on the command line: what stumbles is told in the words of the
command, with the mend.
"""

import csv
import json
import re

import pytest
import xarray as xr

import v2g_linopy as v2g

DAYS = ("24.10.2026", "25.10.2026", "26.10.2026")
GERMAN = (
    "--separator",
    ";",
    "--decimal",
    ",",
    "--time-format",
    "%d.%m.%Y %H:%M",
    "--timezone",
    "Europe/Berlin",
)
HEADER = "Fahrzeug;Ankunft;Abfahrt;Energie;Leistung;Nr"
COLUMNS = (
    "vehicle=Fahrzeug",
    "arrival=Ankunft",
    "departure=Abfahrt",
    "energy=Energie",
    "power_max=Leistung",
)
STAYS = (
    "van-1;24.10.2026 17:00;25.10.2026 07:00;32,5;11;a#1",
    "van-2;24.10.2026 22:00;25.10.2026 02:30;18,0;11;b#1",
    "van-1;25.10.2026 17:00;26.10.2026 07:00;60,0;11;a#2",
)
PYTHON = re.compile(r'\w=["\']|\btime_format\b|`time`|columns\.|Error tokenizing|units=')
"""Words of Python that have no place on a command line."""


def hours():
    """The 73 hours of three days of which the second has 25, as a German clock shows them; 10,5
    ct/kWh, 5 at night.
    """
    for day in DAYS:
        for hour in [*range(24), *([2] if day == DAYS[1] else [])]:
            yield f"{day} {hour:02d}:00;{'5,0' if hour < 6 else '10,5'}"


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "preise.csv"
    path.write_text(
        "\n".join(["Datum;Preis (ct/kWh)", *sorted(hours(), key=lambda row: row[:16])]) + "\n"
    )
    return path


@pytest.fixture
def spot(run, prices, tmp_path):
    columns = ("--column", "time=Datum", "--column", "day_ahead=Preis (ct/kWh)", "--unit", "ct/kWh")
    made = run(
        "import",
        "prices",
        prices,
        *GERMAN,
        *columns,
        "--ambiguous",
        "infer",
        "-o",
        tmp_path / "spot.nc",
    )
    assert made.exit_code == 0, made.output
    return tmp_path / "spot.nc"


@pytest.fixture
def stays(tmp_path):
    def write(*rows, header=HEADER):
        path = tmp_path / "ladung.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def sessions(run, spot, stays, tmp_path):
    """Import stays; columns and options in addition to those that are always needed."""

    def invoke(
        *options, rows=STAYS, header=HEADER, columns=COLUMNS, form=(*GERMAN, "--ambiguous", "first")
    ):
        named = [word for column in columns for word in ("--column", column)]
        return run(
            "import",
            "sessions",
            stays(*rows, header=header),
            *form,
            *named,
            "--prices",
            spot,
            *options,
            "-o",
            tmp_path / "c.nc",
        )

    return invoke


def test_the_stumbling_way_to_prices(run, prices, tmp_path):
    """Separator, decimal mark, unit and order of day and month are seen in the file; each message
    names the option that the next step adds, until 24 + 25 + 24 hours stand in the file.
    """
    words = [
        "import",
        "prices",
        prices,
        "--column",
        "time=Datum",
        "--column",
        "day_ahead=Preis (ct/kWh)",
    ]
    steps = [
        ("give --timezone", ["--timezone", "Europe/Berlin"]),
        ("give --ambiguous infer", ["--ambiguous", "infer"]),
    ]
    for expected, more in steps:
        result = run(*words, "-o", tmp_path / "p.nc")
        assert result.exit_code == 3
        assert expected in result.stderr
        assert not PYTHON.search(result.stderr), result.stderr
        words += more
    result = run(*words, "-o", tmp_path / "p.nc")
    assert result.exit_code == 0, result.output
    assert "2026-10-24 00:00 to 2026-10-27 00:00 Europe/Berlin, steps of 60 min" in result.stdout
    mean = (19 * 5 + 54 * 10.5) / 73  # 6 + 7 + 6 hours before 6:00
    assert (
        f"day_ahead: 5 to 10.5 ct/kWh, mean {mean:.5g} = 50 to 105 EUR/MWh, mean {10 * mean:.5g}"
        in result.stdout
    )


def test_a_unit_is_checked_before_the_file(run, tmp_path):
    result = run(
        "import",
        "prices",
        tmp_path / "not-there.nc",
        "--format",
        "csv",
        "--unit",
        "cent",
        "-o",
        tmp_path / "p",
    )
    assert result.exit_code == 2
    assert "'cent' is no unit of a price; give EUR/kWh or EUR/MWh or ct/kWh" in result.stderr


def test_prices_that_need_options_are_imported_first(run, prices, stays, tmp_path):
    """--prices has no --encoding: the message says which command has."""
    prices.write_text(prices.read_text().replace("Preis", "Börse"), encoding="cp1252")
    named = ("--price-column", "time=Datum", "--price-column", "day_ahead=Börse (ct/kWh)")
    words = (*GERMAN, "--prices", prices, *named, "-o", tmp_path / "c.nc")
    result = run("import", "sessions", stays(*STAYS), *words)
    assert result.exit_code == 3
    assert f"v2g import prices {prices} --column ... -o prices.nc" in " ".join(
        result.stderr.split()
    )


def test_a_file_of_prices_is_no_case(run, spot, tmp_path):
    for words in (("solve", spot), ("compare", spot), ("check", spot), ("explain", spot)):
        result = run(*words)
        assert result.exit_code == 3
        assert (
            "is a file of prices, not a case; give it to `v2g import sessions FILE --prices`"
            in result.stderr
        )


def test_vehicles_named_are_members(run, sessions, tmp_path):
    """Two vans and three stays, not two packed rows: a member is a van, with the larger battery of
    its two stays.

    60 kWh metered times 0.95 times 1.25 = 71.25 kWh for both stays of van-1; 60 kWh, the least, for
    van-2."""
    made = sessions("--assume", "defaults", "--column", "session=Nr", "--step", "30min")
    assert made.exit_code == 0, made.output
    case = v2g.read(tmp_path / "c.nc")
    fleet, table = case["fleet"], case["sessions"]
    assert fleet["fleet"].values.tolist() == ["van-1", "van-2"]
    size = dict(zip(table["name"].values.tolist(), table.capacity.values.tolist(), strict=True))
    assert size == pytest.approx({"a#1": 71.25, "a#2": 71.25, "b#1": 60.0})
    assert "of a vehicle that is named, the largest of its stays" in case.attrs["assumptions"]
    solved = run("solve", tmp_path / "c.nc", "-o", tmp_path / "out", "--no-report", "--json")
    assert json.loads(solved.stdout)["kpi"]["vehicles"] == 2
    with (tmp_path / "out" / "schedule.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(r["member"], r["session"]) for r in rows} == {
        *(("van-1", "a#1"), ("van-1", "a#2"), ("van-2", "b#1"), ("total", "")),
    }
    assert "van-1: 2 stays" in run("explain", tmp_path / "out", "--vehicle", "van-1").stdout


def test_rows_of_connectors_and_of_sessions_without_a_name(sessions, tmp_path):
    """A connector is a member as well where only it is named; those without a name are packed, and
    may overlap.
    """
    columns = [c.replace("vehicle", "connector") for c in COLUMNS]
    assert sessions("--assume", "defaults", "--step", "30min", columns=columns).exit_code == 0
    assert v2g.read(tmp_path / "c.nc")["fleet"]["fleet"].values.tolist() == ["van-1", "van-2"]
    unnamed = (
        *STAYS,
        ";24.10.2026 08:00;24.10.2026 12:00;9,0;11;",
        ";24.10.2026 11:00;24.10.2026 15:00;9,0;11;",
    )
    assert (
        sessions("--assume", "defaults", "--step", "30min", "--force", rows=unnamed).exit_code == 0
    )
    case = v2g.read(tmp_path / "c.nc")
    assert case["fleet"]["fleet"].values.tolist() == ["van-1", "van-2", "row 01", "row 02"]
    assert sessions("--assume", "defaults", "--rows", "packed", "--force").exit_code == 0
    assert v2g.read(tmp_path / "c.nc")["fleet"]["fleet"].values.tolist() == ["row 01", "row 02"]


def test_one_vehicle_in_two_places(sessions):
    overlapping = (*STAYS, "van-1;24.10.2026 20:00;24.10.2026 21:00;1,0;11;c#1")
    result = sessions("--assume", "defaults", rows=overlapping)
    assert result.exit_code == 3
    assert "at vehicle van-1" in result.stderr and "they overlap" in result.stderr


def test_vehicles_in_one_step_need_a_shorter_one(sessions):
    """Back at 7:15 after leaving at 7:00: in steps of an hour both are in one. The remedy is an
    option.
    """
    rows = (
        STAYS[0],
        "van-1;25.10.2026 06:30;25.10.2026 07:00;1,0;11;".replace("06:30", "07:15").replace(
            " 07:00", " 09:00"
        ),
    )
    rows = (rows[0].replace("07:00;32", "07:05;32"), rows[1])
    result = sessions("--assume", "defaults", rows=rows)
    assert result.exit_code == 3
    assert "use a shorter step or --rows packed" in result.stderr
    assert sessions("--assume", "defaults", "--step", "5min", rows=rows).exit_code == 0


def test_wear_is_assumed_aloud(sessions, run, tmp_path):
    """120 EUR/kWh over 4000 full cycles are 0.03 EUR per kWh; --wear overrides, and the sentence
    follows.
    """
    said = sessions("--assume", "defaults").stdout
    assert (
        "Wear 0.03 EUR per kWh leaving the battery: 120 EUR/kWh for a new battery and 4000 full"
        " cycles (2026)." in said
    )
    assert float(v2g.read(tmp_path / "c.nc")["fleet"]["wear"]) == pytest.approx(120 / 4000)
    said = sessions("--assume", "defaults", "--wear", "0.02", "--force").stdout
    assert "Wear 0.02 EUR per kWh leaving the battery." in said
    assert float(v2g.read(tmp_path / "c.nc")["fleet"]["wear"]) == 0.02


def test_batteries_in_the_data_still_need_a_wear(sessions):
    """With capacity, need and charger in the columns nothing is assumed: then wear has to be said,
    even if it is 0.
    """
    rows = ("van-1;24.10.2026 17:00;25.10.2026 07:00;10;11;60;50",)
    header = "Fahrzeug;Ankunft;Abfahrt;an Bord;Lader;Akku;Ziel"
    columns = (
        "arrival=Ankunft",
        "departure=Abfahrt",
        "energy_arrival=an Bord",
        "charge_max=Lader",
        "capacity=Akku",
    )
    columns = (*columns, "energy_need=Ziel")

    refused = sessions(rows=rows, header=header, columns=columns)
    assert refused.exit_code == 3
    assert (
        "give --wear (EUR per kWh leaving a battery, 0 for none) or --assume defaults"
        in refused.stderr
    )
    assert sessions("--wear", "0", rows=rows, header=header, columns=columns).exit_code == 0


def test_a_charger_in_the_data_needs_no_power_seen(sessions, tmp_path):
    columns = [c.replace("power_max", "charge_max") for c in COLUMNS]
    made = sessions("--assume", "defaults", columns=columns)
    assert made.exit_code == 0, made.output
    assert float(v2g.read(tmp_path / "c.nc")["sessions"]["charge_max"].max()) == 11
    assert "Charger" not in made.stdout, "no rule on a charger that is given"


def test_chargers_raised_are_told_with_figures(sessions):
    """30 kWh in an hour: 30 kW on average, 30.6 with the margin, against 11 seen."""
    made = sessions(
        "--assume", "defaults", rows=(*STAYS, "van-3;24.10.2026 12:00;24.10.2026 13:00;30,0;11;")
    )
    assert made.exit_code == 0, made.output
    assert "in 1 session, worst first: 0 (van-3) from 11 to 30.6 kW." in made.stdout


def test_watt_hours_are_refused_and_then_read(sessions, tmp_path):
    """1800 "kWh" in 15 hours would need a charger of 122 kW, 11 times what was seen; as Wh they are
    1.8 kWh.
    """
    rows = (STAYS[0].replace("32,5", "1800"),)
    result = sessions("--assume", "defaults", rows=rows)
    assert result.exit_code == 3
    for words in (
        "session 0 (van-1)",
        "--column-unit energy=Wh",
        "at most 3 times; give --assume charger_raise=",
    ):
        assert words in result.stderr
    assert not PYTHON.search(result.stderr), result.stderr
    allowed = sessions("--assume", "charger_raise=1000", rows=rows)
    assert allowed.exit_code == 0, allowed.output
    assert (
        sessions(
            "--assume", "defaults", "--column-unit", "energy=Wh", "--force", rows=rows
        ).exit_code
        == 0
    )
    table = v2g.read(tmp_path / "c.nc")["sessions"]
    assert float(table.energy_need[0] - table.energy_arrival[0]) == pytest.approx(0.95 * 1.8)


def test_more_than_any_vehicle_takes_is_refused(sessions):
    """32500 "kWh": refused by the name of the session before a battery is assumed."""
    result = sessions("--assume", "defaults", rows=(STAYS[0].replace("32,5", "32500"),))
    assert result.exit_code == 3
    words = "session 0 (van-1): 32500 kWh is more than any vehicle takes (2000 kWh)"
    assert f"{words}; for Wh give --column-unit energy=Wh" in result.stderr
    assert not PYTHON.search(result.stderr), result.stderr
    told = ("--column-unit", "energy=kWh", "--assume", "charger_raise=1000")
    believed = sessions(*told, rows=(STAYS[0].replace("32,5", "32500"),))
    assert believed.exit_code == 0, believed.output


@pytest.mark.parametrize(
    ("word", "fits"), [("energy=Wh", True), ("energy=kW", False), ("energie=Wh", False)]
)
def test_units_of_columns(sessions, word, fits):
    result = sessions("--assume", "defaults", "--column-unit", word)
    assert (result.exit_code == 0) is fits, result.output
    assert fits or word.split("=")[0] in result.stderr


def test_a_header_that_names_another_unit(stays, run, spot, tmp_path):
    """20 000 Wh are 20 kWh, as the header says; the user may know better."""
    header = "Fahrzeug;Ankunft;Abfahrt;Energie [Wh];Leistung (kW);Nr"
    named = [
        w
        for c in COLUMNS
        for w in ("--column", c.replace("=Energie", "=Energie [Wh]").replace("stung", "stung (kW)"))
    ]

    def needs(row, *more):
        path = stays(row, header=header)
        words = ("import", "sessions", path, *GERMAN, *named, "--prices", spot, "--assume")
        result = run(*words, "defaults", *more, "-o", tmp_path / "c.nc", "--force")
        assert result.exit_code == 0, result.output
        return v2g.read(tmp_path / "c.nc")["fleet"].energy_min.max().item()

    in_kwh = needs(STAYS[0], "--column-unit", "energy=kWh")
    energy = STAYS[0].split(";")[3]
    in_wh = needs(STAYS[0].replace(energy, energy.replace(",", "") + "00"))
    assert in_wh == pytest.approx(in_kwh, rel=1e-12)


def test_a_repeated_hour_offers_only_rules_that_hold(sessions):
    """A stay has one end, so that only the first or the second of two hours can be meant."""
    refused = sessions("--assume", "defaults", form=GERMAN)
    assert refused.exit_code == 3
    assert (
        "2026-10-25 02:30: the clock shows this hour twice; give --ambiguous first or second"
        in refused.stderr
    )
    for rule in ("infer", "both"):
        result = sessions("--assume", "defaults", form=(*GERMAN, "--ambiguous", rule))
        assert result.exit_code == 2
        assert "give first or second" in result.stderr


def test_a_stay_that_is_left_out_is_a_warning(sessions, run, tmp_path):
    """It ends after the last price: told apart from the notes, with vehicle, local time and kWh,
    also in the report.
    """
    late = "van-2;26.10.2026 20:00;27.10.2026 07:00;20,0;11;"
    made = sessions("--assume", "defaults", rows=(*STAYS, late))
    assert made.exit_code == 0
    warning = next(line for line in made.stderr.splitlines() if line.startswith("warning: "))
    assert "1 session dropped, 20 kWh in all" in warning
    assert "(van-2), 2026-10-26 20:00 to 2026-10-27 07:00, 20 kWh" in warning
    assert "dropped" not in made.stdout
    assert (
        "dropped"
        in json.loads(
            sessions("--assume", "defaults", "--force", "--json", rows=(*STAYS, late)).stdout
        )["warnings"][0]
    )
    solved = run("solve", tmp_path / "c.nc", "-o", tmp_path / "out")
    assert solved.exit_code == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 session dropped, 20 kWh in all" in page


def test_a_misspelt_column_in_the_words_of_the_command(sessions):
    result = sessions("--assume", "defaults", columns=(*COLUMNS, "member=Fahrzeug"))
    assert result.exit_code == 3
    assert "--column member" in result.stderr
    assert not PYTHON.search(result.stderr), result.stderr
    lacking = sessions("--assume", "defaults", columns=COLUMNS[1:2])
    assert "--column   name the column of `departure`" in lacking.stderr


def test_help_lists_columns_and_assumptions(run):
    text = " ".join(run("import", "sessions", "--help").stdout.split())
    for words in (
        "energy (kWh, for --assume): metered energy charged, at the grid",
        "capacity (kWh, or --assume): most energy the battery may hold",
        "arrival (time, required): plug-in",
        "wear (0.03): wear, EUR per kWh leaving the battery",
    ):
        assert words in text
    assert "time (time, or date and hour): start of the step" in " ".join(
        run("import", "prices", "--help").stdout.split()
    )


@pytest.mark.parametrize("word", ["24.10.2026", "10/24/2026", "24 October"])
def test_a_day_is_written_one_way(run, tmp_path, word):
    result = run("new", tmp_path / "x", "--start", word)
    assert result.exit_code == 2
    assert "write it as 2026-03-28" in result.stderr


def test_the_hour_of_an_explanation_is_written_one_way(run, sessions, tmp_path):
    """02.08. is the second of August here and the eighth of February there: neither is taken. 2:30
    happens twice.
    """
    assert sessions("--assume", "defaults", "--step", "30min").exit_code == 0
    assert run("solve", tmp_path / "c.nc", "-o", tmp_path / "out", "--no-report").exit_code == 0

    def asked(hour):
        return run("explain", tmp_path / "out", "--vehicle", "van-1", "--hour", hour)

    refused = asked("24.10.2026 20:00")
    assert refused.exit_code == 2
    assert "write it in ISO 8601, such as '2026-10-24 00:00'" in refused.stderr
    twice = asked("2026-10-25 02:30")
    assert twice.exit_code == 2
    assert (
        "'2026-10-25 02:30' happens twice on the clock of Europe/Berlin; add +02:00 or +01:00"
        in twice.stderr
    )
    assert "02:30+01:00 to" in asked("2026-10-25 02:30+01:00").stdout


def test_numbers_of_the_schedule_are_short(run, sessions, spot, tmp_path):
    """11,87 ct/kWh is 118.7 EUR/MWh in the table, not 118.69999999999999."""
    prices = xr.load_dataset(spot)
    prices["day_ahead"] = (prices.day_ahead * 0 + 11.87).assign_attrs(units="ct/kWh")
    prices.to_netcdf(spot)
    assert 11.87 * 10 != 118.7
    assert sessions("--assume", "defaults").exit_code == 0
    assert run("solve", tmp_path / "c.nc", "-o", tmp_path / "out", "--no-report").exit_code == 0
    text = (tmp_path / "out" / "schedule.csv").read_text()
    assert ",118.7\n" in text and "118.69" not in text


def test_how_blocks_were_found_is_told_only_when_asked(run, case_file, tmp_path):
    """A line on how the solve went is noise on every run; the count of defaults points to `v2g
    check`.
    """
    plain = run("solve", case_file, "-o", tmp_path / "plain", "--no-report")
    detailed = run("solve", case_file, "-o", tmp_path / "detailed", "--no-report", "-v")
    note = v2g.read(tmp_path / "plain" / "result.nc").attrs["block_note"]
    assert note and note not in plain.stdout
    assert note in detailed.stdout
    assert "defaults assumed; `v2g check" in plain.stderr
