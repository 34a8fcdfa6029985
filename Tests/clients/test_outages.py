"""A store that is down: messages are acknowledged as spooled, a chat goes on, and all is stored once, in order."""

from __future__ import annotations

from typing import Any

from harness import Native, Server, backend_client, history, new_user, open_conversation, poll, store, user_client
from test_live import Device

BACK_SECONDS = 10.0


def spool(server: Server) -> dict[str, Any]:
    """Returns what the server says about its spool."""
    with Native(server, server.service_key) as operator:
        found: dict[str, Any] = operator.ask("GET", "/v1/status").json["spool"]
        return found


def ready(server: Server) -> tuple[int, dict[str, Any]]:
    """Returns status and body of the readiness probe."""
    with Native(server, "") as anybody:
        answer = anybody.ask("GET", "/readyz")
        return answer.status, answer.json


def wait_until_stored(server: Server) -> None:
    """Waits until nothing is in the spool any more and the server is well."""
    poll(lambda: spool(server)["waiting"] == 0 and ready(server)[1]["status"] == "ok", BACK_SECONDS, "an empty spool")


def say(native: Native, conversation: str, text: str, **more: Any) -> dict[str, Any]:
    """Appends one message and returns the receipt of one that was spooled."""
    answer = native.append(conversation, {"role": "user", "content": text, **more})
    assert answer.status == 202, answer
    receipt: dict[str, Any] = answer.json
    assert receipt["durability"] == receipt["message"]["durability"] == "spooled"
    assert receipt["version"] is None and receipt["message"]["position"] is None
    return receipt


def test_what_is_spooled_is_stored_once_and_in_order_under_the_id_that_was_acknowledged(own_server: Server) -> None:
    with Native(own_server, own_server.token(new_user())) as native:
        known = native.ask("POST", "/v1/conversations", {"session_id": "phone"}).json["conversation"]["id"]
        native.append_all(known, ["before"])
        with own_server.without_store():
            sent = [say(native, known, f"{number}", client_id=f"c{number}") for number in range(20)]
            again = say(native, known, "3", client_id="c3")
            assert again["replayed"] and again["message"]["id"] == sent[3]["message"]["id"]
            assert native.append(known, {"role": "user", "content": "other", "client_id": "c3"}).status == 409
            made = native.ask("POST", "/v1/conversations", {"session_id": "tablet"})
            assert made.status == 202 and made.json["version"] is None
            fresh = made.json["conversation"]["id"]
            say(native, fresh, "in a new session")
            status, body = ready(own_server)
            assert status == 200 and body["status"] == "degraded" and "The store is down" in body["reasons"][0]
            assert spool(own_server)["waiting"] == 22
        wait_until_stored(own_server)
        stored = native.messages(known)
        assert [message["content"] for message in stored] == ["before", *(f"{number}" for number in range(20))]
        assert [message["id"] for message in stored[1:]] == [receipt["message"]["id"] for receipt in sent]
        assert [message["position"] for message in stored] == list(range(1, 22))
        assert native.ask("POST", "/v1/conversations", {"session_id": "tablet"}).json["conversation"]["id"] == fresh
        assert [message["content"] for message in native.messages(fresh)] == ["in a new session"]
        replay = native.append(known, {"role": "user", "content": "3", "client_id": "c3"})
        assert replay.status == 200 and replay.json["replayed"] and replay.json["durability"] == "stored"
    assert own_server.check()[0] == 0


def test_what_needs_the_store_is_refused_with_the_time_to_try_again(own_server: Server) -> None:
    with Native(own_server, own_server.token(new_user())) as native, \
            Native(own_server, own_server.token(new_user())) as stranger:
        conversation = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        message = native.append_all(conversation, ["before"])[0]["id"]
        with own_server.without_store():
            say(native, conversation, "starts the outage")
            refused = [native.ask("PATCH", f"/v1/messages/{message}", {"content": "edited"}),
                       native.ask("PATCH", f"/v1/conversations/{conversation}", {"title": "T"}),
                       native.ask("DELETE", f"/v1/conversations/{conversation}"),
                       native.ask("POST", f"/v1/conversations/{conversation}/branches", {"from_message": message})]
            for answer in refused:
                assert answer.status == 503 and answer.json["code"] == "unavailable", answer
                assert int(answer.headers["retry-after"]) > 0
            # A stranger's message and one to a conversation that nobody has get the same answer.
            foreign = stranger.append(conversation, {"role": "user", "content": "mine?"})
            unknown = stranger.append(new_user(), {"role": "user", "content": "mine?"})
            assert foreign.status == unknown.status == 503
            assert foreign.json | {"request_id": ""} == unknown.json | {"request_id": ""}
        wait_until_stored(own_server)
        assert [each["content"] for each in native.messages(conversation)] == ["before", "starts the outage"]


