"""How many requests a minute a user and an address may make."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from harness import Answer, Native, Server, backend_client, new_user, open_conversation, user_client
from supabase import PostgrestAPIError

PROXY = {"PARLEY_TRUSTED_PROXIES": "10.0.0.9, 127.0.0.1"}


def limited(directory: Path, settings: dict[str, str]) -> Server:
    """Returns a running server with the settings."""
    return Server(directory, settings=settings).start()


def check_refusal(answer: Answer) -> None:
    """Checks that the answer says how long to wait, twice."""
    assert answer.status == 429, answer
    assert answer.json["code"] == "rate_limited"
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 60 and f"in {wait} s" in answer.json["detail"]


def test_a_user_has_its_requests_and_others_have_theirs(tmp_path: Path) -> None:
    """The fourth request is 429 at every door, another user and the service role go on."""
    server = limited(tmp_path, {"PARLEY_RATE_LIMIT_USER": "3"})
    try:
        user, other = new_user(), new_user()
        with Native(server, server.token(user)) as native:
            assert [native.ask("GET", "/v1/conversations").status for _ in range(3)] == [200] * 3
            check_refusal(native.ask("GET", "/v1/conversations"))
            with pytest.raises(PostgrestAPIError) as caught:
                open_conversation(user_client(server, server.token(user)), user)
            assert caught.value.code == "53400"
        with Native(server, server.token(other)) as native:
            assert native.ask("GET", "/v1/conversations").status == 200
        for _ in range(5):
            assert open_conversation(backend_client(server), user)
        server.stop()
    finally:
        server.clean_up()


def test_an_address_has_its_requests_whoever_asks_and_probes_are_free(tmp_path: Path) -> None:
    """Bad keys count too: guessing them is what the limit is for."""
    server = limited(tmp_path, {"PARLEY_RATE_LIMIT_ADDRESS": "3"})
    try:
        with Native(server, "nonsense") as native:
            assert [native.ask("GET", "/v1/conversations").status for _ in range(3)] == [401] * 3
            check_refusal(native.ask("GET", "/v1/conversations"))
            rest = native.ask("GET", "/rest/v1/pam_messages", headers={"apikey": server.service_key})
            assert rest.status == 429 and rest.json["code"] == "53400" and "retry-after" in rest.headers
            assert [native.ask("GET", path).status for path in ("/healthz", "/readyz")] == [200, 200]
            # What a stranger says about its address counts for nothing.
            check_refusal(native.ask("GET", "/v1/limits", headers={"X-Forwarded-For": "192.0.2.1"}))
        server.stop()
    finally:
        server.clean_up()


def test_behind_a_trusted_proxy_the_client_counts(tmp_path: Path) -> None:
    """The last address that no trusted proxy has; of IPv6 its first half."""
    server = limited(tmp_path, {"PARLEY_RATE_LIMIT_ADDRESS": "2", **PROXY})

    def statuses(*hops: str) -> list[int]:
        with Native(server, server.service_key) as native:
            return [native.ask("GET", "/v1/limits", headers={"X-Forwarded-For": hop}).status for hop in hops]

    try:
        assert statuses("192.0.2.1", "6.6.6.6, 192.0.2.1", "7.7.7.7, 192.0.2.1, 10.0.0.9") == [200, 200, 429]
        assert statuses("192.0.2.2", "192.0.2.2", "192.0.2.2") == [200, 200, 429]
        assert statuses("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:1::3") == [200, 200, 429]
        assert statuses("2001:db8:1:2::1") == [200]
        server.stop()
    finally:
        server.clean_up()


def test_an_ipv4_client_is_the_same_on_a_socket_that_listens_on_both(tmp_path: Path) -> None:
    """There its address is mapped into IPv6, where all such addresses begin alike."""
    server = Server(tmp_path, settings={"PARLEY_RATE_LIMIT_ADDRESS": "2", "PARLEY_TRUSTED_PROXIES": "127.0.0.9"})
    server.host = "[::]"

    def status(source: str, hop: str = "") -> int:
        asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10, source_address=(source, 0))
        asked.request("GET", "/v1/limits", headers={"X-Forwarded-For": hop} if hop else {})
        return asked.getresponse().status

    try:
        server.start()
        assert [status("127.0.0.2") for _ in range(3)] == [200, 200, 429]
        assert status("127.0.0.3") == 200
        assert [status("127.0.0.9", "192.0.2.7") for _ in range(3)] == [200, 200, 429]
        assert status("127.0.0.9", "192.0.2.8") == 200
        server.stop()
    finally:
        server.clean_up()


@pytest.mark.parametrize(("name", "value"), [
    ("PARLEY_TRUSTED_PROXIES", "10.0.0.2 10.0.0.3"),
    ("PARLEY_RATE_LIMIT_USER", "-1"), ("PARLEY_RATE_LIMIT_ADDRESS", "many"), ("PARLEY_TRUSTED_PROXIES", "proxy.example"),
    ("PARLEY_MAX_CONNECTIONS", "0"), ("PARLEY_HEAD_SECONDS", "0"), ("PARLEY_TRANSFER_SECONDS", "1e3")])
def test_a_setting_that_makes_no_sense_ends_the_start(tmp_path: Path, name: str, value: str) -> None:
    """With exit code 78 and a line that names the setting."""
    server = Server(tmp_path, settings={name: value})
    with pytest.raises(AssertionError, match="exit code 78"):
        server.start()
    server.clean_up()
    assert name.removeprefix("PARLEY_").lower() in server.stderr.read_text()
