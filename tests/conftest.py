"""How many cases hypothesis draws: few in CI, many with `--hypothesis-profile=many`, which also
shrinks what fails.
"""

from hypothesis import HealthCheck, Phase, settings
from stories import pipeline, pytest_generate_tests

__all__ = ["pipeline", "pytest_generate_tests"]

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