def test_a_program_of_the_former_system_notices_nothing(own_server: Server) -> None:
    user = new_user()
    backend, own = backend_client(own_server), user_client(own_server, own_server.token(user))
    conversation = open_conversation(own, user, "phone")
    ids = [store(own, conversation, "hello")]
    with own_server.without_store():
        for number in range(10):
            ids.append(store((backend, own)[number % 2], conversation, f"{number}", ("assistant", "user")[number % 2]))
        assert open_conversation(backend, user, "phone") == conversation
        fresh = open_conversation(own, user, "tablet")
        store(own, fresh, "on the tablet")
        rows = history(own, user, p_session_id="phone", p_limit=20)
        assert [row["content"] for row in rows] == [*(f"{number}" for number in range(9, -1, -1)), "hello"]
    wait_until_stored(own_server)
    rows = own.table("pam_messages").select("id").eq("conversation_id", conversation).order("created_at").execute().data
    assert [row["id"] for row in rows] == ids
    assert open_conversation(own, user, "tablet") == fresh
    assert [row["content"] for row in history(own, user, p_session_id="tablet")] == ["on the tablet"]


def test_devices_that_are_attached_chat_on_and_are_told_when_it_is_stored(own_server: Server) -> None:
    token = own_server.token(new_user())
    with Device(own_server, token) as phone, Device(own_server, token) as tablet:
        start = phone.ask("attach", "attached", session_id="trip")
        conversation = start["conversation"]["id"]
        tablet.ask("attach", "attached", session_id="trip")
        with own_server.without_store():
            acks = [phone.ask("send", "ack", client_id=f"c{number}", content=f"{number}") for number in range(3)]
            assert {ack["durability"] for ack in acks} == {"spooled"} and acks[0]["version"] is None
            with Device(own_server, token) as late:
                seen = late.ask("attach", "attached", conversation_id=conversation, since=start["version"])
                assert [message["content"] for message in seen.get("messages", [])][-2:] == ["1", "2"]
        for device in (phone, tablet):
            stored, versions = [], []
            while len(stored) < 3 or len(versions) < 3:
                frame = device.hear("stored", "event")
                (stored if frame["type"] == "stored" else versions).append(frame)
            assert [frame["id"] for frame in stored] == [ack["message"]["id"] for ack in acks]
            assert [(frame["client_id"], frame["position"]) for frame in stored] == [("c0", 1), ("c1", 2), ("c2", 3)]
            assert [frame["version"] for frame in versions] == [start["version"] + step for step in (1, 2, 3)]


def test_a_server_starts_with_its_store_down_and_takes_it_when_it_is_back(own_server: Server) -> None:
    token = own_server.token(new_user())
    with Native(own_server, token) as native:
        conversation = native.ask("POST", "/v1/conversations", {"session_id": "phone"}).json["conversation"]["id"]
        native.append_all(conversation, ["before"])
    own_server.stop()
    with own_server.without_store():
        own_server.start()
        with Native(own_server, token) as native:
            say(native, conversation, "with the store down")
            page = native.page(conversation)
            assert page["degraded"] and page["data"][-1]["content"] == "with the store down"
        # Ended and started again, it still has what it acknowledged.
        own_server.kill9()
        own_server.start()
        assert spool(own_server)["waiting"] == 1
        code, findings = own_server.check()
        assert code == 69 and findings == ""
    wait_until_stored(own_server)
    with Native(own_server, token) as native:
        assert [each["content"] for each in native.messages(conversation)] == ["before", "with the store down"]


def test_a_store_that_was_never_there_must_open(own_server: Server) -> None:
    refused = own_server.refused_start("--data", str(own_server.directory / "other"), "--store", "sqlite:/nowhere/s")
    assert refused.returncode == 73 and "/nowhere/s: No such file or directory" in refused.stderr


def test_a_spool_that_is_damaged_is_named_and_not_replaced(own_server: Server) -> None:
    with Native(own_server, own_server.token(new_user())) as native:
        conversation = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        with own_server.without_store():
            say(native, conversation, "kept")
            own_server.kill9()
    path = own_server.data / "spool.sqlite"
    path.write_bytes(b"not a database" * 1_000)
    path.with_name("spool.sqlite-wal").unlink(missing_ok=True)
    refused = own_server.refused_start()
    assert refused.returncode == 65 and str(path) in refused.stderr, refused
    assert own_server.run("check").returncode == 65
    assert path.read_bytes().startswith(b"not a database")
