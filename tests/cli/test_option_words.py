"""A remedy is data: one problem, said in the words of Python and in those of the command line."""

import pytest

from v2g_linopy.cli.exit_codes import problems_as_data
from v2g_linopy.cli.option_words import in_option_words
from v2g_linopy.errors import InputFileError, Problem, Remedy, SchemaError

SAID = [
    (
        Remedy("ambiguous", ("first", "second")),
        'give ambiguous="first" or "second"',
        "give --ambiguous first or second",
    ),
    (
        Remedy("nonexistent", ("drop", "shift"), meanings=(" (leave it out)", "")),
        'give nonexistent="drop" (leave it out) or "shift"',
        "give --nonexistent drop (leave it out) or shift",
    ),
    (
        Remedy("ambiguous", ("first", "second", "infer")),
        'give ambiguous="first", "second" or "infer"',
        "give --ambiguous first, second or infer",
    ),
    (
        Remedy("time_format", advice="give {}, such as '%d/%m/%Y %H:%M'"),
        "give time_format, such as '%d/%m/%Y %H:%M'",
        "give --time-format, such as '%d/%m/%Y %H:%M'",
    ),
    (Remedy("separator", (";",)), 'give separator=";"', "give --separator ';'"),
    (
        Remedy("need", ("cap",), advice="{} lowers it to what is reached"),
        'need="cap" lowers it to what is reached',
        "--need cap lowers it to what is reached",
    ),
    (
        Remedy("units", ("Wh",), key="energy"),
        'give units={"energy": "Wh"}',
        "give --column-unit energy=Wh",
    ),
    (
        Remedy("columns", ("PUN €",), key="day_ahead"),
        'give columns={"day_ahead": "PUN €"}',
        "give --column day_ahead='PUN €'",
    ),
    (Remedy("columns", key="arrival"), "give columns['arrival']", "give --column arrival"),
    (
        Remedy("charger_raise", (1000,), advice="give {} to allow more"),
        "give charger_raise=1000 to allow more",
        "give --assume charger_raise=1000 to allow more",
    ),
]


@pytest.mark.parametrize(("remedy", "python", "options"), SAID)
def test_a_remedy_in_both_languages(remedy, python, options):
    problem = Problem("time", "time", "wrong {as it is}", (remedy,))
    assert str(problem) == f"time: wrong {{as it is}}; {python}"
    with pytest.raises(SchemaError) as caught, in_option_words():
        raise SchemaError([problem], "a file")
    assert caught.value.source == "a file"
    assert str(caught.value.problems[0]) == f"time: wrong {{as it is}}; {options}"


def test_an_option_of_another_name():
    remedy = Remedy("missing", ("nan", "hold"))
    with (
        pytest.raises(InputFileError) as caught,
        in_option_words({"missing": "--price-missing"}),
    ):
        raise InputFileError("p.csv", "has a gap", (remedy,))
    assert str(caught.value.problems[0]) == "p.csv: has a gap; give --price-missing nan or hold"


@pytest.mark.parametrize(
    ("where", "option"),
    [("timezone", "--timezone"), ("columns.member", "--column member"), ("energy", "energy")],
)
def test_a_problem_of_a_parameter_stands_at_its_option(where, option):
    with pytest.raises(SchemaError) as caught, in_option_words():
        raise SchemaError([Problem(where, "unknown", "wrong")])
    assert caught.value.problems[0].where == option


def test_a_program_reads_the_remedy_too():
    """The document of `--json` says what to do, as the sentence for people does."""
    problem = Problem("time", "time", "a gap", (Remedy("missing", ("hold",)),))
    with pytest.raises(SchemaError) as caught, in_option_words():
        raise SchemaError([problem])
    told = {"where": "time", "rule": "time", "detail": "a gap; give --missing hold"}
    assert problems_as_data(caught.value) == [told]
    assert problems_as_data(SchemaError([problem]))[0]["detail"] == 'a gap; give missing="hold"'
