"""Records of a public interface (JSON): read through a pydantic model that says what they hold."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from ...errors import Problem, SchemaError
from .listing import first_of
from .text import beginning, read_text


class Record(pydantic.BaseModel):
    """What an interface sends; fields that are not declared are left out, NaN is no number."""

    model_config = pydantic.ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


Model = TypeVar("Model", bound=pydantic.BaseModel)


def read_records(path: str | Path, model: type[Model]) -> Model:
    """Return what a JSON file holds, as `model` declares it.

    Raises
    ------
    InputFileError
        The file cannot be read as text.
    SchemaError
        Every record that does not fit the model, with its place in the file.
    """
    text = read_text(path)
    try:
        return model.model_validate_json(text)
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [Problem(_place(f["loc"]), f["type"], f["msg"]) for f in faults]
        raise SchemaError(first_of(problems), str(path)) from error


def _place(steps: tuple[int | str, ...]) -> str:
    """Write a place in a document.

    >>> _place(("data", 0, "price"))
    'data[0].price'
    """
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
    return "".join(words).lstrip(".") or "file"


def read_record_list(
    path: str | Path, record: type[Model], envelopes: Collection[str] = ("data",)
) -> tuple[list[Model], str]:
    """Return the records of a JSON file: a bare list, the list in the envelope of an answer, or a
    record by itself.

    Parameters
    ----------
    path
        The file.
    record
        What it holds of each.
    envelopes
        Names under which the list of records may stand.

    Returns
    -------
    records : list
        In the order of the file.
    place : str
        The name of the list, for messages: ``data``, or nothing for a bare one.

    Raises
    ------
    InputFileError
        The file cannot be read as text.
    SchemaError
        Every record that does not fit the model, with its place in the file.
    """
    start = beginning(path).lstrip()
    if start.startswith("["):
        bare = pydantic.RootModel[list[record]]  # type: ignore[valid-type]  # made at run time
        return list(read_records(path, bare).root), ""
    named = next((name for name in envelopes if f'"{name}"' in start), None)
    if named is None:
        return [read_records(path, record)], ""
    every = list[record]  # type: ignore[valid-type]  # made at run time
    listed = (every, pydantic.Field(validation_alias=named))
    envelope: Any = pydantic.create_model("Envelope", __base__=Record, records=listed)
    return list(read_records(path, envelope).records), named
