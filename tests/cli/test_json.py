"""With --json stdout is one JSON document, whatever happens."""

import json

import pytest


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["doctor"], 0),
        (["schema"], 0),
        (["schema", "fleet"], 0),
        (["check", "CASE"], 0),
        (["solve", "CASE", "-o", "OUT", "--no-report"], 0),
        (["solve", "CASE", "-o", "OUT", "--dry-run"], 0),
        (["compare", "CASE", "-o", "OUT", "-v", "--no-report"], 0),
        (["explain", "RESULT", "--vehicle", "ev-001"], 0),
        (["bids", "RESULT"], 0),
        (["report", "RESULT", "-o", "OUT"], 0),
        (["new", "OUT", "--vehicles", "1", "--days", "1"], 0),
        (["check", "OUT"], 3),
        (["solve", "CASE", "--solver", "none", "-o", "OUT"], 5),
        (["explain", "RESULT", "--vehicle", "ev-1"], 2),
        (["explain"], 2),
        (["solve", "CASE", "-o", "CASE"], 8),
    ],
)
def test_one_document(run, request, tmp_path, words, code):
    files = {
        word: request.getfixturevalue(f"{word.lower()}_file")
        for word in {"CASE", "RESULT"} & {*words}
    }
    places = files | {"OUT": tmp_path / "out"}
    result = run(*(places.get(word, word) for word in words), "--json")
    assert result.exit_code == code, result.output
    document = json.loads(result.stdout)
    assert (document["status"] == "error") == (code != 0)
    if code:
        assert document["exit_code"] == code
        assert document["message"] in result.stderr
