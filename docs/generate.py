"""Write what the documentation takes from the code: `python -m docs.generate`, or `--check` to
compare only.

One page per part from its schema and docstrings, the commands and their options, the table of
units, and what `make bench` printed. `--demo FOLDER` also takes the picture and the table of the
README from the result in FOLDER."""

import argparse
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import linopy
import typer

import v2g_linopy as v2g
from docs import demonstration
from docs.everything import case_of_everything, case_of_need
from docs.markdown import ROOT, filled, table, write
from v2g_linopy.case.schema import REQUIRED, Field
from v2g_linopy.case.units import MINOR_UNITS, TABLE
from v2g_linopy.cli import app
from v2g_linopy.cli.import_sessions import assumption_keys
from v2g_linopy.data.importers.price_files import price_columns
from v2g_linopy.data.importers.session_files import session_columns
from v2g_linopy.data.importers.trips import trip_columns
from v2g_linopy.model.part import Part
from v2g_linopy.report import labels
from v2g_linopy.solve.result import in_profit

NOTE = "<!-- Written by docs/generate.py from the code: change the code, then run `make docs`. -->"
BENCHMARKS = "benchmarks/results.md"
FORMULATION = "docs/formulation.md"


def documents() -> dict[str, str]:
    """Return the text of every file that is written, or partly written, from the code."""
    parts, model = v2g.PARTS, v2g.build(case_of_everything())
    models = {"contract": v2g.build(case_of_need())}
    pages = {
        f"docs/parts/{name}.md": part_page(part, models.get(name, model))
        for name, part in parts.items()
    }
    pages["docs/parts/README.md"] = parts_index(parts)
    pages["docs/file-format.md"] = filled("docs/file-format.md", "units", units_table())
    pages["docs/command-line.md"] = command_line()
    if (ROOT / BENCHMARKS).exists():
        pages["README.md"] = filled("README.md", "benchmarks", benchmark_table())
    return pages


def part_page(part: Part, model: linopy.Model) -> str:
    """Return the page of a part: equations, arrays in and out, ledger entries, shadow prices."""
    module = home(part)
    member, outputs = part.schema.member, [f for f in part.schema.outputs if not f.auxiliary]
    lines = [
        NOTE,
        "",
        f"# `/{part.name}`",
        "",
        prose(module.__doc__ if module else ""),
        "",
        (
            f"Stage: {part.stage.name.lower()}."
            f" {f'Members: the labels along `{member}`' if member else 'No members'}. An array may"
            " have fewer dimensions than its table says; it then holds for all of them. Quantities"
            " may also have the dimension `scenario`; with scenarios every output, entry and row"
            " has it."
        ),
        "",
        "## Equations",
        "",
        prose(part.build.__doc__),
        "",
        *mathematics(part),
        "## What a case gives",
        "",
        *table(
            ("array", "dimensions", "unit", "default", "allowed", "meaning"),
            map(input_row, part.schema.inputs),
        ),
        "",
        "## What a result adds",
        "",
        *table(("array", "dimensions", "unit", "meaning"), map(output_row, outputs)),
        "",
        *ledger_lines(part, model),
        *dual_lines(part, model),
        "## What the audit recomputes",
        "",
        prose(part.replay.__doc__),
    ]
    return "\n".join(lines) + "\n"


def home(part: Part) -> ModuleType:
    """Return the module of a part, or its package where it has several."""
    name = part.build.__module__
    return sys.modules[name.removesuffix(".build")]


def mathematics(part: Part) -> list[str]:
    """Return the line that leads from a part to its sections of the formulation."""
    module = home(part)
    cited = re.findall(r"§(\d+)", (module.__doc__ or "") + (part.build.__doc__ or ""))
    links = [section_link(int(number)) for number in dict.fromkeys(cited)]
    if not links:
        return []
    return [f"Symbols, sources, and what was proved of it: {', '.join(links)}.", ""]


def section_link(number: int) -> str:
    """Return a link to a section of the formulation, by the anchor that its heading gets."""
    text = (ROOT / FORMULATION).read_text(encoding="utf-8")
    titles = dict(re.findall(r"^## §(\d+) (.*)$", text, re.MULTILINE))
    title = titles[str(number)]
    anchor = re.sub(r"[^\w -]", "", f"{number} {title}".lower()).replace(" ", "-")
    return f"[§{number} {title}](../formulation.md#{anchor})"


