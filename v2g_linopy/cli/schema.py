"""`schema`: what a case file may hold and what a result adds, from the declarations of the
parts.
"""

from typing import Annotated, Any

import typer

from ..batch.study_file import study_schema
from ..case.label_text import nearest
from ..case.schema import REQUIRED, Field
from ..parts.catalogue import PARTS
from .options import command
from .terminal import Terminal, to_json

PartName = Annotated[
    str | None,
    typer.Argument(
        metavar="[PART]", help="One part, such as fleet; all without it.", show_default=False
    ),
]


OfStudy = Annotated[
    bool,
    typer.Option("--study", help="Print the JSON schema of study files of `v2g batch`."),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    examples = ("v2g schema", "v2g schema fleet", "v2g schema reserve --json", "v2g schema --study")
    command(app, "schema", *examples)(schema)


def schema(terminal: Terminal, part: PartName = None, study: OfStudy = False) -> None:
    """Describe the arrays of a case and of a result: dimensions, units, defaults, meaning."""
    if study:
        if part is not None:
            raise typer.BadParameter("is of no use with --study", param_hint="PART")
        document = study_schema()
        terminal.answer(to_json(document), document)
        return
    if part is not None and part not in PARTS:
        raise typer.BadParameter(
            f"there is no part {part!r}{nearest(part, PARTS)}", param_hint="PART"
        )
    chosen = [PARTS[part]] if part else list(PARTS.values())
    parts = {
        p.name: {
            "inputs": [described_field(f) for f in p.schema.inputs],
            "outputs": [described_field(f, False) for f in p.schema.outputs],
        }
        for p in chosen
    }
    lines = []
    for name, fields in parts.items():
        lines.append(f"/{name}")
        for kind, entries in fields.items():
            lines += [f"  {kind}", *(f"    {field_line(e)}" for e in entries)]
    terminal.answer("\n".join(lines), {"status": "ok", "parts": parts})


def described_field(field: Field, given: bool = True) -> dict[str, Any]:
    """A field as plain values; only inputs have a default."""
    described: dict[str, Any] = {
        "name": field.name,
        "dims": field.dims.split(),
        "units": field.unit,
        "kind": field.kind,
        "meaning": field.doc,
    }
    if field.choices:
        described["choices"] = list(field.choices)
    if given:
        described["required"] = field.default is REQUIRED
        described["default"] = None if field.default is REQUIRED else str_or_number(field.default)
    return described


def str_or_number(value: Any) -> Any:
    """A default as JSON can hold it; infinite ones as words."""
    return str(value) if value in (float("inf"), float("-inf")) else value


def field_line(field: dict[str, Any]) -> str:
    """A field as one line."""
    shape = f"({', '.join(field['dims'])})"
    choices = f", one of {', '.join(field['choices'])}" if "choices" in field else ""
    if "required" not in field:
        default = ""
    elif field["required"]:
        default = ", required"
    else:
        default = "" if field["default"] is None else f", default {field['default']}"
    return (
        f"{field['name']:<22}{shape:<18}{field['units']:<10} {field['meaning']}{choices}{default}"
    )
