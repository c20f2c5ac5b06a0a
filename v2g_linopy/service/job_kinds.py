"""What a job may be: the command that it runs, and which of its options a client may set.

Options are those of the command of the same name. None of them names a file or a folder: a job
reads what was given to this server, and writes into its own folder."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Change = Annotated[str, Field(pattern=r"^\w[\w.\-\[\] :()]*=[^\x00-\x1f]+$", max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | int | Number | Annotated[str, Field(max_length=200)]
Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="Of a stored case.")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$", max_length=200)]


class Strict(BaseModel):
    """A document in which nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid")


class Options(Strict):
    """Options of a command, by the names that they have there, with `_` for `-`."""

    by_comma: ClassVar[tuple[str, ...]] = ()

    def words(self) -> list[str]:
        """The words of the command line; what is as by default is left out.

        >>> SolveOptions(gap=1e-4, blocks=False, set=["fleet.wear=0.1"]).words()
        ['--set=fleet.wear=0.1', '--gap=0.0001', '--no-blocks']
        """
        found: list[str] = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value == type(self).model_fields[name].get_default(call_default_factory=True):
                continue
            flag = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                found.append(flag if value else f"--no-{flag[2:]}")
            elif isinstance(value, list) and name in self.by_comma:
                found.append(f"{flag}={','.join(format(x, '.15g') for x in value)}")
            elif isinstance(value, list):
                found += [f"{flag}={x}" for x in value]
            else:
                found.append(f"{flag}={value}")
        return found


class SolvingOptions(Options):
    """How a case is changed and solved, and how its tables are written."""

    set: list[Change] = Field(
        default=[], description="Changes of the case, `fleet.discharge_max=0`."
    )
    gap: Number | None = Field(default=None, ge=0, description="Relative gap at which it may stop.")
    time_limit: Number | None = Field(
        default=None, ge=0, description="Seconds; the best plan is kept."
    )
    seed: int | None = Field(default=None, ge=0, description="Random seed of the solver.")
    complementarity: Literal["lazy", "audit", "milp", "off"] = "lazy"
    calls: Literal["given", "on-off", "netted"] = "given"
    blocks: bool = True
    report: bool = Field(default=True, description="Write report.html as well.")
    csv_separator: Literal[",", ";", "tab"] = ","
    csv_decimal: Literal[".", ","] = "."


class SolveOptions(SolvingOptions):
    """Options of `v2g solve`."""

    method: Literal["auto", "whole", "decompose", "oracle", "sites"] = "auto"


class VppOptions(SolvingOptions):
    """Options of `v2g vpp solve`."""

    alone: bool = Field(default=True, description="What every site would earn by itself as well.")
    bands: bool = Field(default=True, description="Between which powers every site can be as well.")


class SimulateOptions(SolvingOptions):
    """Options of `v2g simulate`."""

    forecast: Literal["vintage", "published", "naive", "perfect"] | None = None
    start: Line | None = Field(default=None, description="Operate from here, UTC.")
    stop: Line | None = Field(default=None, description="Operate to here, UTC.")
    every: Number = Field(default=1.0, gt=0, description="Hours between decisions.")
    window: Number = Field(default=24.0, gt=0, description="Hours decided in one model.")
    ahead: Number = Field(
        default=48.0, ge=0, description="Hours that a plan reaches beyond its window."
    )
    policy: Literal["model", "rule", "latest", "unmanaged"] = "model"
    hindsight: bool = True
    acceptance_seed: int = Field(default=0, ge=0)


class FlexibilityOptions(Options):
    """Options of `v2g flexibility`."""

    by_comma: ClassVar[tuple[str, ...]] = ("hours", "shift")
    set: list[Change] = []
    pod: list[Line] = Field(default=[], description="Only these sites.")
    window: list[Line] = Field(default=[], description="NAME=START..END, UTC.")
    hours: list[Number] = Field(default=[], description="Most power held for so many hours.")
    shift: list[Number] = Field(default=[], description="Answer to a price higher by these shares.")
    nodes: int | None = Field(
        default=None, ge=0, description="Places that a search looks at; 0 for none."
    )
    csv_separator: Literal[",", ";", "tab"] = ","
    csv_decimal: Literal[".", ","] = "."


class MenuOptions(Options):
    """Options of `v2g menu`."""

    by_comma: ClassVar[tuple[str, ...]] = ("theta", "share", "term", "class_room")
    theta: list[Number] = Field(default=[], description="Openness of each type, from low to high.")
    share: list[Number] = Field(
        default=[], description="Share of the owners of each type, in sum 1."
    )
    wear: Number | None = Field(default=None, description="EUR per kWh discharged.")
    term: list[Number] = Field(
        default=[], description="Hours of the term; several give a menu each."
    )
    power: Number | None = Field(default=None, description="Discharging power, kW.")
    utility: Line | None = Field(default=None, description="What an energy is worth.")
    scale: Number | None = None
    rate: Number | None = None
    class_room: list[Number] = []
    integrated: bool = False