def parts_index(parts: Mapping[str, Part]) -> str:
    """Return the list of parts."""
    rows = [
        (
            f"[`/{name}`]({name}.md)",
            part.stage.name.lower(),
            f"`{part.schema.member}`" if part.schema.member else "",
            sentence(home(part)),
        )
        for name, part in parts.items()
    ]
    head = [
        NOTE,
        "",
        "# Parts",
        "",
        "A group is present in a case if and only if that part takes part.",
        "",
    ]
    return "\n".join([*head, *table(("group", "stage", "members", "what it is"), rows)]) + "\n"


def ledger_lines(part: Part, model: linopy.Model) -> list[str]:
    """Return the section on the entries a part writes into the ledger."""
    prefix = f"cash.{part.name}."
    entries = [
        str(name).removeprefix("cash.")
        for name, _ in model.expressions.items()
        if str(name).startswith(prefix)
    ]
    if not entries:
        return []
    rows = [
        (
            f"`{name}`",
            beside_scenarios(model.expressions[f"cash.{name}"].coord_dims),
            labels.entry(name),
            "yes" if in_profit(name) else "no",
        )
        for name in entries
    ]
    text = (
        "EUR per step (or month, as its dimensions say), + is income. An entry that is always 0 is"
        " left out."
    )
    head = ["## Its entries in `/ledger`", "", text, ""]
    return [*head, *table(("entry", "dimensions", "meaning", "part of profit"), rows), ""]


def dual_lines(part: Part, model: linopy.Model) -> list[str]:
    """Return the section on the rows of a part, whose shadow prices stand in `/dual`."""
    rows = [
        (f"`{name}`", beside_scenarios(row.coord_dims))
        for name, row in model.constraints.items()
        if str(name).startswith(f"{part.name}.")
    ]
    if not rows:
        return []
    text = (
        "What one more unit on the right-hand side of a row would earn (EUR per unit of the row). A"
        " row is there only where the data need it."
    )
    return ["## Its rows in `/dual`", "", text, "", *table(("row", "dimensions"), rows), ""]


def beside_scenarios(dims: Iterable[Any]) -> str:
    """Return the dimensions without that of the scenarios, as code."""
    return ", ".join(f"`{d}`" for d in dims if d != "scenario")


def input_row(field: Field) -> tuple[str, ...]:
    """Return the table row of an input."""
    if field.default is REQUIRED:
        default = "**required**"
    elif field.default is None:
        default = "left out"
    elif field.default != field.default:
        default = "NaN"
    else:
        default = (
            f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"
        )
    return name_of(field), dims_of(field), unit_of(field), default, allowed(field), doc_of(field)


def output_row(field: Field) -> tuple[str, ...]:
    """Return the table row of an output."""
    return name_of(field), dims_of(field), unit_of(field), doc_of(field)


def doc_of(field: Field) -> str:
    """Return what a field means."""
    return field.doc + (
        f" (one array per asset, such as `{field.name}_fleet`)" if field.shared else ""
    )


def name_of(field: Field) -> str:
    """Return the name of a field, as code."""
    return f"`{field.name}`"


def dims_of(field: Field) -> str:
    """Return the dimensions of a field, as code."""
    return ", ".join(f"`{d}`" for d in field.dims.split()) or "none"


def unit_of(field: Field) -> str:
    """Return the unit of a field, or its kind where it has none."""
    return field.kind if field.kind != "quantity" else field.unit


def allowed(field: Field) -> str:
    """Return the range of a field in words."""
    if field.choices:
        return ", ".join(f"`{c}`" for c in field.choices)
    if field.kind == "flag":
        return "0 or 1"
    if field.kind == "label":
        return ""
    low = f"≥ {field.ge:g}" if field.ge > -float("inf") else ""
    high = f"≤ {field.le:g}" if field.le < float("inf") else ""
    extra = ["NaN"] * field.missing + ["inf"] * field.infinite
    return ", ".join(x for x in (low, high, *extra) if x)


def units_table() -> str:
    """Return the units a file may use, by kind of quantity."""
    kinds: dict[str, list[str]] = {}
    for unit, (kind, _) in TABLE.items():
        kinds.setdefault(kind, []).append(f"`{unit}`")
    for unit, money in MINOR_UNITS.items():
        kinds["energy price"].append(f"`{unit}` ({', '.join(money)})")
    return "\n".join(
        table(("quantity", "units a file may use"), ((k, ", ".join(u)) for k, u in kinds.items()))
    )


