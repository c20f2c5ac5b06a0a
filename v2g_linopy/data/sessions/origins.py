"""Where the numbers of a group come from: whoever replaces them replaces the words on them, too.

A group says it in its attribute ``origin``: for each member, or for the whole group under the name
"", which parts of the case's `source` and which of its `assumptions` are about its numbers.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from ..tables.local_time import to_local

FORECASTS = "vintage"  # its arrays are named after those that they foretell, `energy.price`
SYNTHETIC, SUN = "Prices are synthetic.", "The sun is synthetic."
"""What several generators say of their numbers."""
ORIGIN = "origin"
BETWEEN = "; "
"""What stands between the sources of a case."""


def replace_origin(
    case: xr.DataTree,
    before: xr.DataTree,
    group: str,
    said: Mapping[str, Sequence[str]],
    source: str = "",
    whole: bool = True,
) -> None:
    """Put, in place, what is said of new numbers where the words on the old ones stood.

    Parameters
    ----------
    case : xarray.DataTree
        Has the new numbers, and still the words of `before`.
    before : xarray.DataTree
        The case as it was; the same where nothing was replaced.
    group : str
        The group with the new numbers.
    said : mapping of str to sequence of str
        Sentences by member; "" is the whole group.
    source : str, default ""
        Where the numbers come from, a file as a rule.
    whole : bool, default True
        The group is replaced as a whole; False: the members of `said` are, the others stay.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> replace_origin(case, case, "energy", {"": ["Prices of a file."]}, "spot.csv")
    >>> replace_origin(case, case, "energy", {"": ["Prices of another."]}, "other.csv")
    >>> [s for s in case.attrs["assumptions"].splitlines() if s.startswith("Prices of")]
    ['Prices of another.']
    >>> case.attrs["source"].split("; ")[-1]
    'other.csv'
    """
    known = _origins(before)
    old = known.get(group, {})
    gone = old if whole else {member: old[member] for member in said if member in old}
    stay = {member: origin for member, origin in old.items() if member not in gone}
    new = {
        member: {"source": source, "said": list(dict.fromkeys(lines))}
        for member, lines in said.items()
    }
    known[group] = stay
    lines = _without(case, known, gone, group)
    sources = _sources(case, known, gone)

    known[group] = stay | new
    case.attrs["assumptions"] = "\n".join(_added(lines, *(x["said"] for x in new.values())))
    case.attrs["source"] = BETWEEN.join(_added(sources, [source] if source else []))
    for name, origins in known.items():
        if name in case.children:
            case[name].attrs[ORIGIN] = json.dumps(origins, ensure_ascii=False)


def other_clock(case: xr.DataTree, series: xr.Dataset) -> str:
    """Say that a series counts days on another clock than a case.

    It is empty where the clock is the same, or where the stamps of the series are UTC: no days are
    counted by that.
    """
    zone, own = str(series.attrs.get("timezone", "")), str(case.attrs.get("timezone", "UTC"))
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    if zone in ("", "UTC") or _wall(time, zone).equals(_wall(time, own)):
        return ""
    return f"written in days of {zone}; days, months and gates of the case are those of {own}."


def _wall(time: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """What a clock shows."""
    return to_local(time, zone).tz_localize(None)


def drop_forecasts(case: xr.DataTree, *beginnings: str) -> None:
    """Drop, in place, forecasts whose names begin so: they foretell what is no longer there."""
    if FORECASTS not in case.children:
        return
    known = case.children[FORECASTS].to_dataset(inherit=False)
    stale = [name for name in map(str, known) if name.startswith(beginnings)]
    if set(known) - set(stale):
        case[FORECASTS] = xr.DataTree(known.drop_vars(stale))
    else:
        replace_origin(case, case, FORECASTS, {})
        del case[FORECASTS]


def _origins(case: xr.DataTree) -> dict[str, dict[str, Any]]:
    """What every group says of its members."""
    return {
        name: json.loads(node.attrs[ORIGIN])
        for name, node in case.children.items()
        if ORIGIN in node.attrs
    }


def _without(
    case: xr.DataTree, known: Mapping[str, Mapping[str, Any]], gone: Mapping[str, Any], group: str
) -> list[str]:
    """The assumptions without those of numbers that are gone.

    What is said of other members of the group, too, stays; what is said of another group is from
    now on about that one alone.
    """
    lines = str(case.attrs.get("assumptions", "")).splitlines()
    for line in dict.fromkeys(line for origin in gone.values() for line in origin["said"]):
        about = {name for name, origins in known.items() if _say(origins, line)}
        if line in lines and group not in about:
            place = lines.index(line)
            lines[place : place + 1] = [f"/{name}: {line}" for name in known if name in about]
            for name in about:
                for origin in _say(known[name], line):
                    own = f"/{name}: {line}"
                    origin["said"] = [own if x == line else x for x in origin["said"]]
    return lines


def _say(origins: Mapping[str, Any], line: str) -> list[Any]:
    """Those of whose numbers a sentence is."""
    return [origin for origin in origins.values() if line in origin["said"]]


def _sources(
    case: xr.DataTree, known: Mapping[str, Mapping[str, Any]], gone: Mapping[str, Any]
) -> list[str]:
    """The sources of the case without those that only gave what is gone."""
    needed = {origin["source"] for origins in known.values() for origin in origins.values()}
    stale = {origin["source"] for origin in gone.values()} - needed
    words = str(case.attrs.get("source", "")).split(BETWEEN)
    return [word for word in words if word and word not in stale]


def _added(words: Sequence[str], *more: Iterable[str]) -> list[str]:
    """Words with those that are not among them yet."""
    new = dict.fromkeys(word for some in more for word in some if word not in words)
    return [*words, *new]
