"""Tokens, limits, and what a server keeps of those who ask."""

import json
import re
import time

import pytest
from serving import Server
from typer.testing import CliRunner

from v2g_linopy.cli.app import app

TOKEN = "a token of this test"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    server = Server(
        folder / "data", "--host", "127.0.0.1", "--rate", "40", env={"V2G_TOKEN": TOKEN}
    )
    yield server
    assert server.end() == 0


def test_only_who_shows_the_token_is_answered(server):
    """Health and page need none; all else does, and a wrong one is as none."""
    for path in ("/livez", "/readyz", "/"):
        assert server.ask("GET", path, headers={"Authorization": ""}).status == 200
    for path in ("/v1/jobs", "/v1/openapi.json", "/metrics"):
        assert server.ask("GET", path).status == 200
        for shown in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            answer = server.ask("GET", path, headers={"Authorization": shown})
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    paths = server.ask("GET", "/v1/openapi.json").json["paths"]
    assert {"/v1/jobs", "/v1/cases", "/v1/templates"} <= {*paths}
    counted = server.ask("GET", "/metrics").body.decode()
    assert 'v2g_requests_total{method="GET",route="/livez",status="200"} 1.0' in counted
    assert 'v2g_jobs{state="queued"} 0.0' in counted


def test_the_log_has_no_names(server):
    """Lines of JSON with routes; no path, no token, no address, no name."""
    server.ask("GET", "/v1/configurations/Maria%20Rossi")
    end = time.monotonic() + 10  # a line is written when its answer is sent
    while "{name}" not in (text := server.log.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    asked = [x for x in lines if x["event"] == "request"]
    assert {"at", "event", "method", "route", "status", "ms"} == set().union(*asked)
    assert "/v1/configurations/{name}" in {x["route"] for x in asked}
    assert not re.search(r"Maria|Rossi|127\.0\.0\.1\"?, \"(?!port)|token", text)


def test_too_many_requests_are_told_to_wait(server):
    """The rest of a minute's forty."""
    for _ in range(41):
        answer = server.ask("GET", "/v1/jobs")
        if answer.status == 429:
            break
    assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 60


def test_two_servers_do_not_share_a_folder(server):
    done = CliRunner().invoke(app, ["serve", "--port", "0", "--data", str(server.data)])
    assert done.exit_code == 8 and "another server works with" in done.stderr


@pytest.mark.parametrize(
    ("words", "token", "said"),
    [
        (["--host", "0.0.0.0"], "", "--host 0.0.0.0 can be reached from other machines"),
        (["--host", "0.0.0.0"], "short", "16 letters"),
        (["--token-file", "missing"], "", "cannot be read"),
    ],
)
def test_a_server_that_all_can_reach_needs_a_token(words, token, said, tmp_path, monkeypatch):
    monkeypatch.setenv("V2G_TOKEN", token)
    done = CliRunner().invoke(app, ["serve", "--data", str(tmp_path / "data"), *words])
    assert done.exit_code == 2 and said in done.stderr
    assert not (tmp_path / "data").exists()
