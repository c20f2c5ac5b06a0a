"""Where the reference data stand: beside the repository, never in it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
FOLDER = SHARED / "reference"


def reference(name: str) -> Path:
    """Return the path of a reference file; the test is skipped where it is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(
            f"reference data not found: {path} (third-party data, not part of the repository)"
        )
    return path


def sample(name: str) -> Path:
    """Return the path of a made-up file in the shape of a real one; the test is skipped where it is
    not there.
    """
    path = SHARED / "samples" / name
    if not path.exists():
        pytest.skip(f"sample not found: {path} (not part of the repository)")
    return path
