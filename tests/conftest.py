"""How many cases hypothesis draws: few in CI, many with `--hypothesis-profile=many`, which also
shrinks what fails. Tests that share a solve or a drawing run on one worker.
"""

import gc

import pytest
from hypothesis import HealthCheck, Phase, settings
from stories import pipeline, pytest_generate_tests

__all__ = ["pipeline", "pytest_generate_tests"]

# what is imported lives to the end, and arrays are no circles: collect a twentieth as often
gc.freeze()
gc.set_threshold(14_000, 10, 10)

QUIET = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
]

settings.register_profile(
    "ci",
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=QUIET,
)
settings.register_profile(
    "many", max_examples=300, deadline=None, suppress_health_check=QUIET, print_blob=True
)
settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file together (`--dist loadgroup`), so that what its tests share is made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
