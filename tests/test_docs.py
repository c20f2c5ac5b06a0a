"""What the documentation says is run: its code, its commands, its numbers; what it takes from the
code is compared.
"""

import doctest
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from reference_data import reference
from typer.testing import CliRunner

import v2g_linopy as v2g
from docs import demonstration, generate
from docs.everything import case_of_everything
from v2g_linopy.cli import app
from v2g_linopy.data.generators.commuters import NOT_A_MARKET
from v2g_linopy.data.importers import formats

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    p.relative_to(ROOT).as_posix()
    for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("datasets/*.md")]
)
INVENTED = ("v2g_linopy/parts/assets/flywheel.py", "docs/parts/flywheel.md")
"""Files that a reader would write."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [body for name, body in FENCE.findall(page(path)) if name == language]


@pytest.fixture
def away(tmp_path, monkeypatch):
    """An empty folder to work in, that can be imported from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_pages_are_what_the_code_says():
    """A field, an equation, an option or a unit that changes in the code changes in the page, with
    `make docs`.
    """
    stale = [path for path, text in generate.documents().items() if page(path) != text]
    assert not stale, f"out of date, run `make docs`: {', '.join(stale)}"


def test_pages_know_every_part_and_entry():
    """The case that the pages are written from has every part; each entry that a replay recomputes
    has its line.
    """
    case = case_of_everything()
    assert set(case.children) == set(v2g.PARTS)
    checks = v2g.solve(case)["audit"].to_dataset()
    entries = {
        name
        for name, check in checks.items()
        if check.attrs["long_name"] == "ledger entry, relative"
    }
    assert "fleet.slack.balance" in entries
    declared = {f"{part.name}.{entry}" for part in v2g.PARTS.values() for entry in part.entries}
    assert declared == entries
    missing = {
        entry
        for entry in entries
        if f"| `{entry}` |" not in page(f"docs/parts/{entry.split('.')[0]}.md")
    }
    assert not missing


def test_readme_twin_gives_the_numbers_of_the_readme(away):
    """The five lines of the README are the demonstration: same table, and the picture was drawn
    from the same case.
    """
    (code,) = blocks("README.md", "python")
    assert len([line for line in code.splitlines() if line]) == 5
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    table = demonstration.ladder_table(names["result"])
    assert table in page("README.md"), (
        f"the README says something else than\n{table}\nrun `make docs`"
    )
    picture = page(demonstration.PICTURE)
    assert demonstration.drawn_from(names["result"]) in picture
    assert (away / "result.nc").exists()


def test_code_of_the_python_page_runs(away, capsys):
    names: dict = {}
    for code in blocks("docs/python.md", "python"):
        exec(compile(code, "docs/python.md", "exec"), names)
    assert names["again"].attrs["profit"] == names["result"].attrs["profit"]
    # by hand: full power at 20 and at 40 EUR/MWh; what is above the need, 10 + 2 * 7 * 0.9 - 20 =
    # 2.6 kWh, is 2.34 kWh
    # at the grid, sold at 90; buying more at 80 would cost 80 / 0.9 a kWh on board and bring 90 *
    # 0.9
    assert names["result"].attrs["profit"] == pytest.approx(
        -7 * 0.02 - 7 * 0.04 + 2.34 * 0.09, rel=1e-9
    )


def test_code_of_the_page_on_pilots_prints_what_it_says(capsys):
    """Each figure of the package beside a published one is what its lines print."""
    for code, printed in zip(
        blocks("docs/pilots.md", "python"), blocks("docs/pilots.md", "text"), strict=True
    ):
        exec(compile(code, "docs/pilots.md", "exec"), {})
        assert capsys.readouterr().out == printed
    table = page("docs/pilots.md").partition("## ")[0].replace("\u202f", " ")
    told = [x for body in blocks("docs/pilots.md", "text") for x in re.findall(r"\b\d{3,}\b", body)]
    assert all(f"{int(x):,}".replace(",", " ") in table for x in told)


def test_code_of_the_page_on_imports_runs(away):
    """Both hours at 2:00 of an exported table come in their order."""
    for code in blocks("docs/importing.md", "python"):
        exec(compile(code, "docs/importing.md", "exec"), {})