def commands_text() -> str:
    """Return every command with its options and examples."""
    commands = list(leaves(typer.main.get_command(app), "v2g"))
    common = [p for p in commands[0][1].params if all(has(command, p) for _, command in commands)]
    lines = ["### Every command", "", *table(("option", "meaning"), map(option_row, common)), ""]
    for name, command in commands:
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        usage = " ".join(map(_word, arguments))
        lines += [f"### `{f'{name} {usage}'.strip()}`", "", plain(command.help), ""]
        own = [
            p
            for p in command.params
            if p not in arguments and p.opts[0] not in {c.opts[0] for c in common}
        ]
        if own:
            lines += [*table(("option", "meaning"), map(option_row, own)), ""]
        examples = re.findall(r"`([^`]+)`", str(command.epilog))
        lines += ["```sh", *examples, "```", ""]
    return "\n".join(lines)


def _word(argument) -> str:
    """An argument as the usage shows it: in brackets where it may be missing, with dots if many."""
    word = argument.metavar or argument.opts[0].upper()
    word = word if argument.required or word.startswith("[") else f"[{word}]"
    return f"{word}..." if argument.nargs == -1 else word


def command_line() -> str:
    """Return the page on the command line with its tables of columns, assumptions and commands."""
    columns = ("name", "unit", "needed", "meaning")
    tables = {
        "columns of sessions": table(columns, map(coded, session_columns())),
        "columns of trips": table(columns, map(coded, trip_columns())),
        "columns of prices": table(columns, map(coded, price_columns())),
        "assumptions": table(
            ("key", "default", "meaning"), ((f"`{k}`", d, m) for k, d, _, m in assumption_keys())
        ),
        "commands": [commands_text()],
    }
    page = None
    for name, lines in tables.items():
        page = filled("docs/command-line.md", name, "\n".join(lines), page)
    return str(page)


def coded(row: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    """Return a row with its name as code."""
    return (f"`{row[0]}`", *row[1:])


def has(command: Any, option: Any) -> bool:
    """Return True where a command has an option."""
    return any(p.opts == option.opts for p in command.params)


def leaves(command: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Yield every command below a group, with its full name."""
    for word, below in getattr(command, "commands", {}).items():
        yield from (
            leaves(below, f"{name} {word}")
            if hasattr(below, "commands")
            else [(f"{name} {word}", below.loaded())]
        )


def option_row(option: Any) -> tuple[str, str]:
    """Return the table row of an option."""
    names = ", ".join(f"`{o}`" for o in (*option.opts, *option.secondary_opts))
    value = f" `{option.metavar}`" if option.metavar else ""
    given = option.default
    default = (
        "" if isinstance(given, bool) or not given or callable(given) else f" (default {given})"
    )
    return names + value, plain(option.help) + default


def plain(text: str | None) -> str:
    """Return help text on one line."""
    return " ".join(str(text or "").split())


def benchmark_table() -> str:
    """Return what `make bench` printed, without its heading."""
    text = (ROOT / BENCHMARKS).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("# "))


def prose(text: str | None) -> str:
    """Return a docstring as Markdown: indented blocks after `::` become code, references to
    sections go.
    """
    text = re.sub(r"\s*\((?:docs/formulation\.md\s+)?§[^)]*\)", "", inspect.cleandoc(text or ""))
    lines: list[str] = []
    code = False
    for line in text.splitlines():
        if code and line and not line.startswith("    "):
            code = close(lines)
        if line.endswith("::"):
            # a line of `::` alone ends no sentence
            lines += [line[:-1], "", "```"] if line != "::" else ["```"]
            code = True
        elif not (code and not line and lines[-1] == "```"):
            lines.append(line.removeprefix("    ") if code else line)
    if code:
        close(lines)
    return "\n".join(lines).rstrip()


def close(lines: list[str]) -> bool:
    """End a block of code, before the blank lines that end it."""
    while not lines[-1]:
        lines.pop()
    lines += ["```", ""]
    return False


def sentence(module: Any) -> str:
    """Return the first sentence of a module's docstring."""
    return prose(module.__doc__).splitlines()[0] if module and module.__doc__ else ""


def main() -> int:
    """Write or compare; return 1 where a file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument(
        "--demo", type=Path, metavar="FOLDER", help="take picture and table of the README from here"
    )
    options = parser.parse_args()
    if options.demo and not options.check:
        demonstration.show(options.demo)
    stale = []
    for path, text in documents().items():
        there = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""
        if there != text:
            stale.append(path)
            if not options.check:
                write(path, text)
    print(
        "\n".join(f"{'out of date' if options.check else 'wrote'} {path}" for path in stale)
        or "up to date"
    )
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
