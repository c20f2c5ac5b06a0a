"""Open charging sessions of ElaadNL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...model.sessions import LABELS, METERED, MOMENTS
from ..tables.numbers import number_columns
from ..tables.plausibility import STATED, check_stated_units
from ..tables.short_stays import ShortStays, without_short_stays
from ..tables.table_format import TableFormat, read_columns, read_times
from .recorded_sessions import zone_attribute


def read_elaadnl(
    path: str | Path,
    *,
    timezone: str | None = None,
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
    keep_ids: bool = False,
) -> xr.Dataset:
    r"""Read the open charging sessions of ElaadNL, in order of arrival.

    Times are UTC, written month/day/year. ``energy`` is metered (kWh), ``power_max`` the largest
    power seen (kW), ``connector`` the charge point and its connector; neither battery nor energy on
    arrival are in the data. The card of a driver is personal data and left out.

    Parameters
    ----------
    path : str or pathlib.Path
        The CSV file as published.
    timezone : str, optional
        IANA zone of the site, for the local days of a case; times are UTC all the same.
    units : mapping of str to str, optional
        Unit of a number where it is not the published one, such as ``{"energy": "Wh"}``.
    short_stays : {"drop", "problem"}, default "drop"
        What becomes of sessions that have no length.
    keep_ids : bool, default False
        The card of the driver becomes ``vehicle``.

    Returns
    -------
    xarray.Dataset
        On ``session``: times in naive UTC, energy in kWh, power in kW, and labels.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_elaadnl
    >>> head = "TransactionId,ChargePoint,Connector,UTCTransactionStart,UTCTransactionStop"
    >>> lines = [f"{head},StartCard,ChargeTime,TotalEnergy,MaxPower"]
    >>> lines += ["7,A1,1,1/2/2019 8:00,1/2/2019 16:30,c-3,3.5,12.25,7.4"]
    >>> size = pathlib.Path("elaadnl.csv").write_text("\n".join(lines))
    >>> sessions = read_elaadnl("elaadnl.csv")
    >>> str(sessions.arrival.values[0])[:16], sessions.energy.item(), sessions.connector.item()
    ('2019-01-02T08:00', 12.25, 'A1/1')
    """
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
    source, table = (
        str(path),
        TableFormat(columns, "UTC", time_format="%m/%d/%Y %H:%M", decimal="."),
    )
    frame = read_columns(path, table)
    values = number_columns(frame, ("transaction", *METERED), table.decimal, source)
    units = units or {}
    check_stated_units(units, {name: field.unit for name, field in METERED.items()}, source)
    data: dict[str, Any] = {}
    for name, field in MOMENTS.items():
        moments = read_times(frame[name], table, source, where=name).time
        data[name] = ("session", np.asarray(moments, "datetime64[ns]"), {"long_name": field.doc})
    for name, field in METERED.items():
        attributes = {"units": units.get(name, field.unit), "long_name": field.doc}
        stated = {STATED: 1} if name in units else {}
        data[name] = ("session", values[name], attributes | stated)
    connector = (frame["point"].astype(str) + "/" + frame["plug"].astype(str)).to_numpy(str)
    data["connector"] = ("session", connector, {"long_name": "charge point / connector"})
    if keep_ids:
        cards = frame["card"].astype(str).to_numpy(str)
        data["vehicle"] = ("session", cards, {"long_name": LABELS["vehicle"].doc})
    number = values["transaction"].astype(np.int64)
    data["transaction"] = ("session", number, {"long_name": "number of the transaction"})

    sessions = xr.Dataset(data).sortby("arrival").assign_coords(session=np.arange(len(frame)))
    sessions = without_short_stays(sessions, short_stays, source=source)
    site = zone_attribute(timezone, source)
    return sessions.assign_attrs(source=f"ElaadNL open data, {Path(path).name}", **site)
