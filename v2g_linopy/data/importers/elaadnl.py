"""Open charging sessions of ElaadNL."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..tables.files import number_columns, parse_times
from ..tables.session_table import METERED, MOMENTS
from ..tables.table_format import TableFormat, read_columns


def read_elaadnl(path: str | Path) -> xr.Dataset:
    """Read the open charging sessions of ElaadNL, in order of arrival.

    Times are UTC, written month/day/year. ``energy`` is metered (kWh), ``power_max`` the largest
    power seen (kW), ``connector`` the charge point and its connector; neither battery nor energy on
    arrival are in the data."""
    columns = {
        "transaction": "TransactionId",
        "point": "ChargePoint",
        "plug": "Connector",
        "arrival": "UTCTransactionStart",
        "departure": "UTCTransactionStop",
        "card": "StartCard",
        "charge_time": "ChargeTime",
        "energy": "TotalEnergy",
        "power_max": "MaxPower",
    }
    source, table = str(path), TableFormat(columns, time_format="%m/%d/%Y %H:%M")
    frame = read_columns(path, table)
    values = number_columns(frame, ("transaction", *METERED), table.decimal, source)
    data: dict[str, Any] = {}
    for name, field in MOMENTS.items():
        moments = parse_times(frame[name], table.time_format, source)
        data[name] = ("session", np.asarray(moments, "datetime64[ns]"), {"long_name": field.doc})
    for name, field in METERED.items():
        data[name] = ("session", values[name], {"units": field.unit, "long_name": field.doc})
    connector = (frame["point"].astype(str) + "/" + frame["plug"].astype(str)).to_numpy(str)
    data["connector"] = ("session", connector, {"long_name": "charge point / connector"})
    number = values["transaction"].astype(np.int64)
    data["transaction"] = ("session", number, {"long_name": "number of the transaction"})

    sessions = xr.Dataset(data).sortby("arrival").assign_coords(session=np.arange(len(frame)))
    return sessions.assign_attrs(source=f"ElaadNL open data, {Path(path).name}")
