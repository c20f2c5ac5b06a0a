"""Pages of which only the words matter are made without their pictures."""

import pytest

from v2g_linopy.report.page import write


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures of a page away, which take nine tenths of its time; captions stay."""
    captions = write.CAPTIONS
    monkeypatch.setattr(write, "drawn_as_svg", lambda view, name: f"<p>{captions[name]}</p>")
