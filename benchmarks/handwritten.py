"""The package's model of a fleet, energy markets and expected reserves, written by hand with
scipy.sparse and highspy.

The yardstick of the build benchmark: index arithmetic on numpy arrays, one COO matrix, one
`passModel`. It has no names, no checks, no units and no result; it knows this one model."""

from dataclasses import dataclass, field

import highspy
import numpy as np
import scipy.sparse as sp
import xarray as xr

from benchmarks.arrays import Array, Arrays, read


@dataclass
class Program:
    """Columns and rows as they are appended: bounds and costs of columns, triplets and bounds of
    rows.
    """

    columns: int = 0
    rows: int = 0
    bounds: dict[str, list[Array]] = field(
        default_factory=lambda: {k: [] for k in ("cost", "lb", "ub", "low", "high")}
    )
    triplets: tuple[list, list, list] = field(default_factory=lambda: ([], [], []))

    def variable(
        self, mask: Array, lower: Array | float, upper: Array | float, cost: Array | float
    ) -> Array:
        """Append one column where `mask`; returns their numbers, -1 elsewhere."""
        number = np.full(mask.shape, -1, np.int32)
        count = int(mask.sum())
        number[mask] = np.arange(self.columns, self.columns + count, dtype=np.int32)
        for key, value in (("lb", lower), ("ub", upper), ("cost", cost)):
            self.bounds[key].append(np.broadcast_to(value, mask.shape)[mask])
        self.columns += count
        return number

    def row(self, mask: Array, low: Array | float, high: Array | float) -> Array:
        """Append one row where `mask`; returns their numbers, -1 elsewhere."""
        number = np.full(mask.shape, -1, np.int32)
        count = int(mask.sum())
        number[mask] = np.arange(self.rows, self.rows + count, dtype=np.int32)
        for key, value in (("low", low), ("high", high)):
            self.bounds[key].append(np.broadcast_to(value, mask.shape)[mask])
        self.rows += count
        return number

    def term(self, row: Array, column: Array, value: Array | float) -> None:
        """Add `value * column` to `row`, broadcast, wherever both exist and the value is not 0."""
        row, column, value = np.broadcast_arrays(row, column, value)
        there = (row >= 0) & (column >= 0) & (value != 0)
        for kept, new in zip(self.triplets, (row, column, value), strict=True):
            kept.append(new[there])

    def matrix(self) -> sp.csc_array:
        """All rows as one sparse matrix (column-wise: HiGHS takes it twice as fast)."""
        rows, columns, values = (np.concatenate(part) for part in self.triplets)
        return sp.csc_array((values, (rows, columns)), shape=(self.rows, self.columns))


def build(case: xr.DataTree) -> highspy.Highs:
    """The model of `case` handed to HiGHS, ready to run."""
    program = program_of(read(case))
    matrix = program.matrix()
    cost, lb, ub, low, high = (
        np.concatenate(program.bounds[k]) for k in ("cost", "lb", "ub", "low", "high")
    )
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    status = highs.passModel(
        *(program.columns, program.rows, matrix.nnz),
        *(int(highspy.MatrixFormat.kColwise), int(highspy.ObjSense.kMaximize), 0.0),
        *(cost, lb, ub, low, high),
        *(matrix.indptr, matrix.indices, matrix.data, np.zeros(program.columns, np.int32)),
    )
    if status != highspy.HighsStatus.kOk:
        raise RuntimeError(f"HiGHS refused the model: {status}")
    return highs


def program_of(a: Arrays) -> Program:
    """docs/formulation.md §1–3: balance and need of each member, headroom about the baseline,
    allocation, node, market."""
    program, d, r, dt = Program(), a.fleet, a.reserve, a.dt
    needed, plugged, alive, bought = d["energy_min"] > 0, a.plugged, a.alive, r["volume_max"] > 0
    net = r["activation_up"] - r["activation_down"]

    retail, wear = dt * d["retail_price"], dt * d["wear"] / d["eta_discharge"]
    charge = program.variable(d["charge_max"] > 0, 0.0, d["charge_max"], retail)
    discharge = program.variable(d["discharge_max"] > 0, 0.0, d["discharge_max"], -retail - wear)
    energy = program.variable(alive, 0.0, d["energy_max"], 0.0)
    unserved = program.variable(needed, 0.0, d["energy_min"], -d["unserved_cost"])
    limit, price = a.energy["limit"], a.energy["price"]
    position = program.variable(np.ones(limit.shape, bool), -limit, limit, dt * price)
    paid = r["capacity_price"] + r["activation_cash"]
    volume = program.variable(np.ones(bought.shape, bool), 0.0, r["volume_max"], dt * paid)
    share = program.variable(
        plugged[:, None] & bought, 0.0, a.share_max, 0.0
    )  # (fleet, product, time)
    exchange = program.variable(np.ones(plugged.shape[1], bool), -np.inf, np.inf, 0.0)

    balance = program.row(alive, *[d["energy_in"] + _first(d["keep"] * d["energy_initial"])] * 2)
    program.term(balance, energy, 1.0)
    program.term(balance[:, 1:], energy[:, :-1], -d["keep"][:, 1:])
    program.term(balance, charge, -dt * d["eta_charge"])
    program.term(balance, discharge, dt / d["eta_discharge"])
    need = program.row(needed, d["energy_min"], np.inf)
    program.term(need, energy, 1.0)
    program.term(need, unserved, 1.0)

    for power, sign, limit in (
        (r["up"] - net, 1.0, d["discharge_max"]),
        (r["down"] + net, -1.0, d["charge_max"]),
    ):
        room = program.row(plugged & bought.any(axis=0), -np.inf, limit)
        program.term(room[:, None], share, power)
        program.term(room, discharge, sign)
        program.term(room, charge, -sign)
    allocation = program.row(np.ones(bought.shape, bool), 0.0, 0.0)
    program.term(allocation, volume, 1.0)
    program.term(allocation, share, -1.0)

    node = program.row(np.ones(plugged.shape[1], bool), 0.0, 0.0)
    program.term(node, discharge, 1.0)
    program.term(node, charge, -1.0)
    program.term(node, exchange, -1.0)
    market = program.row(np.ones(plugged.shape[1], bool), 0.0, 0.0)
    program.term(market, exchange, 1.0)
    program.term(market, position, -1.0)
    program.term(market, volume, -net)
    return program


def _first(array: Array) -> Array:
    """`array` in the first step, 0 afterwards."""
    return np.where(np.arange(array.shape[1]) == 0, array, 0.0)
