"""Every format that a case or a plan can be exported to, by name: a new one is a file and a line
here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from .charging_profiles import export_profiles
from .exported import Exported
from .flexmeasures import export_request, export_schedules
from .pypsa_network import export_network, save_network


def save_json(document: Any, path: Path) -> None:
    """Write data as JSON; a number that is none would be no JSON, and is refused."""
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class ExportFormat:
    """A format that others read.

    Parameters
    ----------
    export
        Takes a case or a result, and as keywords what the user may say; gives the document.
    of
        Whether a plan is exported, or the case.
    meaning
        What it is, in a sentence without a capital.
    save
        Writes the document to a path.
    suffix
        End of the file's name.
    extra
        Extra of this package, and the package in it, without which it cannot be made.
    """

    export: Callable[..., Exported]
    of: Literal["case", "result"]
    meaning: str
    save: Callable[[Any, Path], None] = save_json
    suffix: str = ".json"
    extra: tuple[str, ...] = ()


EXPORT_FORMATS: Mapping[str, ExportFormat] = {
    "ocpp-2.1": ExportFormat(
        partial(export_profiles, version="2.1"),
        "result",
        "set-points of every charge point (SetChargingProfile)",
    ),
    "ocpp-1.6": ExportFormat(
        partial(export_profiles, version="1.6"),
        "result",
        "limits of every charge point, charging alone (SetChargingProfile)",
    ),
    "pypsa": ExportFormat(
        export_network,
        "case",
        "a network that PyPSA solves to the same objective",
        save_network,
        ".nc",
        ("pypsa", "pypsa"),
    ),
    "flexmeasures": ExportFormat(
        export_request,
        "case",
        "flex-model and flex-context of a fleet, the request for a schedule",
    ),
    "flexmeasures-schedule": ExportFormat(
        export_schedules,
        "result",
        "the power of every vehicle, as FlexMeasures gives and takes schedules",
    ),
}
