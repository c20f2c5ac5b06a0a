"""Tables as CSV: every file and answer of rows is written here."""

import pandas as pd

from ..case.label_text import as_cell


def csv_text(table: pd.DataFrame) -> str:
    r"""Write a table as CSV, with a header and without the index.

    A text that a spreadsheet would run as a formula has an apostrophe before it
    (`case.label_text.from_cell` takes it away); numbers are written as they are. Read it with all
    labels as text, as in the example: ``007`` and ``NA`` are names.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers, and text in the other columns.

    Returns
    -------
    str
        Lines that end in a line feed.

    Examples
    --------
    >>> import io
    >>> import pandas as pd
    >>> from v2g_linopy.case.label_text import from_cell
    >>> text = csv_text(pd.DataFrame({"member": ["=1+1", "007", "NA"], "kW": [-1.0, 2.0, 3.0]}))
    >>> text
    "member,kW\n'=1+1,-1.0\n007,2.0\nNA,3.0\n"
    >>> read = pd.read_csv(io.StringIO(text), dtype={"member": str}, keep_default_na=False)
    >>> read["member"].map(from_cell).tolist()
    ['=1+1', '007', 'NA']
    """
    safe = table.rename(columns=lambda name: as_cell(str(name)))
    for place in range(len(table.columns)):
        column = table.iloc[:, place]
        if column.dtype.kind not in "biufcM":
            cells = column.map(lambda x: as_cell(x) if isinstance(x, str) else x)
            safe.isetitem(place, cells.to_numpy(dtype=object))
    # so a label with a carriage return is quoted; then lines end in a line feed, out of quotes
    text = safe.to_csv(index=False, lineterminator="\r\n")
    between = text.split('"')
    between[::2] = [part.replace("\r\n", "\n") for part in between[::2]]
    return '"'.join(between)
