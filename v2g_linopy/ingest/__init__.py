"""From data to a case: sessions, availability, prices, importers, generators."""

from .availability import from_availability
from .capacity import CAPACITY_FORMATS, read_capacity_prices, with_reserves
from .cases import case_from
from .clock import align, step_of, to_utc
from .commuters import commuters
from .depot import depot
from .fleets import fleets
from .grid import FREQUENCY_FORMATS, frequency_record, read_frequency, read_netcdf_frequency
from .importers import PRICE_FORMATS, SESSION_FORMATS, read_prices, read_sessions
from .members import with_profiles
from .nordic import nordic_fcr
from .options import BatteryAssumption, Regulation
from .plugs import read_connectors
from .power import PROFILE_FORMATS, read_profiles
from .sequential import sequential
from .series import combine
from .sessions import rasterise
from .site import site
from .sites import sites
from .sources import read_elaadnl, read_gme, read_netcdf_prices, read_netcdf_sessions, read_terna

__all__ = [
    "CAPACITY_FORMATS",
    "FREQUENCY_FORMATS",
    "PRICE_FORMATS",
    "PROFILE_FORMATS",
    "SESSION_FORMATS",
    "BatteryAssumption",
    "Regulation",
    "align",
    "case_from",
    "combine",
    "commuters",
    "depot",
    "fleets",
    "frequency_record",
    "from_availability",
    "nordic_fcr",
    "rasterise",
    "read_capacity_prices",
    "read_connectors",
    "read_elaadnl",
    "read_frequency",
    "read_gme",
    "read_netcdf_frequency",
    "read_netcdf_prices",
    "read_netcdf_sessions",
    "read_prices",
    "read_profiles",
    "read_sessions",
    "read_terna",
    "sequential",
    "site",
    "sites",
    "step_of",
    "to_utc",
    "with_profiles",
    "with_reserves",
]
