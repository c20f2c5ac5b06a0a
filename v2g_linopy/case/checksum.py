"""A checksum over everything that a result holds: arrays, labels, attributes and names.

It finds what a disk, a network or another program has changed in a file. It is no signature: who
writes a file anew gives it a new one.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

ATTRIBUTE = "checksum"
"""Of the root of a file; of a tree that was read, what was found stands in its encoding."""
RESULT = ("ledger", "audit", "price", "dual", "reduced_cost")
"""Groups that only a result has: a case is made to be edited, and carries no checksum."""
KEPT, NONE, EDITED = "kept", "none", "edited"
_KINDS = {"f": "f", "i": "i", "u": "u", "b": "b", "M": "M", "U": "text", "O": "text"}


def is_result(tree: xr.DataTree) -> bool:
    """Return True for a tree with groups that only a result has."""
    return any(name in tree.children for name in RESULT)


def checksum(tree: xr.DataTree) -> str:
    """Return the checksum of a tree, the same in memory and from its file, on every machine.

    Parameters
    ----------
    tree : xarray.DataTree
        A case or a result. Its own attribute `checksum` does not count, nor do orders and
        encodings.

    Returns
    -------
    str
        The algorithm and 64 hexadecimal digits. Empty where the tree holds a kind of data that
        files do not keep as it is.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.case.checksum import checksum
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> v2g.write(case, "case.nc")
    >>> checksum(v2g.read("case.nc")) == checksum(case)
    True
    >>> other = case.copy()
    >>> other.attrs["title"] = "another"
    >>> checksum(other) == checksum(case)
    False
    """
    digest = hashlib.sha256()
    for node in sorted(tree.subtree, key=lambda node: node.path):
        ds = node.to_dataset(inherit=False)
        attrs = {k: v for k, v in ds.attrs.items() if (node.path, k) != (tree.path, ATTRIBUTE)}
        digest.update(_line(_name(node.path), _plain(attrs)))
        for name in sorted(ds.variables, key=str):
            x = ds.variables[name]
            kind = _KINDS.get(x.dtype.kind)
            if kind is None:
                return ""
            dims = [_name(d) for d in x.dims]
            width = "" if kind in ("text", "M") else x.dtype.itemsize
            head = (_name(name), dims, [*x.shape], f"{kind}{width}", name in ds.coords)
            digest.update(_line(*head, _plain(x.attrs)))
            digest.update(_bytes(x.to_numpy(), kind))
    return f"sha256:{digest.hexdigest()}"


def _line(*words: Any) -> bytes:
    return json.dumps(words, sort_keys=True).encode() + b"\n"


def _name(name: Any) -> str:
    """Return a name as files keep it: composed characters."""
    return unicodedata.normalize("NFC", str(name))


def _plain(attrs: Mapping[Any, Any]) -> dict[str, list[Any]]:
    """Return attributes as files keep them: a list of one is no other than the one."""
    return {
        _name(k): [_text(v) if isinstance(v, str) else v for v in np.ravel(value).tolist()]
        for k, value in attrs.items()
    }


def _text(text: str) -> str:
    """Return a text as files keep it: it ends where a NUL stands."""
    return text.partition("\0")[0]


def _bytes(array: np.ndarray, kind: str) -> bytes | memoryview:
    """Return numbers as little-endian bytes, one kind of NaN for all; texts by length."""
    if kind == "text":
        return _line([_text(str(v)) for v in array.ravel()])
    if kind == "M":
        array = array.astype("datetime64[us]").astype("int64")
    elif kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return little.reshape(-1).view(np.uint8).data
