"""Every figure of the report: ``figure(result, ...) -> matplotlib.figure.Figure``. Needs the extra
``[report]``.
"""

from .accepted_contracts import contracts
from .batteries import cycle_depth
from .dispatch import corridor, dispatch
from .distribution import profit_distribution
from .peaks import peaks
from .rounds import rounds, weights
from .sequence import positions, regret
from .site import balance, energy_flow, load_duration
from .site_bands import bands
from .trading import price_response, reserve, shadow_prices
from .value import bill, value_ladder
from .vehicles import heat_map, state_of_energy

__all__ = [
    "balance",
    "bands",
    "bill",
    "contracts",
    "corridor",
    "cycle_depth",
    "dispatch",
    "energy_flow",
    "heat_map",
    "load_duration",
    "peaks",
    "positions",
    "price_response",
    "profit_distribution",
    "regret",
    "reserve",
    "rounds",
    "shadow_prices",
    "state_of_energy",
    "value_ladder",
    "weights",
]
