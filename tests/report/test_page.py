"""The report: one file, offline, small, true to the numbers, the same to the byte."""

import re
from functools import cache
from html.parser import HTMLParser

import pytest
from made_results import result
from pictures import EDGES, made, pictures

from v2g_linopy.errors import OutputError, V2GError
from v2g_linopy.report import labels, tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures import style
from v2g_linopy.report.page import write

LARGEST = 1_500_000
VOID = {"meta", "link", "br", "img", "hr", "input", "col"}


class Page(HTMLParser):
    """Collects what a browser would load, and checks that tags close in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.loads, self.tags, self.text = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
                self.loads.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@cache
def page(edge):
    """The page of a result, put together from pictures that are drawn once."""
    drawn = pictures(edge)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "drawn_as_svg", lambda view, name: drawn[name])
        return write.render(made(edge))


@pytest.fixture
def text():
    """The page of a plan with everything on it, and 1.5 kWh not served."""
    return page("all")


def test_a_browser_is_told_to_load_nothing(text):
    """The policy stands before anything that it could be asked about. It allows the styles and the
    pictures that are in the page itself, and nothing else: no script, no address.
    """
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    allowed = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert allowed.pop("default-src") == "'none'"
    assert allowed.pop("style-src") == "'unsafe-inline'"
    assert allowed.pop("img-src") == "data:"
    assert set(allowed) == {"base-uri", "form-action"} and {*allowed.values()} == {"'none'"}
    head = text.partition(policy)[0]
    assert Page(head.partition("<head>")[2].rpartition("<")[0]).tags == ["meta"]


@pytest.mark.parametrize("edge", EDGES)
def test_page_is_whole_small_and_offline(edge):
    """Tags close, ids are unique, nothing is loaded from anywhere, no script, under 1.5 MB."""
    text = page(edge)
    parsed = Page(text)
    assert len(text.encode()) < LARGEST
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert all(load.startswith(("#", "data:image/png;base64,")) for load in parsed.loads)
    assert all("#" + i in text for i in parsed.ids)
    assert not {"script", "link", "iframe", "object", "embed", "img"} & set(parsed.tags)
    assert not re.search(r"url\((?!#)|@import", text)
    assert not re.search(r"\bnan\b|\bNone\b|Undefined", " ".join(parsed.text))


def test_the_same_result_gives_the_same_bytes(text):
    """Two renderings of one result are equal, so that reports can be compared and cached."""
    assert write.render(result(unserved=1.5)) == text


def test_every_figure_has_a_text_for_those_who_do_not_see_it(text):
    """Ten figures of a fleet, each with a role and its alternative text."""
    assert text.count('<svg role="img" aria-label="') == text.count("<figcaption>") == 10
    assert set(write.CAPTIONS) == set(figures.__all__)


def test_the_page_shows_the_numbers_of_the_tables(text):
    """Amounts of the bill and of the ladder stand on the page as the tables have them."""
    plan = result(unserved=1.5)
    bill, ladder = tables.bill_table(plan), tables.ladder(plan)
    for amount in bill["amount"]:
        assert f'<td class="n">{labels.money(amount)}</td>' in text
    for profit in ladder["per_unit"]:
        assert f'<td class="n">{labels.money(profit)}</td>' in text
    assert f'<td class="n">{labels.money(plan.attrs["profit"])}</td>' in text


def test_headline_and_foresight(text):
    """The first sentence says what each rung adds, and from how long it is scaled up; perfect
    foresight is said beside it.
    """
    ladder = tables.ladder(result(unserved=1.5)).set_index("rung")["per_unit"]
    smart, v2g = ladder["smart"] - ladder["unmanaged"], ladder["V2G"] - ladder["smart"]
    assert f"Smart charging adds {labels.signed_amount(smart)} to unmanaged charging" in text
    assert f"V2G adds {labels.signed_amount(v2g)} to smart charging" in text
    assert "(EUR per vehicle and year, scaled up from 2 days)." in text
    assert "Perfect foresight is assumed" in text


def test_missing_energy_is_named_and_the_list_is_limited(no_pictures):
    """Every need not served is counted; the worst are named, the rest said to be elsewhere."""
    plan = result(members=40, unserved=1.5)
    fleet = plan["fleet"].to_dataset()
    fleet["unserved"] = fleet["unserved"].where(fleet["energy_min"] == 0, 0.25)
    plan["fleet"] = fleet
    text = write.render(plan)
    assert "80 needs could not be served, 20 kWh in all" in text
    assert "And 55 more" in text
    assert "ev-000" in text


def test_hostile_names_are_text():
    """Titles and labels of the case cannot put markup into the page."""
    plan = result(members=1, unserved=1.0)
    plan.attrs["title"] = "<script>alert(1)</script>"
    plan["fleet"] = plan["fleet"].to_dataset().assign_coords(fleet=['<b onload="x">&'])
    assert not {"script", "b"} & set(Page(write.render(plan)).tags)


def test_currency_of_the_case_is_on_the_page():
    """A case in dollars shows no euro."""
    plan = result()
    plan.attrs["currency"] = "USD"
    for node in plan.children.values():
        for array in node.data_vars.values():
            if "units" in array.attrs:
                array.attrs["units"] = array.attrs["units"].replace("EUR", "USD")
    text = " ".join(Page(write.render(plan)).text)
    assert "USD per vehicle and year" in text
    assert "EUR" not in text


def test_write_refuses_to_replace(tmp_path):
    """An existing file stays as it was unless overwriting is asked for, and nothing else is left
    behind.
    """
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(OutputError):
        write.write_page(result(), path, check=False)
    assert path.read_text() == "mine"
    write.write_page(result(members=0, ladder=False), path, overwrite=True, check=False)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_missing_extra_is_explained(monkeypatch):
    """Without matplotlib the remedy is named, not a traceback of an import."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(V2GError, match=r"v2g-linopy\[report\]"):
        style.matplotlib()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567.8, "1\u202f234\u202f568"),
        (-12.345, "−12.35"),
        (0.0833333, "0.08333"),
        (float("inf"), "–"),
    ],
)
def test_numbers_for_people(value, text):
    """About four digits, thousands apart, a true minus."""
    assert labels.shown_number(value) == text


def test_the_caption_says_what_a_value_below_zero_means():
    assert "Below zero, a fuller battery would cost money" in write.CAPTIONS["shadow_prices"]
