"""`schema`: what a case file may hold and what a result adds, from the declarations of the
parts.
"""

from typing import Annotated, Any

import typer

from ..case.schema import REQUIRED, Field
from ..parts.catalogue import PARTS
from .options import command, nearest
from .terminal import Terminal

PartName = Annotated[
    str | None,
    typer.Argument(
        metavar="[PART]", help="One part, such as fleet; all without it.", show_default=False
    ),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(app, "schema", "v2g schema", "v2g schema fleet", "v2g schema reserve --json")(schema)


def schema(terminal: Terminal, part: PartName = None) -> None:
    """Describe the arrays of a case and of a result: dimensions, units, defaults, meaning."""
    if part is not None and part not in PARTS:
        raise typer.BadParameter(
            f"there is no part {part!r}{nearest(part, PARTS)}", param_hint="PART"
        )
    chosen = [PARTS[part]] if part else list(PARTS.values())
    document = {
        p.name: {
            "inputs": [described_field(f) for f in p.schema.inputs],
            "outputs": [described_field(f, False) for f in p.schema.outputs],
        }
        for p in chosen
    }
    lines = []
    for name, fields in document.items():
        lines.append(f"/{name}")
        for kind, entries in fields.items():
            lines += [f"  {kind}", *(f"    {field_line(e)}" for e in entries)]
    terminal.answer("\n".join(lines), {"status": "ok", "parts": document})


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
