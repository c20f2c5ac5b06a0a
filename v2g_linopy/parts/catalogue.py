"""Every part once, in build order within its stage.

A new asset, market or rule is one file and one line here.

Examples
--------
>>> import v2g_linopy as v2g
>>> [name for name, part in v2g.PARTS.items() if part.stage.name == "RULE"]
['charger', 'contract', 'connection', 'exclusion']
"""

from types import MappingProxyType

from .assets import battery, chp, flexibility, hydrogen, load, renewable
from .assets.fleet import part as fleet
from .markets import energy, imbalance
from .markets.ppa import part as ppa
from .markets.reserve import part as reserve
from .rules import charger, exclusion, risk
from .rules.connection import part as connection
from .rules.contract import part as contract

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
            flexibility.PART,
            reserve.PART,
            ppa.PART,
            energy.PART,
            imbalance.PART,
            charger.PART,
            contract.PART,
            connection.PART,
            exclusion.PART,
            risk.PART,
        )
    }
)