def test_the_study_of_a_thousand_cases_runs(away):
    """The page as it stands, but for one car on one day and two cases; V2G is used in some of them,
    and every plan is proven from its file.
    """
    path = "docs/thousand-cases.md"
    (told,) = blocks(path, "toml")
    (away / "fleet.toml").write_text(told.replace("n = 1000", "n = 2"), encoding="utf-8")
    for body in blocks(path, "console"):
        for command in re.findall(r"^\$ v2g (.*)$", body, re.MULTILINE):
            small = re.sub(r"--vehicles \d+ --days \d+", "--vehicles 1 --days 1", command)
            run = CliRunner().invoke(app, shlex.split(small.replace("--jobs 2", "--jobs 1")))
            assert run.exit_code == 0, run.output
    names: dict = {}
    for code in blocks(path, "python"):
        exec(compile(code, path, "exec"), names)
    assert names["found"].sizes == {"draw": 2} and names["proof"].ended == {"optimal": 2}
    assert set(names["found"].coords) >= {"fleet.wear", "connection.supply_price.scale"}


def test_code_of_the_page_on_many_cases_runs(away):
    for code in blocks("docs/batch.md", "python"):
        exec(compile(code, "docs/batch.md", "exec"), {})


def test_code_of_the_page_on_exports_runs(away):
    """A plan and a case leave in each format, and what comes back is replayed."""
    names: dict = {}
    for code in blocks("docs/exports.md", "python"):
        exec(compile(code, "docs/exports.md", "exec"), names)


def test_example_of_a_new_asset_runs(away):
    """The file in CONTRIBUTING is a part as it stands; its use earns what was found by hand, and
    the audit sees it.
    """
    part, use = blocks("CONTRIBUTING.md", "python")
    (away / "flywheel.py").write_text(part, encoding="utf-8")
    try:
        names: dict = {}
        exec(compile(use, "CONTRIBUTING.md", "exec"), names)
        flywheel = importlib.import_module("flywheel")
        result = names["result"]
        parts = v2g.PARTS | {"flywheel": flywheel.PART}
        result["flywheel"]["energy"][:] = 5.0  # a plan that is not physical must not pass
        assert not v2g.replay(result, parts).attrs["passed"]
        text = generate.part_page(
            flywheel.PART, v2g.build(names["case"], parts=v2g.PARTS | {"flywheel": flywheel.PART})
        )
        assert "e = keep e_{t-1} + dt (c - g)" in text
        assert "`flywheel.rent`" in text
    finally:
        sys.modules.pop("flywheel", None)


def test_the_way_of_one_number_is_there():
    """Ten stops in CONTRIBUTING; each names files, and functions that are in them."""
    text = (
        page("CONTRIBUTING.md").partition("<!-- begin way -->")[2].partition("<!-- end way -->")[0]
    )
    stops = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert stops == [str(k) for k in range(1, 11)]
    named = re.findall(r"`(v2g_linopy/[\w/]+\.py)`, `(\w+)`", text)
    assert len(named) >= 10
    lost = [(path, name) for path, name in named if f"def {name}(" not in page(path)]
    assert not lost


def test_getting_started_prints_what_it_says(away):
    """Each command of the page in order; `...` stands for anything."""
    checker = doctest.OutputChecker()
    for body in blocks("docs/getting-started.md", "console"):
        for command, expected in re.findall(
            r"^\$ v2g (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE
        ):
            run = CliRunner().invoke(app, shlex.split(command))
            same = checker.check_output(expected, run.output, doctest.ELLIPSIS)
            assert same, f"v2g {command} prints\n{run.output}"
            assert run.exit_code == (2 if "did you mean" in expected else 0)


def test_imports_of_the_readme_read_the_published_files(away):
    """The two lines on real data, with the files as their publishers made them."""
    lines = [
        line
        for body in blocks("README.md", "sh")
        for line in body.splitlines()
        if line.startswith("v2g import")
    ]
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)[1:]
        for k, word in enumerate(words):
            if word.endswith((".xlsx", ".csv")) or words[k - 1] == "--prices":
                words[k] = str(reference(word if word.endswith(".nc") else f"raw/{word}"))
        run = CliRunner().invoke(app, words)
        assert run.exit_code == 0, run.output
        assert v2g.check(v2g.read(words[-1]))


