"""What a battery costs and how long it lasts, unless a case says otherwise: numbers of 2026.

The price is that of a pack in Europe, rounded: BloombergNEF's survey of December 2025 gives 108 USD
per kWh for the world and 84 for China, and Europe 56 % above China, 131 USD or some 115 EUR. The
cycles are a round number for cells of today, not a measured one.
"""

REPLACEMENT, CYCLES = 120.0, 4000.0
"""EUR/kWh of a new battery of a vehicle, and full cycles that it lasts."""
WEAR = REPLACEMENT / CYCLES
"""EUR per kWh that leaves the battery of a vehicle: 0.03."""
STATIONARY_CYCLES = 6000.0
"""Full cycles of a battery that stands still, which is cycled more gently."""
STATIONARY_WEAR = REPLACEMENT / STATIONARY_CYCLES
"""EUR per kWh that leaves a battery that stands still: 0.02."""
WEAR_SOURCE = f"{REPLACEMENT:g} EUR/kWh for a new battery and {CYCLES:g} full cycles (2026)"
STATIONARY_WEAR_SOURCE = f"{REPLACEMENT:g} EUR/kWh and {STATIONARY_CYCLES:g} full cycles"
