"""`constraints.txt` pins what the README's commands install, as pyproject.toml allows it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in TEXT.splitlines() if not line.startswith("#")]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def asked_for() -> Iterator[Requirement]:
    """Everything that pyproject.toml names, but the package's own extras."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    lists = [
        settings["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
    ]
    wanted = (Requirement(line) for lines in lists for line in lines)
    return (r for r in wanted if r.name != project["name"])


def pinned(name: str, python: str) -> list[str]:
    """The versions of a package that hold on a Python."""
    here = {"python_full_version": f"{python}.0", "python_version": python}
    return [
        str(pin.specifier).removeprefix("==")
        for pin in PINS
        if canonicalize_name(pin.name) == canonicalize_name(name)
        and (pin.marker is None or pin.marker.evaluate(here))
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_everything_is_pinned_once_within_its_bounds(python: str):
    """A package that pyproject.toml names has one pin on each Python, which its bounds allow: a
    new dependency, or a raised bound, asks for `make constraints`."""
    for requirement in asked_for():
        versions = pinned(requirement.name, python)
        assert len(versions) == 1, (requirement.name, versions)
        assert requirement.specifier.contains(versions[0]), (str(requirement), versions[0])


def test_pins_are_exact_and_of_no_place():
    """Every line names one version, and no index or folder that others cannot reach; the first
    says when and with what the file was made."""
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) and not pin.url for pin in PINS)
    assert not re.search(r"https?:|file:|(^|\s)[-./~]", re.sub(r"^#.*$", "", TEXT, flags=re.M))
    head = " ".join(line.removeprefix("# ") for line in TEXT.splitlines() if line.startswith("#"))
    assert re.search(r"`make constraints` on \d{4}-\d\d-\d\d with Python 3\.\d+\.\d+ and uv", head)