@pytest.mark.parametrize("path", PAGES)
def test_command_lines_can_be_parsed(path):
    """Every `v2g ...` in a block or in the text names commands and options that exist."""
    shown = [
        line
        for language in ("sh", "console")
        for body in blocks(path, language)
        for line in body.splitlines()
    ]
    shown += re.findall(r"`((?:v2g) [^`]+)`", FENCE.sub("", page(path)))
    for line in shown:
        words = shlex.split(line.removeprefix("$ ").removeprefix(".venv/bin/"), comments=True)
        if words[:1] == ["v2g"] and not re.search(
            r"\b[A-Z]{2,}\b", line
        ):  # with placeholders it is a pattern
            parse(words[1:])


def parse(words: list[str]) -> None:
    """Resolve commands and options of a command line without running it."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if words:
        context = command.make_context("v2g", list(words), resilient_parsing=True)
        assert not context.args, f"{words}: not understood {context.args}"


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page(path)):
        if not link.startswith("https://"):
            assert ((ROOT / path).parent / link).exists(), f"{path}: {link}"


@pytest.mark.parametrize("path", PAGES)
def test_modules_and_tests_that_are_named_exist(path):
    """What is run with `python -m`, and files of tests and of the package by their path."""
    for module in re.findall(r"python -m ([\w.]+)", page(path)):
        assert importlib.util.find_spec(module), f"{path}: no module {module}"
    named = re.findall(r"`((?:tests|v2g_linopy|docs)/[\w/]+\.\w+)`", page(path))
    lost = [name for name in named if name not in INVENTED and not (ROOT / name).exists()]
    assert not lost, f"{path} names what is not there"


def test_a_block_that_no_sentence_begins():
    """A line of `::` alone begins a block, and leaves no colon behind."""
    text = "Equations.\n\n::\n\n    x = y\n\nMore::\n\n    z\n"
    expected = "Equations.\n\n```\nx = y\n```\n\nMore:\n\n```\nz\n```"
    assert generate.prose(text) == expected


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    named = {
        t
        for path in PAGES
        for t in re.findall(r"^make ([a-z]+)|`make ([a-z]+)", page(path), re.MULTILINE)
        for t in t
    }
    assert named - {""} <= targets


def test_every_format_is_in_the_page_on_importing():
    """In the section of its command, which has examples, with its reader in Python."""
    page = (ROOT / "docs/importing.md").read_text(encoding="utf-8")
    tables = {
        "## Prices": formats.PRICE_FORMATS,
        "## Sessions": formats.SESSION_FORMATS,
        "## Profiles": formats.PROFILE_FORMATS,
        "## Reserves, frequency, connectors": formats.FREQUENCY_FORMATS | formats.CAPACITY_FORMATS,
    }
    for heading, known in tables.items():
        section = page.partition(heading)[2].partition("\n## ")[0]
        assert "v2g import" in section, heading
        for name, form in known.items():
            assert f"`{name}`" in section, (heading, name)
            assert form.read.__name__ in page, form.read.__name__


PER_YEAR = re.compile(r"EUR (?:per (?:vehicle|car) and year|a year)|EUR/(?:vehicle|car)")
AMOUNT = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?:\.\d+)?|(?<![\d.,])\d{4,}(?:\.\d+)?")


def large_amounts(text: str) -> list[str]:
    """Sections with amounts per vehicle and year of 1000 and more, and not the words that say why.

    Years and what stands before another unit are no amounts."""
    found = []
    for section in re.split(r"\n(?=## )", text):
        if not PER_YEAR.search(section) or "not a market" in section or "no market" in section:
            continue
        head = section.split("EUR per vehicle and year")[0].rsplit("\n", 1)[-1]
        place = head.count("|")
        for line in section.splitlines():
            cells = line.split("|")
            shown = cells[place] if len(cells) > max(place, 2) else line
            if len(cells) > 2 or PER_YEAR.search(line):
                found += [x for x in AMOUNT.findall(shown) if float(x.replace(" ", "")) >= 1000]
    return found


def test_no_large_figure_without_the_words_that_it_is_no_market():
    """Over 1000 EUR per vehicle and year no market pays: README, pages and templates that show it
    say what it is. The headline of before, 2 967, is found.
    """
    assert large_amounts("| rung | EUR per vehicle and year |\n|---|---|\n| V2G | 2 967 |") != []
    for path in ("README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))):
        assert not large_amounts(page(path)), path
    study = v2g.commuters(vehicles=1, days=1)
    assert study.attrs["not_a_market"] == NOT_A_MARKET
    assert "not_a_market" not in v2g.homes_and_depot(vehicles=2, days=1).attrs
