"""Several files as one: all are prepared before any is put in place, and a failure leaves what was
there before.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..case.staging import stage_in
from ..case.version import lacking
from ..errors import OutputError

BACKUP = "before"


@contextmanager
def staged(folder: Path, names: Sequence[str], force: bool = False) -> Iterator[Path]:
    """Yield a folder to write `names` into.

    When the block ends well they replace those in `folder`, all or none.

    It is entered before the work starts, so that a folder which cannot be written is known at once.

    Parameters
    ----------
    folder : Path
        Where the files will stand; made if missing, and removed again if nothing came of it.
    names : sequence of str
        The files that the block may write. One it does not write leaves an older one of that name
        in place.
    force : bool
        Allow older files of these names to be replaced.

    Raises
    ------
    OutputError
        A file exists and `force` is off, or the folder cannot be written.
    """
    refuse_existing(folder, names, force)
    made = missing_folders(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with stage_in(folder) as stage:
            yield from filled(stage, folder, names, force)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{folder}: cannot write here: {error.strerror}") from error
    finally:
        remove_empty(made)


def filled(stage: Path, folder: Path, names: Sequence[str], force: bool) -> Iterator[Path]:
    """Yield the stage to write into, and put in place what was written."""
    try:
        yield stage
        refuse_existing(folder, names, force)
        put_in_place(stage, folder, [name for name in names if (stage / name).exists()])
    except OSError as error:
        if isinstance(error, OutputError) and str(stage) not in str(error):
            raise
        message = str(error).replace(str(stage), str(folder))
        raise OutputError(
            f"{message}; {free_space(folder)} are free; nothing was changed"
        ) from error


def free_space(folder: Path) -> str:
    """The room left on the disk of a folder: the C libraries do not say that it is full."""
    return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB"


def refuse_existing(folder: Path, names: Sequence[str], force: bool) -> None:
    """Raise where a file stands in the way, with all of them in one message."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; give a folder with -o")
    there = [name for name in names if os.path.lexists(folder / name)]
    if blocked := [name for name in there if (folder / name).is_dir()]:
        raise OutputError(
            f"{folder}: {', '.join(blocked)} is a folder; remove it or choose another folder"
            " with -o"
        )
    if there and not force:
        remedy = "choose another folder with -o, or replace with --force"
        raise OutputError(
            f"{folder}: {', '.join(there)} exist{'s' * (len(there) == 1)} already; {remedy}"
        )


def put_in_place(stage: Path, folder: Path, names: Sequence[str]) -> None:
    """Rename every prepared file to its place.

    If one fails, or the user interrupts, everything is as it was before. At each place there is the
    old file or the new one at any moment, whenever the process is killed.
    """
    before = stage / BACKUP
    before.mkdir()
    undo: list[tuple[Path, Path]] = []
    try:
        for name in names:
            final = folder / name
            if os.path.lexists(final):
                keep(final, before / name)
                undo.append((before / name, final))
                os.replace(stage / name, final)
            else:
                os.replace(stage / name, final)
                undo.append((final, stage / name))
    except BaseException:
        for now, then in reversed(undo):
            os.replace(now, then)
        raise


def keep(file: Path, second: Path) -> None:
    """Give a file a second name, or make a copy of it on a disk where a file has one name only."""
    try:
        os.link(file, second, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, second, follow_symlinks=False)


def missing_folders(folder: Path) -> list[Path]:
    """The folders that have to be made for this one, innermost first."""
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    return missing


def remove_empty(folders: Sequence[Path]) -> None:
    """Take away folders that were made for nothing."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def refuse_file(target: Path, force: bool) -> None:
    """Refuse an existing file before the work starts."""
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file")
    if os.path.lexists(target) and not force:
        raise OutputError(
            f"{target} exists already; choose another name, or replace it with --force"
        )


def report_lacks() -> str:
    """Return what the report needs and is not installed, and the remedy."""
    return lacking("report", "matplotlib", "jinja2")


def case_path(name: Path) -> Path:
    """A case file by its name: `.nc` is added where it is missing."""
    return name if name.suffix == ".nc" else name.with_name(name.name + ".nc")