class Job(Strict):
    """What is common to all jobs."""

    command: ClassVar[tuple[str, ...]]
    target: ClassVar[str] = "out"
    needs: ClassVar[tuple[str, ...]] = ("arrays",)
    name: str = Field(default="", max_length=120, description="What the history calls it.")

    def cases(self) -> list[str]:
        """The stored cases that it reads."""
        case = getattr(self, "case", None)
        return [] if case is None else [case]

    def words(self, files: Sequence[str]) -> list[str]:
        """The words of its command, which reads these files."""
        told = ["--json", "-v", "-o", self.target]
        return [*self.command, *told, *self.options.words(), "--", *files]  # type: ignore[attr-defined]

    def written(self, files: Mapping[str, str]) -> dict[str, str]:
        """Files that its command reads beside the cases: what stands in each, by its name."""
        return {}


class SolveJob(Job):
    """Find the best plan of a case."""

    command: ClassVar = ("solve",)
    kind: Literal["solve"]
    case: Identity
    options: SolveOptions = SolveOptions()


class CompareJob(Job):
    """Climb the value ladder of a case."""

    command: ClassVar = ("compare",)
    kind: Literal["compare"]
    case: Identity
    options: SolvingOptions = SolvingOptions()


class SimulateJob(Job):
    """Operate a case through its gates on forecasts."""

    command: ClassVar = ("simulate",)
    kind: Literal["simulate"]
    case: Identity
    options: SimulateOptions = SimulateOptions()


class VppJob(Job):
    """Dispatch a portfolio in two levels: the plan, each site's share, and what it is worth."""

    command: ClassVar = ("vpp", "solve")
    needs: ClassVar = ("arrays", "sites")
    kind: Literal["vpp"]
    case: Identity
    options: VppOptions = VppOptions()


class FlexibilityJob(Job):
    """Find what every site can do at each moment, and what shifting costs."""

    command: ClassVar = ("flexibility",)
    target: ClassVar = "out/flexibility.csv"
    needs: ClassVar = ("bands",)
    kind: Literal["flexibility"]
    case: Identity
    options: FlexibilityOptions = FlexibilityOptions()


class MenuJob(Job):
    """Design contracts for owners of vehicles."""

    command: ClassVar = ("menu",)
    needs: ClassVar = ()
    kind: Literal["menu"]
    case: Identity | None = None
    options: MenuOptions = MenuOptions()


class StudySolver(Strict):
    """How each case of a study is solved."""

    gap: Number | None = Field(default=None, ge=0)
    time_limit: Number | None = Field(default=None, ge=0)
    complementarity: Literal["lazy", "audit", "milp", "off"] | None = None
    blocks: bool | None = None


class BatchOptions(Options):
    """Options of `v2g batch`."""

    report: bool = True


class BatchJob(Job):
    """Run every case of a study."""

    command: ClassVar = ("batch",)
    needs: ClassVar = ()
    kind: Literal["batch"]
    of: list[Identity] = Field(min_length=1, max_length=100, description="The cases.")
    work: Literal["solve", "compare", "simulate"] = "solve"
    grid: dict[Annotated[str, Field(max_length=200)], list[Value]] = Field(
        default={}, description="Values by target; every combination is a case."
    )
    table: list[dict[str, Value]] = Field(
        default=[], description="Values by target, one case a row."
    )
    work_options: dict[str, Value] = {}
    solver: StudySolver = StudySolver()
    options: BatchOptions = BatchOptions()

    def cases(self) -> list[str]:
        """The stored cases that it reads."""
        return list(dict.fromkeys(self.of))

    def words(self, files: Sequence[str]) -> list[str]:
        """The words of its command, which reads the study."""
        return super().words(["study.toml"])

    def written(self, files: Mapping[str, str]) -> dict[str, str]:
        """The study file."""
        lines = [
            f"title = {in_toml(self.name or 'study')}",
            f"case = {in_toml([files[case] for case in self.cases()])}",
            f"command = {in_toml(self.work)}",
        ]
        tables: dict[str, Mapping[str, Any]] = {
            "grid": self.grid,
            "options": self.work_options,
            "solver": self.solver.model_dump(exclude_none=True),
        }
        if self.table:
            tables["table"] = {"rows": self.table}
        for name, table in tables.items():
            lines += ["", f"[{name}]"] if table else []
            lines += [f"{in_toml(key)} = {in_toml(value)}" for key, value in table.items()]
        return {"study.toml": "\n".join(lines) + "\n"}


def in_toml(value: Any) -> str:
    """A value as TOML has it; a text of JSON is one of TOML but for the sign of deletion.

    >>> in_toml([0.02, "a\\nb", True]), in_toml({"fleet.wear": 1})
    ('[0.02, "a\\\\nb", true]', '{"fleet.wear" = 1}')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{in_toml(k)} = {in_toml(x)}" for k, x in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(in_toml, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


AnyJob = Annotated[
    SolveJob | CompareJob | SimulateJob | VppJob | FlexibilityJob | MenuJob | BatchJob,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[Job]] = {
    "solve": SolveJob,
    "compare": CompareJob,
    "simulate": SimulateJob,
    "vpp": VppJob,
    "flexibility": FlexibilityJob,
    "menu": MenuJob,
    "batch": BatchJob,
}
"""Every kind of job by its word."""
