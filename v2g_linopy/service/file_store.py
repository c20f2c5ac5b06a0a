"""Files named by the hash of what they hold: the same bytes are kept once, and never change."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

LONGEST_NAME = 80
_CHUNK = 1 << 20
_STRANGE = re.compile(r"[^\w .()+-]+")


class FileStore:
    """The files of one server.

    Parameters
    ----------
    folder : Path
        Where they stand.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._arriving = folder / "arriving"

    def prepare(self) -> None:
        """Make the folder, and forget what was arriving when the last server ended."""
        shutil.rmtree(self._arriving, ignore_errors=True)
        self._arriving.mkdir(parents=True)

    def path(self, digest: str) -> Path:
        """Where a file stands."""
        return self.folder / digest[:2] / digest

    async def receive(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Keep what arrives; return its hash and its size. What breaks off leaves nothing."""
        arriving, found, size = self._arriving / secrets.token_hex(8), hashlib.sha256(), 0
        try:
            with arriving.open("xb") as file:
                async for chunk in chunks:
                    file.write(chunk)
                    found.update(chunk)
                    size += len(chunk)
            self._settle(arriving, found.hexdigest())
        finally:
            arriving.unlink(missing_ok=True)
        return found.hexdigest(), size

    def keep(self, file: Path) -> tuple[str, int]:
        """Move a file into the store; return its hash and its size."""
        found, size = hashlib.sha256(), file.stat().st_size
        with file.open("rb") as lines:
            while chunk := lines.read(_CHUNK):
                found.update(chunk)
        self._settle(file, found.hexdigest())
        return found.hexdigest(), size

    def _settle(self, file: Path, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)

    def lend(self, digest: str, place: Path) -> None:
        """Give a file a second name, or a copy where the disk knows one name of a file only."""
        try:
            os.link(self.path(digest), place)
        except OSError:
            shutil.copyfile(self.path(digest), place)

    def sweep(self, used: Iterable[str]) -> None:
        """Remove what no row names."""
        known = {*used}
        for file in self.folder.glob("??/*"):
            if file.name not in known:
                file.unlink(missing_ok=True)


def plain_file_name(name: str, suffix: str = "") -> str:
    """A name that is a file of a folder and nothing else, with an ending where one is asked for.

    >>> plain_file_name("../../etc/passwd", ".nc"), plain_file_name("Depot Süd.nc", ".nc")
    ('passwd.nc', 'Depot Süd.nc')
    >>> plain_file_name("-o"), plain_file_name("..")
    ('file-o', 'file')
    """
    last = _STRANGE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    last = last if last and not last.startswith("-") else f"file{last}"
    stem = last.removesuffix(suffix)[: LONGEST_NAME - len(suffix)]
    return stem + suffix
