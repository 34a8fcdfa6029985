"""What operators ask a running server: its status, who is attached, and its log; for the service role only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from harness import Native, Server, backend_client, binary, new_user, open_conversation, poll, store

ROUTES = ["/v1/status", "/v1/sessions", "/v1/log"]


@pytest.fixture
def operator(server: Server) -> Any:
    with Native(server, server.service_key) as native:
        yield native


def dashboard(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return server.run("dashboard", "--server", f"http://127.0.0.1:{server.port}", *arguments)


@pytest.mark.parametrize("route", ROUTES)
def test_only_the_service_role_is_answered(server: Server, route: str) -> None:
    with Native(server, server.token(new_user())) as user:
        assert user.ask("GET", route).status == 403
    with Native(server, "nobody") as stranger:
        assert stranger.ask("GET", route).status == 401


def test_the_status_counts_what_was_done(server: Server, operator: Native) -> None:
    before = operator.ask("GET", "/v1/status").json["counts"]
    with Native(server, server.token(new_user())) as user:
        conversation = user.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        user.append_all(conversation, ["one", "two"])
        user.page(conversation)
        assert user.append(conversation, {"role": "nobody", "content": ""}).status == 400
    status = operator.ask("GET", "/v1/status").json
    counts = {name: status["counts"][name] - before[name] for name in ("saved", "failed", "history_loads", "requests")}
    assert counts["saved"] >= 2 and counts["failed"] == 0 and counts["history_loads"] >= 1 and counts["requests"] >= 5
    assert status["status"] == "ok" and status["reasons"] == []
    assert status["store"]["engine"].startswith("SQLite 3.") and status["store"]["commits"] > 0
    assert status["latencies"]["save"]["count"] > 0
    assert 0 < status["latencies"]["save"]["p50_us"] <= status["latencies"]["save"]["max_us"]
    assert len(status["history"]) == 60 and {target["name"] for target in status["targets"]} >= {"load", "save"}


def test_an_attached_client_is_a_live_session(server: Server, operator: Native) -> None:
    user = new_user()
    with connect(f"ws://127.0.0.1:{server.port}/v1/live", subprotocols=["parley.v1"], user_agent_header="phone 7",
                 additional_headers={"Authorization": f"Bearer {server.token(user)}"}) as socket:
        socket.send(json.dumps({"type": "attach", "session_id": "trip"}))
        attached = json.loads(socket.recv())
        assert [other["client"] for other in attached["presence"]["connections"]] == ["phone 7"]
        sessions = [row for row in every_session(operator) if row["user_id"] == user]
        assert len(sessions) == 1 and sessions[0]["session_id"] == "trip" and sessions[0]["pending"] == 0
        assert sessions[0]["conversation_id"] == attached["conversation"]["id"]
        assert [(one["client"], one["address"]) for one in sessions[0]["connections"]] == [("phone 7", "127.0.0.1")]
    poll(lambda: all(row["user_id"] != user for row in every_session(operator)), 5, "the session to end")


def every_session(operator: Native) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = operator.ask("GET", f"/v1/sessions?limit=1{cursor}").json
        rows += page["data"]
        if not page["has_more"]:
            return rows
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=none", "cursor=sessions-1", "since=1"])
def test_a_wrong_query_of_sessions_is_refused(operator: Native, query: str) -> None:
    assert operator.ask("GET", f"/v1/sessions?{query}").status == 400


def test_the_log_is_read_from_a_number_on(own_server: Server) -> None:
    operator = Native(own_server, own_server.service_key)
    first = operator.ask("GET", "/v1/log?limit=1").json
    assert first["data"][0]["number"] == 1 and first["data"][0]["level"] in ("info", "notice", "warning")
    numbers: list[int] = []
    page = operator.ask("GET", "/v1/log?since=0&limit=200").json
    numbers += [record["number"] for record in page["data"]]
    assert numbers == list(range(1, page["last"] + 1)) and not page["has_gap"] and not page["has_more"]
    assert "listening" in [record["message"] for record in page["data"]]
    assert operator.ask("GET", f"/v1/log?since={page['last']}").json["data"] == []


def test_the_dashboard_prints_the_status_for_scripts(server: Server) -> None:
    printed = dashboard(server, "--once", "--json")
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["status"] == "ok" and printed.stderr == ""


def test_the_dashboard_says_what_is_wrong(server: Server, tmp_path: Path) -> None:
    assert dashboard(server, "--json").returncode == 64
    assert dashboard(server, "--once", "--interval", "0").returncode == 64
    wrong = tmp_path / "token"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    refused = dashboard(server, "--once", "--json", "--token-file", str(wrong))
    assert refused.returncode != 0 and "token" in refused.stderr and "wrong" not in refused.stderr
    away = subprocess.run(
        [binary(), "dashboard", "--once", "--json", "--server", "http://192.0.2.1:1"], capture_output=True, text=True)
    assert away.returncode == 78 and "--token-file" in away.stderr
    gone = server.run("dashboard", "--once", "--json", "--server", "http://127.0.0.1:9")
    assert gone.returncode == 69, gone.stderr


def metrics(server: Server) -> dict[str, float]:
    """Returns the samples of `/metrics` by name and labels, read by Prometheus' own client."""
    with Native(server, "") as anybody:
        answer = anybody.ask("GET", "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.documentation and family.type != "unknown", family.name
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in samples, f"{name} stands there twice"
            samples[name] = sample.value
    return samples


def test_prometheus_reads_what_was_measured(server: Server) -> None:
    before = metrics(server)
    user = new_user()
    with Native(server, server.token(user)) as native:
        conversation = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        for number in range(5):
            assert native.append(conversation, {"role": "user", "content": f"{number}"}).status == 201
        native.page(conversation)
    client = backend_client(server)
    store(client, open_conversation(client, user, "former"), "hello")
    after = metrics(server)

    def risen(name: str) -> float:
        return after[name] - before[name]

    assert risen("parley_saves_total{result=stored}") >= 8 and risen("parley_saves_total{result=failed}") == 0
    assert risen("parley_requests_total") >= 9 and risen("parley_history_loads_total") >= 1
    for kind, calls in (("save", 8), ("load", 1), ("query", 0), ("rpc", 2)):
        assert risen(f"parley_{kind}_seconds_count") >= calls
        buckets = [value for name, value in after.items() if name.startswith(f"parley_{kind}_seconds_bucket")]
        assert buckets == sorted(buckets) and buckets[-1] == after[f"parley_{kind}_seconds_count"]
    assert 0 < after["parley_save_seconds_sum"] < 60
    assert after["parley_accepts_messages"] == 1 and after["parley_degraded"] == 0
    assert after["parley_spool_waiting"] == 0 and after["parley_spool_accepts_messages"] == 1
    assert after["parley_canary_ok"] == 1 and after["parley_canary_failures_total"] == 0
    assert after["parley_store_commits_total"] > 0 and after["process_resident_memory_bytes"] > 1_000_000
    assert after["process_cpu_seconds_total"] > before["process_cpu_seconds_total"]
    text = Native(server, "").ask("GET", "/metrics").body.decode()
    assert user not in text and conversation not in text


def test_the_canary_says_when_the_store_does_not_keep_what_it_is_given(own_server: Server) -> None:
    def canary() -> dict[str, Any]:
        with Native(own_server, own_server.service_key) as operator:
            found: dict[str, Any] = operator.ask("GET", "/v1/status").json["store"]["canary"] or {}
            return found

    poll(lambda: "us" in canary(), 5, "the first canary")
    first = canary()
    assert first["us"] > 0 and first["failure"] is None and first["failures"] == 0
    own_server.stop()
    with own_server.without_store():
        own_server.start()
        assert metrics(own_server)["parley_degraded"] == 1 and "parley_canary_ok" not in metrics(own_server)
    poll(lambda: canary().get("failure", "") is None, 5, "a canary of the store that is back")
