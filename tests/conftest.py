"""How many cases hypothesis draws, and which: in CI few and the same in each run; new ones with
`--hypothesis-profile=many` (`make prove`) and `fuzz` (`make fuzz`), which also shrink and keep what
fails. Tests of one file run on one worker (`--dist loadfile`): what they share is made once.
"""

import gc
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from stories import pipeline, pytest_generate_tests

__all__ = ["pipeline", "pytest_generate_tests"]

# what is imported lives to the end, and arrays are no circles: collect a twentieth as often
gc.freeze()
gc.set_threshold(14_000, 10, 10)

SEED_OF_CI = 20261130
KEPT = Path(__file__).parent.parent / ".fuzz"
"""Folder of the examples that failed: they are tried first by the next run that draws anew."""
QUIET = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
]

# where the variable CI is set, hypothesis keeps nothing and draws by no seed unless told otherwise
ANYWHERE = settings.get_profile("default")
settings.register_profile(
    "ci",
    ANYWHERE,
    max_examples=10,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=QUIET,
)
settings.register_profile(
    "many",
    ANYWHERE,
    max_examples=300,
    deadline=None,
    database=DirectoryBasedExampleDatabase(KEPT / "examples"),
    suppress_health_check=QUIET,
    print_blob=True,
)
settings.register_profile("fuzz", settings.get_profile("many"), max_examples=20)  # per round
settings.load_profile("ci")


@pytest.hookimpl(tryfirst=True)  # before hypothesis reads it, and before workers are started
def pytest_configure(config: pytest.Config) -> None:
    """Give hypothesis a seed where the user gave none: always the same in CI, else a new one."""
    if config.option.hypothesis_seed is None:
        drawn = config.option.hypothesis_profile not in (None, "ci")
        config.option.hypothesis_seed = str(secrets.randbits(32) if drawn else SEED_OF_CI)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which cases were drawn, and how they are drawn again (a header is left out by `-q`)."""
    options = terminalreporter.config.option
    profile = options.hypothesis_profile or "ci"
    terminalreporter.write_line(
        f"properties: profile {profile}, --hypothesis-seed={options.hypothesis_seed}"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let hypothesis keep what fails under the name of the test: with a seed it has no key."""
    if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
        item.obj._hypothesis_internal_database_key = item.nodeid.encode()  # read where it is set
