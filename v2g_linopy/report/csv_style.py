"""How the text of tables is marked; no library of tables is loaded to know it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CsvStyle:
    """Marks of a CSV file: between cells, and in numbers."""

    separator: str = ","
    decimal: str = "."
