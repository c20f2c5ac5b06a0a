"""The page in a real browser, whose clock is that of Los Angeles: one server, one browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import PATIENCE, Server, processes_at_work

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
PHONE = {"width": 390, "height": 800}
SERIOUS = ("serious", "critical")
MILLISECONDS = 1000 * PATIENCE


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("page") / "data", "--jobs", "2")
    yield server
    assert server.end() == 0


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def page_of(browser, server, expected=(), **look):
    """A page that says nothing on its console, but what is expected, and asks no other host."""
    context = browser.new_context(timezone_id="America/Los_Angeles", locale="de-DE", **look)
    context.set_default_timeout(MILLISECONDS)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://127.0.0.1:{server.port}/")
    yield page
    context.close()
    assert [x for x in said if not any(word in x for word in expected)] == []
    home = f"http://127.0.0.1:{server.port}/"
    assert [x for x in asked if not x.startswith((home, f"blob:{home}"))] == []


def check_access(page) -> None:
    """axe finds nothing serious, and no part of the page is wider than the window."""
    found = axe.Axe().run(page).response["violations"]
    assert [(x["id"], x["nodes"][0]["html"]) for x in found if x["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def job_of(page, server):
    """The job that the address names."""
    page.wait_for_url("**/#*/*")
    return server.job(page.url.rpartition("/")[2])


def open_table(page, chart: str):
    """Cells of the table of a chart, row by row."""
    figure = page.get_by_role("figure", name=chart)
    figure.get_by_text("Table", exact=True).click()
    rows = figure.locator("tbody tr")
    rows.first.wait_for()
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_three_steps_on_a_day_of_25_hours(browser, server):
    """Two sites on the day on which clocks are set back: 25 rows of the market's clock, two at
    02:00, though it is still the day before in the browser's zone. Shares are those of the
    service, and nothing is undeliverable. A comma is a decimal mark."""
    with page_of(browser, server) as page:
        page.get_by_label("Template", exact=True).select_option("portfolio")
        page.get_by_label("Sites", exact=True).fill("1")
        page.get_by_label("Sites, slider").press("ArrowRight")  # 2, by keyboard
        page.get_by_label("Vehicles", exact=True).fill("2,0")
        page.get_by_label("Days", exact=True).fill("1")
        page.get_by_label("Start").fill("2026-10-25")
        page.get_by_text("Change single values").click()
        page.get_by_label("Changes, one a line").fill("fleet.wear = 0,05")
        check_access(page)
        page.get_by_role("button", name="Make this case").press("Enter")
        chosen = page.get_by_role("region", name="The chosen case")
        chosen.wait_for()
        assert "25 hours" in chosen.inner_text()
        source = server.ask("GET", "/v1/cases").json[0]["source"]
        assert source["set"] == ["fleet.wear=0.05"]
        wanted = {"pods": 2, "vehicles": 2, "days": 1, "start": "2026-10-25"}
        assert {name: source["parameters"][name] for name in wanted} == wanted

        page.get_by_role("link", name="2 Flexibility").press("Enter")
        page.get_by_label("Held for hours").fill("1,0")
        page.get_by_role("button", name="Find the flexibility").click()
        page.wait_for_url("**/#flexibility/*")
        page.get_by_role("link", name="3 Dispatch").click()  # both run at once
        page.get_by_label("Write a report").uncheck()
        page.get_by_role("button", name="Find the best plan").click()
        page.wait_for_url("**/#dispatch/*")

        page.get_by_role("link", name="2 Flexibility").click()
        rows = open_table(page, "Power that it can draw")
        hours = [row[0] for row in rows]
        assert len(hours) == 25
        assert hours[0] == "25 Oct 2026 00:00"
        assert hours[2:4] == ["25 Oct 2026 02:00 (UTC+02:00)", "25 Oct 2026 02:00 (UTC+01:00)"]
        assert hours[-1] == "25 Oct 2026 23:00"
        assert page.get_by_role("figure").count() == 5
        assert page.get_by_role("region", name="Cost of a kWh that is shifted").is_visible()
        slider = page.get_by_label("Moment in: Power that it can draw")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext").startswith("Sun 25 Oct 01:00, most ")
        check_access(page)

        page.get_by_role("link", name="3 Dispatch").click()
        page.get_by_text("undeliverable 0").wait_for()
        job = job_of(page, server)
        shares = server.ask("GET", f"/v1/jobs/{job['id']}/disaggregate").json
        table = page.get_by_role("region", name="What each site does").locator("tbody tr")
        shown = {row.locator("th").inner_text(): row.inner_text() for row in table.all()}
        assert shown.keys() == {site["pod"] for site in shares["sites"]}
        for site in shares["sites"]:
            assert f"{site['value']:.2f}".replace("-", "\u2212") in shown[site["pod"]]
        position = [row[1] for row in open_table(page, "Position by market")]
        arrays = server.ask("GET", f"/v1/jobs/{job['id']}/results/arrays.json").json
        traded = arrays["charts"]["positions"]["lines"][0]["values"]
        assert [read(x) for x in position] == pytest.approx(traded, abs=0.06)
        check_access(page)
        with page.expect_download() as saved:
            page.get_by_role("link", name="Schedule").click()
        assert Path(saved.value.path()).read_text().startswith("time")

        page.reload()  # the address is enough to see it again
        page.get_by_text("undeliverable 0").wait_for()


def read(text: str) -> float:
    return float(text.replace("\u2212", "-").replace("\u202f", ""))


def test_cancel_leaves_nothing_running(browser, server):
    """A job that proves each value is cancelled as soon as its button is there, and no process of
    it is left; the history says so, in the dark and on a phone."""
    with page_of(browser, server, viewport=PHONE, color_scheme="dark") as page:
        making = page.get_by_role("button", name="Make this case")
        page.get_by_label("Sites", exact=True).wait_for()
        check_access(page)
        making.click()
        page.get_by_role("link", name="Flexibility of each site").click()
        page.get_by_label("Prove each value").check()
        page.get_by_role("button", name="Find the flexibility").click()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("status").get_by_text("Cancelled").wait_for()
        assert job_of(page, server)["state"] == "cancelled"
        assert processes_at_work(server.data) == []
        page.get_by_role("link", name="History").click()
        row = page.get_by_role("row", name="Virtual power plant").first
        assert "Cancelled" in row.inner_text()
        check_access(page)


def test_a_refused_upload_says_why(browser, server, tmp_path):
    """A table with the name of a case is refused with its name, and no case is chosen."""
    (tmp_path / "mine.nc").write_text("time;price\n1;2\n")
    with page_of(browser, server, expected=["422"]) as page:
        page.get_by_label("Case file (NetCDF)").set_input_files(tmp_path / "mine.nc")
        page.get_by_role("button", name="Upload and check").click()
        problems = page.get_by_role("alert").filter(has_text="mine.nc")
        problems.wait_for()
        assert "NetCDF" in problems.inner_text()
        assert page.get_by_role("region", name="The chosen case").count() == 0
        check_access(page)


def test_a_configuration_is_saved_and_loaded(browser, server):
    """What was chosen comes back after the page is loaded anew, and can be deleted."""
    with page_of(browser, server, expected=["422"]) as page:
        page.get_by_label("Template", exact=True).select_option("depot")
        page.get_by_label("Vehicles", exact=True).fill("7")
        page.get_by_label("Name").fill("Montag/früh")  # no name of a path
        page.get_by_role("button", name="Save").click()
        page.get_by_role("alert").filter(has_text="name").wait_for()
        page.get_by_label("Name").fill("Montag früh")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved “Montag früh”.").wait_for()
        page.reload()
        page.get_by_role("button", name="Load Montag früh").click()
        page.get_by_text("Loaded “Montag früh”.").wait_for()
        assert page.get_by_label("Template", exact=True).input_value() == "depot"
        assert page.get_by_label("Vehicles", exact=True).input_value() == "7"
        page.get_by_role("button", name="Delete Montag früh").click()
        page.get_by_text("Deleted “Montag früh”.").wait_for()
        assert server.ask("GET", "/v1/configurations").json == []


def test_sessions_and_prices_give_the_ladder(browser, server, tmp_path):
    """Files of a continental Excel: what the ladder shows is what the job has written."""
    sessions = "arrival;departure;energy;power_max\n"
    sessions += "02.03.2026 08:00;02.03.2026 16:00;10,5;11\n"
    hours = "".join(f"2026-03-02T{h:02}:00Z;{20 + 3 * h}\n" for h in range(24))
    (tmp_path / "stays.csv").write_text(sessions)
    (tmp_path / "prices.csv").write_text("time;price\n" + hours)
    with page_of(browser, server) as page:
        page.get_by_role("link", name="4 Value of sessions").click()
        page.get_by_label("Charging sessions", exact=True).set_input_files(tmp_path / "stays.csv")
        page.get_by_label("Prices", exact=True).set_input_files(tmp_path / "prices.csv")
        page.get_by_label("Time zone of the sessions").fill("Europe/Berlin")
        page.get_by_text("Columns of tables").click()
        page.get_by_label("Columns of the sessions").fill(
            "\n".join(f"{x}={x}" for x in sessions.splitlines()[0].split(";"))
        )
        page.get_by_label("Columns of the prices").fill("time=time\nprice=price\n")
        page.get_by_role("button", name="Find the value").click()
        table = page.get_by_role("region", name="Value ladder")
        troubles = page.locator("[role=alert]:not(:empty)")
        table.or_(troubles).first.wait_for()
        assert troubles.all_inner_texts() == []
        job = job_of(page, server)
        ladder = server.ask("GET", f"/v1/jobs/{job['id']}/results/arrays.json").json["ladder"]
        shown = [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]
        assert [row[0] for row in shown] == [rung["rung"] for rung in ladder]
        assert [read(row[1]) for row in shown] == pytest.approx(
            [rung["profit"] for rung in ladder], abs=0.006
        )
        check_access(page)


@pytest.fixture
def guarded(tmp_path) -> Iterator[Server]:
    server = Server(tmp_path / "data", env={"V2G_TOKEN": "a token that is long"})
    yield server
    assert server.end() == 0


def test_a_token_is_asked_for(browser, guarded):
    """A server with a token: a wrong one is asked for again, a right one opens the page."""
    secret = str(guarded.token)
    with page_of(browser, guarded, expected=["401"]) as page:
        for word in ("another token", secret):
            page.get_by_label("Token", exact=True).fill(word)
            page.get_by_role("button", name="Go on").click()
            if word != secret:
                page.get_by_text("That was not the token").wait_for()
        page.get_by_label("Template", exact=True).wait_for()
        page.wait_for_function("document.getElementById('version').textContent !== ''")


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata"])
def test_hours_are_those_of_the_market(browser, server, zone):
    """Full hours on days of 23, 24 and 25 hours in Berlin, whatever the browser's zone, among them
    the nights in which its own clocks are changed: one of the market's hours is missing, or is
    there twice with its distance from UTC."""
    context = browser.new_context(timezone_id=zone)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/icon.svg")
    days = {"2026-03-28T23:00Z": 23, "2026-10-24T22:00Z": 25, "2026-03-07T23:00Z": 24}
    for begin, hours in days.items():
        found = page.evaluate(
            """async ([begin, hours]) => {
              const { clockOf } = await import("/clock.js");
              const clock = clockOf("Europe/Berlin");
              const from = Date.parse(begin) / 1000;
              const all = clock.hoursIn(from, from + (hours - 1) * 3600, 30);
              return all.map(clock.timeOf);
            }""",
            [begin, hours],
        )
        plain = [f"{h:02}:00" for h in range(24)]
        if hours == 23:
            plain.remove("02:00")
        if hours == 25:
            plain[2:3] = ["02:00 (UTC+02:00)", "02:00 (UTC+01:00)"]
        assert found == plain, begin
    context.close()


def test_numbers_are_read_with_either_mark(browser, server):
    """Point or comma is the decimal mark; of two the last one is. What is no number is none."""
    numbers = {
        "0,5": 0.5, "0.5": 0.5, "-1,25": -1.25, "1.234,5": 1234.5, "1,234.5": 1234.5,
        "1 234,5": 1234.5, "12": 12, ".5": 0.5, "1.2.3,4": None, "12,34.5": None, "": None,
        "a": None,
    }  # fmt: skip
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/icon.svg")
    found = page.evaluate(
        """async (texts) => {
          const { readNumber, readNumbers } = await import("/numbers.js");
          const found = texts.map(readNumber).map((x) => (Number.isNaN(x) ? null : x));
          return [found, readNumbers("0,5; 4 1.5")];
        }""",
        list(numbers),
    )
    assert dict(zip(numbers, found[0], strict=True)) == numbers
    assert found[1] == [0.5, 4, 1.5]
    context.close()
