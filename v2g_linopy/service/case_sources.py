"""Where a case may come from: a template, a file of a case, or what the importers read.

Each is the command that a user would type."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .file_store import plain_file_name
from .job_kinds import Change, Line, Number, Options, Strict, Value

CASE = "out/case.nc"
UploadIdentity = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of an upload.")]
TemplateParameter = Literal[
    "vehicles", "pods", "days", "start", "seed", "world", "gates", "settlement"
]
"""Names in `PARAMETERS` of the templates, and no other option of `v2g new`: some name files."""


class FromTemplate(Strict):
    """A case that a generator makes."""

    source: Literal["template"]
    name: str = Field(default="", max_length=120)
    template: Line = Field(description="As `GET /v1/templates` lists them.")
    parameters: dict[TemplateParameter, Value] = {}
    set: list[Change] = []

    def uploads(self) -> list[str]:
        """The uploads that it is made of."""
        return []

    def words(self, files: Mapping[str, str]) -> list[str]:
        """The words of the command that makes it."""
        words = ["new", "--json", f"--template={self.template}"]
        for name, value in self.parameters.items():
            flag = f"--{name.replace('_', '-')}"
            words += ([flag] if value else []) if isinstance(value, bool) else [f"{flag}={value}"]
        return [*words, *(f"--set={change}" for change in self.set), "--", CASE]


class FromFile(Strict):
    """A case that was uploaded as NetCDF."""

    source: Literal["file"]
    name: str = Field(default="", max_length=120)
    file: UploadIdentity

    def uploads(self) -> list[str]:
        """The uploads that it is made of."""
        return [self.file]

    def words(self, files: Mapping[str, str]) -> list[str]:
        """The words of the command that checks it."""
        return ["check", "--json", "--", files[self.file]]


class SessionImport(Options):
    """Options of `v2g import sessions`."""

    by_comma: ClassVar[tuple[str, ...]] = ()
    format: Line | None = Field(default=None, description="Of the file; recognised if not given.")
    price_format: Line | None = None
    assume: list[Line] = Field(
        default=[], description="What the data lack: `defaults`, or full=0.8."
    )
    set: list[Change] = []
    column: list[Line] = Field(default=[], description="NAME=HEADER.")
    column_unit: list[Line] = []
    timezone: Line | None = Field(default=None, description="Zone of local times, IANA.")
    ambiguous: Line | None = None
    nonexistent: Line | None = None
    time_format: Line | None = None
    separator: Line | None = None
    decimal: Line | None = Field(default=None, description="Decimal mark; found if not given.")
    thousands: Line | None = None
    sheet: Line | None = None
    encoding: Line | None = None
    skip_rows: int | None = Field(default=None, ge=0)
    where: list[Line] = []
    short_stays: Line | None = None
    kwh_per_km: Number | None = None
    price_column: list[Line] = []
    price_timezone: Line | None = None
    price_ambiguous: Line | None = None
    price_nonexistent: Line | None = None
    price_missing: Line | None = None
    step: Line | None = None
    start: Line | None = None
    end: Line | None = None
    rows: Line | None = None
    need: Line | None = None
    outside: Line | None = None
    market: list[Line] = []
    imbalance: list[Line] = []
    regulation: Line | None = None
    wear: Number | None = None
    retail_price: Number | None = None
    retail_on: Line | None = None
    limit: Number | None = None
    connection: list[Line] = []
    export_limit: list[Line] = []
    gate: list[Line] = []
    soc_floor: Line | None = None


class FromSessions(Strict):
    """A case of charging sessions and the prices that they trade at."""

    source: Literal["sessions"]
    name: str = Field(default="", max_length=120)
    file: UploadIdentity
    prices: list[UploadIdentity] = Field(min_length=1, max_length=20)
    connectors: UploadIdentity | None = None
    options: SessionImport = SessionImport()

    def uploads(self) -> list[str]:
        """The uploads that it is made of."""
        others = [] if self.connectors is None else [self.connectors]
        return [self.file, *self.prices, *others]

    def words(self, files: Mapping[str, str]) -> list[str]:
        """The words of the command that makes it."""
        told = [f"--prices={files[price]}" for price in self.prices]
        if self.connectors is not None:
            told.append(f"--connectors={files[self.connectors]}")
        command = ["import", "sessions", "--json", "-o", CASE]
        return [*command, *told, *self.options.words(), "--", files[self.file]]


class PriceImport(Options):
    """Options of `v2g import prices`."""

    format: Line | None = None
    market: list[Line] = []
    imbalance: list[Line] = []
    regulation: Line | None = None
    vehicles: int | None = Field(default=None, ge=1)
    days: int | None = Field(default=None, ge=1)
    start: Line | None = None
    seed: int | None = Field(default=None, ge=0)
    set: list[Change] = []
    column: list[Line] = []
    timezone: Line | None = None
    ambiguous: Line | None = None
    nonexistent: Line | None = None
    time_format: Line | None = None
    separator: Line | None = None
    decimal: Line | None = None
    thousands: Line | None = None
    sheet: Line | None = None
    encoding: Line | None = None
    skip_rows: int | None = Field(default=None, ge=0)
    where: list[Line] = []
    hours: Line | None = None
    unit: Line | None = None
    resample: Line | None = None
    missing: Line | None = None


class FromPrices(Strict):
    """A case of commuters at prices of a file."""

    source: Literal["prices"]
    name: str = Field(default="", max_length=120)
    files: list[UploadIdentity] = Field(min_length=1, max_length=20)
    options: PriceImport = PriceImport()

    def uploads(self) -> list[str]:
        """The uploads that it is made of."""
        return self.files

    def words(self, files: Mapping[str, str]) -> list[str]:
        """The words of the command that makes it."""
        command = ["import", "prices", "--json", "--template=commuters", "-o", CASE]
        return [*command, *self.options.words(), "--", *(files[file] for file in self.files)]


AnySource = Annotated[
    FromTemplate | FromFile | FromSessions | FromPrices, Field(discriminator="source")
]


def names_of_files(names: Mapping[str, str], suffix: str = "") -> dict[str, str]:
    """Plain names by identity, no two alike.

    >>> names_of_files({"a": "x/day.csv", "b": "day.csv"})
    {'a': 'day.csv', 'b': '2-day.csv'}
    """
    found: dict[str, str] = {}
    for identity, name in names.items():
        plain = plain_file_name(name, suffix)
        taken = {*found.values(), "out", "study.toml"}
        found[identity] = plain if plain not in taken else f"{len(found) + 1}-{plain}"
    return found
