"""What prices of reserves add to the worth of power, for products that ask for headroom alone
(docs/formulation.md §12 A).

A vehicle that injects p kW, between -C and D, has D - p kW of room up and C + p down, C + D in all.
What the room earns depends on how it is divided, f = (D - p) / (C + D), and not on the vehicle: it
is C + D times the upper concave envelope, over f, of what each product earns per kW of room that it
takes."""

from dataclasses import dataclass

import numpy as np

NO_PRODUCT = -1


@dataclass(frozen=True)
class Products:
    """Room that a kW sold takes, about the mean of its activation, on (product, place).

    A place is a step at a point of delivery.
    """

    up: np.ndarray
    down: np.ndarray

    def __len__(self) -> int:
        return len(self.up)

    def envelope(self, price: np.ndarray) -> "Envelope":
        """Return what room earns where a kW held of each product earns `price` (EUR per kW, on
        (product, place)); room need not be sold.
        """
        room = self.up + self.down
        none, one = np.zeros((1, price.shape[1])), np.ones((1, price.shape[1]))
        # nothing comes first: it stays where a product earns nothing either
        share = np.concatenate([none, one, self.up / room])
        value = np.concatenate([none, none, price / room])
        product = np.concatenate([[NO_PRODUCT, NO_PRODUCT], np.arange(len(self))])
        return _upper_envelope(share.T, value.T, product)


@dataclass(frozen=True)
class Envelope:
    """Corners of the envelope at each place, from room down alone to room up alone, on
    (place, corner).

    Places with fewer corners than others repeat the last one.
    """

    share: np.ndarray  # of room up in all room, rising from 0 to 1
    value: np.ndarray  # EUR per kW of room
    product: np.ndarray  # what is sold there, NO_PRODUCT for nothing

    @property
    def slope(self) -> np.ndarray:
        """What a kW injected adds to what the room earns between two corners (EUR per kW)."""
        wide = np.diff(self.share, axis=1)
        rise = np.diff(self.value, axis=1)
        return np.where(wide > 0, -rise / np.where(wide > 0, wide, 1.0), 0.0)

    def divided(
        self, down: np.ndarray, up: np.ndarray, place: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Divide the power of steps at places, from -`down` to `up`, at the corners.

        Returns the power drawn and fed in of each part, on (step, part), in the unit given.
        """
        corner = up[:, None] - self.share[place] * (down + up)[:, None]
        drawn, fed = np.maximum(-corner, 0.0), np.maximum(corner, 0.0)
        return np.diff(drawn, axis=1), -np.diff(fed, axis=1)

    def sold(self, share: np.ndarray, place: np.ndarray, products: Products) -> np.ndarray:
        """Return what is held of each product per kW of room, on (step, product), where `share` of
        the room is up.
        """
        found = np.zeros((len(place), len(products)))
        room = products.up + products.down
        low, high = self.share[place, :-1], self.share[place, 1:]
        wide = high - low
        for part in range(wide.shape[1]):
            below = (share < high[:, part]) | (high[:, part] >= 1.0)
            inside = np.flatnonzero((wide[:, part] > 0) & (share >= low[:, part]) & below)
            at, step = place[inside], inside
            second = np.clip((share[step] - low[step, part]) / wide[step, part], 0.0, 1.0)
            for corner, weight in ((part, 1 - second), (part + 1, second)):
                product = self.product[at, corner]
                some = product != NO_PRODUCT
                held = weight[some] / room[product[some], at[some]]
                found[step[some], product[some]] += held  # each step once
        return found


def _upper_envelope(share: np.ndarray, value: np.ndarray, product: np.ndarray) -> Envelope:
    """Return the corners of the upper concave envelope of points on (place, point)."""
    order = np.lexsort((-value, share), axis=1)
    share, value = (np.take_along_axis(x, order, 1) for x in (share, value))
    many = share.shape[1]
    corner = np.ones(share.shape, bool)
    corner[:, 1:] = share[:, 1:] > share[:, :-1]  # of equal shares the first is worth most
    for j in range(1, many - 1):
        for i in range(j):
            for k in range(j + 1, many):
                between = (share[:, j] - share[:, i]) * (value[:, k] - value[:, i])
                above = (value[:, j] - value[:, i]) * (share[:, k] - share[:, i]) > between
                spans = corner[:, i] & (share[:, i] < share[:, j]) & (share[:, j] < share[:, k])
                corner[:, j] &= above | ~spans
    first = np.argsort(~corner, axis=1, kind="stable")
    count = corner.sum(1)
    place = np.minimum(np.arange(count.max()), count[:, None] - 1)
    chosen = np.take_along_axis(first, place, 1)
    share, value, order = (np.take_along_axis(x, chosen, 1) for x in (share, value, order))
    return Envelope(share, value, product[order])
