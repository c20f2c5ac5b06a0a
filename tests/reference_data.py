"""Where the reference data stand: beside the repository, never in it."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "reference"


def reference(name: str) -> Path:
    """Return the path of a reference file; the test is skipped where it is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(
            f"reference data not found: {path} (third-party data, not part of the repository)"
        )
    return path
