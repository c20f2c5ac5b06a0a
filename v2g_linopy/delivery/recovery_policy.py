"""How the operator of a plan with the guarantee `recourse` brings back what calls have moved."""

from dataclasses import dataclass

import numpy as np
import xarray as xr


@dataclass(frozen=True)
class RecoveryPolicy:
    """What the members of an asset bring back at most, as a plan says it.

    Parameters
    ----------
    bought, sold : numpy.ndarray
        Of calls upward and downward, kWh in the battery and step, on (member, time).
    delay : int
        Steps from a call until what it moved can be brought back.
    products : numpy.ndarray
        1 for products whose calls are brought back, on (product).
    """

    bought: np.ndarray
    sold: np.ndarray
    delay: int
    products: np.ndarray

    @classmethod
    def of(cls, d: xr.Dataset, asset: str, member: str, dt: float) -> "RecoveryPolicy | None":
        """Read it from the plan; None where nothing is brought back.

        The delay is one for all products (as the schema asks), and so is the power: what one
        product does not need in a step is there for another.
        """
        found = [d.get(f"{way}_back_{asset}") for way in ("bought", "sold")]
        if all(x is None for x in found):
            return None
        none = xr.zeros_like(d[f"share_{asset}"])
        bought, sold = (
            (none if x is None else x).sum("product").transpose(member, "time").to_numpy()
            for x in found
        )
        mine = d.guarantee == "recourse"
        waits = d.recovery_delay.where(mine).fillna(dt)
        delay = max(1, int(np.ceil(float(waits.max()) / dt - 1e-6)))
        return cls(bought, sold, delay, mine.to_numpy().astype(float))

    def begun(self, signals: int) -> "Queues":
        """Return empty queues for so many signals."""
        return Queues(self, signals)


class Queues:
    """What calls have moved and nobody has brought back yet (kWh in the battery), on (signal,
    member), of calls upward and downward.
    """

    def __init__(self, policy: RecoveryPolicy, signals: int):
        shape = (signals, policy.bought.shape[0])
        self._policy = policy
        self._most = (policy.bought, policy.sold)
        self._owed = [np.zeros(shape), np.zeros(shape)]
        self._young = [np.zeros((policy.delay - 1, *shape)) for _ in range(2)]
        self._called = [np.zeros(shape), np.zeros(shape)]  # in this step
        self._back = [np.zeros(shape), np.zeros(shape)]  # in this step

    def mine(
        self, up: np.ndarray, down: np.ndarray, held: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of the calls of a moment, on (signal, product), that is brought back."""
        found = []
        for signal, each in ((up, held[0]), (down, held[1])):
            called, of_mine = signal @ each.T, (signal * self._policy.products) @ each.T
            found.append(of_mine / np.where(called > 0, called, 1.0))
        return found[0], found[1]

    def bring_back(self, t: int, keep: np.ndarray) -> None:
        """Decide at the start of a step what is brought back in it, of calls old enough."""
        for way, most in enumerate(self._most):
            self._owed[way] *= keep
            self._young[way] *= keep
            old = np.maximum(self._owed[way] - self._young[way].sum(axis=0), 0.0)
            self._back[way] = np.minimum(most[:, t], old)
            self._owed[way] -= self._back[way]

    def rate(self, dt: float) -> np.ndarray:
        """Return what the battery loses to it (kW): below 0 where energy is bought back."""
        return (self._back[1] - self._back[0]) / dt

    def moved(self, drawn: np.ndarray, mine: tuple[np.ndarray, np.ndarray], ends: bool) -> None:
        """Count what calls of a part of a step have drawn from the battery (kWh); `ends` a step.

        `mine` is the share of it, upward and downward, of products whose calls are brought back.
        """
        for way, x in enumerate((drawn, -drawn)):
            owed = np.maximum(x, 0.0) * mine[way]
            self._called[way] += owed
            self._owed[way] += owed
        if not ends:
            return
        for way in range(2):
            young = self._young[way]
            self._young[way] = np.concatenate([self._called[way][None], young])[: len(young)]
            self._called[way] = np.zeros_like(self._called[way])
