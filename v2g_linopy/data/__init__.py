"""From data to a case: sessions, availability, prices, importers, generators."""

from .generators.charging_station import charging_station
from .generators.commuters import commuters
from .generators.depot import depot
from .generators.fleets import fleets
from .generators.frequency_record import frequency_record
from .generators.homes_and_depot import homes_and_depot
from .generators.nordic import nordic_fcr
from .generators.portfolio import portfolio
from .generators.sequential import sequential
from .generators.single_site import site
from .generators.virtual_power_plant import virtual_power_plant
from .importers.acn import read_acn
from .importers.capacity_price_files import read_capacity_prices
from .importers.elaadnl import read_elaadnl
from .importers.entsoe import read_entsoe
from .importers.formats import (
    CAPACITY_FORMATS,
    FREQUENCY_FORMATS,
    PRICE_FORMATS,
    PROFILE_FORMATS,
    SESSION_FORMATS,
)
from .importers.frequency_files import read_frequency, read_netcdf_frequency
from .importers.gme_and_terna import read_gme, read_terna
from .importers.netcdf_files import read_netcdf_prices, read_netcdf_sessions
from .importers.ocpi import read_ocpi
from .importers.ocpp import read_ocpp, read_ocpp_meter
from .importers.omie import read_omie
from .importers.price_files import read_prices
from .importers.price_records import read_price_records
from .importers.profile_files import read_profiles
from .importers.pvgis import read_pvgis
from .importers.session_files import read_sessions
from .importers.site_types import read_site_types
from .importers.trips import read_trips
from .sessions.assumptions import BatteryAssumption, Regulation
from .sessions.availability import from_availability
from .sessions.case_from_sessions import case_from_sessions
from .sessions.connectors import read_connectors
from .sessions.sessions_to_fleet import sessions_to_fleet
from .sessions.with_acceptance import with_acceptance
from .sessions.with_offers import fitted_acceptance, fitted_activation, with_offers
from .sessions.with_prices import with_prices
from .sessions.with_profiles import with_profiles
from .sessions.with_reserves import with_reserves
from .tables.local_time import align, step_of, to_utc
from .tables.series import combine
from .tables.table_format import TableFormat

__all__ = [
    "CAPACITY_FORMATS",
    "FREQUENCY_FORMATS",
    "PRICE_FORMATS",
    "PROFILE_FORMATS",
    "SESSION_FORMATS",
    "BatteryAssumption",
    "Regulation",
    "TableFormat",
    "align",
    "case_from_sessions",
    "combine",
    "charging_station",
    "commuters",
    "depot",
    "homes_and_depot",
    "fleets",
    "frequency_record",
    "from_availability",
    "nordic_fcr",
    "sessions_to_fleet",
    "read_acn",
    "read_capacity_prices",
    "read_connectors",
    "read_elaadnl",
    "read_entsoe",
    "read_frequency",
    "read_gme",
    "read_netcdf_frequency",
    "read_netcdf_prices",
    "read_netcdf_sessions",
    "read_ocpi",
    "read_ocpp",
    "read_ocpp_meter",
    "read_omie",
    "read_price_records",
    "read_prices",
    "read_profiles",
    "read_pvgis",
    "read_sessions",
    "read_site_types",
    "read_terna",
    "read_trips",
    "sequential",
    "site",
    "portfolio",
    "step_of",
    "to_utc",
    "virtual_power_plant",
    "with_acceptance",
    "fitted_acceptance",
    "fitted_activation",
    "with_offers",
    "with_prices",
    "with_profiles",
    "with_reserves",
]
