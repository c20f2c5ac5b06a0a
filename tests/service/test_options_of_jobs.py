"""What a client may ask of a job is an option of its command, and names no file."""

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from v2g_linopy.cli.app import COMMANDS, IMPORTS, PORTFOLIOS
from v2g_linopy.service.case_sources import PriceImport, SessionImport
from v2g_linopy.service.file_store import plain_file_name
from v2g_linopy.service.job_kinds import (
    KINDS,
    AnyJob,
    BatchOptions,
    FlexibilityOptions,
    MenuOptions,
    SimulateOptions,
    SolveOptions,
    SolvingOptions,
    VppOptions,
)

runner = CliRunner()
OPTIONS = {
    ("solve",): SolveOptions,
    ("compare",): SolvingOptions,
    ("simulate",): SimulateOptions,
    ("vpp", "solve"): VppOptions,
    ("flexibility",): FlexibilityOptions,
    ("menu",): MenuOptions,
    ("batch",): BatchOptions,
    ("import", "sessions"): SessionImport,
    ("import", "prices"): PriceImport,
}
LISTS = {(): COMMANDS, ("import",): IMPORTS, ("vpp",): PORTFOLIOS}


@pytest.mark.parametrize("words", OPTIONS, ids="-".join)
def test_each_option_is_one_of_the_command(words):
    """With its default, and of a type that is no path: a job reads and writes where it is told."""
    listed = next(x for x in LISTS[words[:-1]] if x.name == words[-1])
    known = {opt: p for p in listed.loaded().params for opt in p.opts}
    for name, field in OPTIONS[words].model_fields.items():
        parameter = known.get(f"--{name.replace('_', '-')}")
        assert parameter is not None, f"{' '.join(words)} has no option for {name}"
        assert "pathlib" not in repr(vars(parameter)), name
        default = field.get_default(call_default_factory=True)
        assert default in (None, [], parameter.default), name


def test_every_kind_of_job_is_a_command_with_options():
    assert {x.command for x in KINDS.values()} <= OPTIONS.keys()


@pytest.mark.parametrize(
    "change", ["fleet.wear", "--log=x.y=1", "fleet.wear=1\nx", "=1", "a" * 300 + "=1"]
)
def test_words_that_are_no_change_are_refused(change):
    with pytest.raises(ValidationError):
        TypeAdapter(AnyJob).validate_python(
            {"kind": "solve", "case": "0" * 16, "options": {"set": [change]}}
        )


@pytest.mark.parametrize("name", ["/etc/passwd", "..\\..\\x", "....", "-rf", "a\x00b", "", ".job"])
def test_a_name_of_a_file_stays_in_its_folder(name):
    plain = plain_file_name(name, ".nc")
    assert plain and not plain.startswith((".", "-")) and not set(plain) & set("/\\\x00")
