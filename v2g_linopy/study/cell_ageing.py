"""Capacity that a cell loses by time and by cycles: two published models, for evaluation after the
fact only.

The coefficients are those of the papers named, compared with two published implementations each
(SimSES of TU Munich for both, BLAST-Lite of NREL for NMC, an independent one for LFP). They
describe one cell, not a battery in general."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

KELVIN, GAS = 273.15, 8.3144598  # K, J/(mol K)
DAY = 24.0

NMC_VOLTAGE: Mapping[float, float] = dict(
    zip(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        (3.33, 3.49, 3.58, 3.63, 3.66, 3.70, 3.77, 3.87, 3.96, 4.07, 4.16),
        strict=True,
    )
)
"""Open-circuit voltage of the Sanyo cell (V) by state of charge, to about 0.01 V: rounded from the
table of BLAST-Lite, which was digitised from Schmalstieg et al. 2014 and, below 20 %, from Ecker et
al."""


@dataclass(frozen=True)
class Use:
    """What a battery went through: state of charge over time, and the half cycles of its path."""

    soc: np.ndarray
    hours: np.ndarray  # how long it stood at each
    depth: np.ndarray
    mean: np.ndarray  # mean state of charge of each half cycle
    c_rate: np.ndarray


@dataclass(frozen=True)
class Law:
    """Loss (share of the first capacity) that grows by a power of time or of use.

    It is `(sum rate^(1/power) amount)^power`.

    With a rate that changes, the loss goes on from where it stands, so that the order does not
    matter.
    """

    power: float
    increments: Callable[
        [Use, float], np.ndarray
    ]  # rate^(1/power) amount of each piece, at a temperature (K)

    def transformed_loss(self, use: Use, temperature: float) -> float:
        """Return the loss to the power 1/power, which adds up."""
        return float(self.increments(use, temperature).sum())

    def loss(self, transformed_loss: float) -> float:
        """Return the loss."""
        return float(transformed_loss**self.power)


def nmc(voltage: Mapping[float, float] = NMC_VOLTAGE, charge: float = 2.15) -> tuple[Law, Law]:
    """Return the laws of an NMC/graphite cell, Sanyo UR18650E.

    Schmalstieg, Kaebitz, Ecker, Sauer 2014, J. Power Sources 257, 325-334.

    By time (t in days, T in K, V the voltage at rest) and by charge throughput (Q in Ah of the
    cell, V the quadratic mean over the cycle, depth of discharge DOD)::

        loss = alpha t^0.75,   alpha = (7.543 V - 23.75) 1e6 exp(-6976 / T)
        loss = beta sqrt(Q),   beta = 7.348e-3 (V - 3.667)^2 + 7.600e-4 + 4.081e-3 DOD

    Cycles were measured near 35 degrees and 1 C: neither stands in beta.

    Parameters
    ----------
    voltage
        Voltage (V) at each state of charge.
    charge
        Capacity of one cell (Ah).
    """
    nodes, volts = np.array(sorted(voltage)), np.array([voltage[k] for k in sorted(voltage)])
    grid = np.linspace(0.0, 1.0, 2001)
    square = np.interp(grid, nodes, volts) ** 2
    total = np.append(0.0, np.cumsum((square[1:] + square[:-1]) / 2 * np.diff(grid)))

    def by_time(use: Use, temperature: float) -> np.ndarray:
        alpha = (
            (7.543 * np.interp(use.soc, nodes, volts) - 23.75) * 1e6 * np.exp(-6976 / temperature)
        )
        return np.maximum(alpha, 0.0) ** (1 / 0.75) * use.hours / DAY

    def by_cycles(use: Use, temperature: float) -> np.ndarray:
        low, high = (np.clip(use.mean + side * use.depth / 2, 0.0, 1.0) for side in (-1, 1))
        span = np.maximum(high - low, 1e-12)
        mean = np.sqrt((np.interp(high, grid, total) - np.interp(low, grid, total)) / span)
        beta = 7.348e-3 * (mean - 3.667) ** 2 + 7.600e-4 + 4.081e-3 * use.depth
        return beta**2 * charge * use.depth

    return Law(0.75, by_time), Law(0.5, by_cycles)


def lfp() -> tuple[Law, Law]:
    """Return the laws of an LFP/graphite cell, Sony/Murata US26650FTC1.

    Naumann et al. 2018, J. Energy Storage 17; 2020, J. Power Sources 451.

    By time (t in s, T in K) and by full equivalent cycles (FEC), with the C-rate and the depth
    (DOC) of each cycle::

        loss = k_T k_SOC sqrt(t),   k_T = 1.2571e-5 exp(-17126 / R (1 / T - 1 / 298.15)),
                                    k_SOC = 2.8575 (SOC - 0.5)^3 + 0.60225
        loss = k_C k_DOC sqrt(FEC) / 100,   k_C = 0.0630 C + 0.0971,
        k_DOC = 4.0253 (DOC - 0.6)^3 + 1.0923
    """

    def by_time(use: Use, temperature: float) -> np.ndarray:
        warm = 1.2571e-5 * np.exp(-17126 / GAS * (1 / temperature - 1 / 298.15))
        return (warm * (2.8575 * (use.soc - 0.5) ** 3 + 0.60225)) ** 2 * use.hours * 3600

    def by_cycles(use: Use, temperature: float) -> np.ndarray:
        rate = (0.0630 * use.c_rate + 0.0971) * (4.0253 * (use.depth - 0.6) ** 3 + 1.0923) / 100
        return rate**2 * use.depth / 2

    return Law(0.5, by_time), Law(0.5, by_cycles)


CELLS: Mapping[str, Callable[[], tuple[Law, Law]]] = {"NMC": nmc, "LFP": lfp}
