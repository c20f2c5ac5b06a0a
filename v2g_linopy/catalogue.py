"""Every part once, in build order within its stage. A new asset, market or rule is one file and one line here."""

from types import MappingProxyType

from .assets import battery, chp, fleet, hydrogen, load, renewable
from .markets import energy, imbalance, ppa, reserve
from .rules import charger, connection, exclusion, risk

PARTS = MappingProxyType(
    {
        part.name: part
        for part in (
            fleet.PART,
            battery.PART,
            load.PART,
            renewable.PART,
            chp.PART,
            hydrogen.PART,
            reserve.PART,
            ppa.PART,
            energy.PART,
            imbalance.PART,
            charger.PART,
            connection.PART,
            exclusion.PART,
            risk.PART,
        )
    }
)
