"""The live door: every attached device sees every change once and in order, and resumes without gaps."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from frames import Deaf
from harness import Native, Server, new_user, open_conversation, store, user_client

SECONDS = 10.0
# As the limits say: what may wait for a client, and beside it what the system holds of it on both sides.
BACKLOG_BYTES, SYSTEM_BYTES = 1_048_576, 524_288
DEAF_CLIENTS, DEAF_SECONDS = 20, 30.0
CUT_CLIENTS = int(os.environ.get("PARLEY_TEST_CUT_CLIENTS", "100"))


class Device:
    """One attached client; for one thread at a time."""

    def __init__(self, server: Server, token: str) -> None:
        self._socket: ClientConnection = connect(
            f"ws://127.0.0.1:{server.port}/v1/live", subprotocols=["parley.v1"],
            additional_headers={"Authorization": f"Bearer {token}"}, max_size=None)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, type: str, **fields: Any) -> None:
        """Sends one frame."""
        self._socket.send(json.dumps({"type": type, **fields}))

    def hear(self, *types: str) -> dict[str, Any]:
        """Returns the next frame of one of these types and passes over presence, which comes at any time."""
        while True:
            frame: dict[str, Any] = json.loads(self._socket.recv(SECONDS))
            if frame["type"] in types:
                return frame
            assert frame["type"] == "presence", f"expected {types}, got {frame}"

    def hear_one(self, *types: str, passing: tuple[str, ...]) -> dict[str, Any]:
        """Returns the next frame of one of these types and passes over those of some others."""
        while True:
            frame: dict[str, Any] = json.loads(self._socket.recv(SECONDS))
            if frame["type"] in types:
                return frame
            assert frame["type"] in passing, f"expected {types}, got {frame}"

    def ask(self, type: str, answer: str, **fields: Any) -> dict[str, Any]:
        """Sends one frame and returns its answer, which repeats the `ref`."""
        self.say(type, ref=f"{type}-1", **fields)
        # Events of what others change, and of what this device changed before, come when they come.
        while (frame := self.hear(answer, "event", "hint"))["type"] != answer:
            continue
        assert frame["ref"] == f"{type}-1"
        return frame

    def attach(self, **where: Any) -> dict[str, Any]:
        """Attaches and returns what the device is given to start from."""
        return self.ask("attach", "attached", **where)


def contents(event: dict[str, Any]) -> list[str]:
    """Returns what the messages of an event say."""
    return [change["row"]["content"] for change in event["changes"] if change["kind"] == "message"]


@pytest.fixture
def token(server: Server) -> str:
    """Returns the token of a user of the test's own."""
    return server.token(new_user())


@pytest.fixture
def device(server: Server, token: str) -> Iterator[Device]:
    """Yields a connected device."""
    with Device(server, token) as made:
        yield made


def test_an_unknown_session_is_made_and_a_known_one_found(server: Server, token: str, device: Device) -> None:
    """The device is told the conversation, its newest page, and who is there."""
    first = device.attach(session_id="phone")
    assert first["conversation"]["session_id"] == "phone" and first["messages"] == [] and first["version"] == 1
    with Native(server, token) as native:
        native.append_all(first["conversation"]["id"], [f"m{number}" for number in range(25)])
    with Device(server, token) as other:
        second = other.attach(session_id="phone")
        assert second["conversation"]["id"] == first["conversation"]["id"]
        assert [message["content"] for message in second["messages"]] == [f"m{number}" for number in range(5, 25)]
        assert second["has_before"] and len(second["presence"]["connections"]) == 2
        page = other.ask("history", "history", before=second["before"], limit=10)
        assert [message["content"] for message in page["data"]] == ["m0", "m1", "m2", "m3", "m4"]
        assert other.attach(conversation_id=first["conversation"]["id"])["branch"] == 0
        default = other.attach(session_id=None)
        assert default["conversation"]["is_default"]


def test_one_hears_of_ones_own_change_after_its_answer(device: Device) -> None:
    """First the acknowledgement, then the event, with the same message."""
    device.attach(session_id=None)
    ack = device.ask("send", "ack", client_id="c", content="hello")
    assert ack["client_id"] == "c" and ack["durability"] == "stored" and not ack["replayed"]
    event = device.hear("event")
    assert event["version"] == ack["version"] == 2 and contents(event) == ["hello"]
    again = device.ask("send", "ack", client_id="c", content="hello")
    assert again["replayed"] and again["message"]["id"] == ack["message"]["id"]
    edited = device.ask("edit", "ack", message_id=ack["message"]["id"], content="hello again")
    assert edited["message"]["revision"] == 2
    assert contents(device.hear("event")) == ["hello again"]


def test_three_devices_and_a_former_program_on_one_session(server: Server) -> None:
    """Each device sees each message once, in order, whoever wrote it through whichever door."""
    user = new_user()
    token = server.token(user)
    client = user_client(server, token)
    conversation = open_conversation(client, user, "shared")
    with ExitStack() as stack:
        devices = [stack.enter_context(Device(server, token)) for _ in range(3)]
        for device in devices:
            device.attach(session_id="shared")
        written = []
        for number in range(30):
            writer = number % 4
            written.append(f"{number} by {writer}")
            if writer == 3:
                store(client, conversation, written[-1])
            else:
                devices[writer].say("send", client_id=f"c{number}", content=written[-1])
        for device in devices:
            seen: list[str] = []
            version = 1
            while len(seen) < len(written):
                frame = device.hear("event", "ack")
                if frame["type"] == "event":
                    assert frame["version"] == version + 1, "versions without holes"
                    version = frame["version"]
                    seen += contents(frame)
            assert sorted(seen) == sorted(written)
            with Native(server, token) as native:
                assert seen == [message["content"] for message in native.messages(conversation)]


def test_a_device_keeps_its_branch(server: Server, token: str, device: Device) -> None:
    """Another one's switch does not move it; its own edit as a branch does."""
    attached = device.attach(session_id="b")
    conversation = attached["conversation"]["id"]
    first = device.ask("send", "ack", client_id="1", content="a")["message"]
    device.hear("event")
    with Native(server, token) as native:
        body = {"edit_message": first["id"], "content": "A"}
        assert native.ask("POST", f"/v1/conversations/{conversation}/branches", body).json["branch"]["active"]
    device.hear("event")
    assert device.ask("send", "ack", client_id="2", content="b")["message"]["branch"] == 0
    device.hear("event")
    assert device.ask("switch", "ack", branch=1)["branch"]["number"] == 1
    assert device.ask("send", "ack", client_id="3", content="B")["message"]["branch"] == 1
    device.hear("event")
    made = device.ask("branch", "ack", edit_message=first["id"], content="again")
    assert made["branch"]["number"] == 2 and made["message"]["content"] == "again"
    device.hear("event")
    assert device.ask("send", "ack", client_id="4", content="c")["message"]["branch"] == 2
    assert device.ask("switch", "error", branch=9)["code"] == "not_found"


def test_presence_typing_and_hints(server: Server, token: str, device: Device) -> None:
    """Who is there and who writes is told to the others; a watcher hears of every conversation of its user."""
    device.attach(session_id="p")
    device.ask("watch", "watching")
    with Device(server, token) as other:
        other.attach(session_id="p")
        other.say("typing", on=True)
        frames = [json.loads(device._socket.recv(SECONDS)) for _ in range(2)]
        assert [len(frame["connections"]) for frame in frames] == [2, 2]
        assert [len(frame["typing"]) for frame in frames] == [0, 1]
        elsewhere = other.attach(session_id="elsewhere")
        other.ask("send", "ack", client_id="x", content="Tickets to Oslo")
        # The first hint may be of its making.
        while (hint := device.hear("hint"))["version"] < 2:
            assert hint["title"] is None
        assert hint["conversation_id"] == elsewhere["conversation"]["id"]
        assert (hint["version"], hint["title"]) == (2, "Tickets to Oslo")
        assert other.ask("detach", "detached")["ref"]
    stranger = server.token(new_user())
    with Native(server, stranger) as native:
        conversation = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        native.append(conversation, {"role": "user", "content": "not yours"})
    device.ask("ping", "pong")


def test_a_bad_frame_hurts_nobody(server: Server, token: str, device: Device) -> None:
    """It is answered with an error that says what is allowed, and the connection goes on."""
    for frame in ('nonsense', '[]', '{}', '{"type":7}', '{"type":"dance"}', '{"type":"attach"}',
                  '{"type":"attach","session_id":"a","conversation_id":"x"}', '{"type":"send","content":"x"}',
                  '{"type":"send","client_id":"c","content":"x"}', '{"type":"history"}', '{"type":"typing","on":true}',
                  '{"type":"ping","extra":1}', '{"type":"attach","session_id":"x","since":-1}', '{"a":' * 40 + "1" + "}" * 40):
        device._socket.send(frame)
        assert device.hear("error")["code"] == "invalid", frame
    assert device.ask("attach", "error", session_id="x", since=5)["code"] == "invalid"
    assert device.ask("ping", "pong")["ref"] == "ping-1"


def test_a_foreign_conversation_is_as_unknown_as_any(server: Server, token: str, device: Device) -> None:
    """The same answer, byte for byte, and no event ever."""
    with Native(server, server.token(new_user())) as native:
        foreign = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        answers = [device.ask("attach", "error", conversation_id=each)
                   for each in (foreign, "0190a5b0-7c00-7000-8000-00000000cafe")]
        assert answers[0] == answers[1] and answers[0]["code"] == "not_found"
        native.append(foreign, {"role": "user", "content": "secret"})
    device.ask("ping", "pong")


def test_a_device_resumes_by_version(server: Server, token: str) -> None:
    """It is given exactly what it missed, or a page and a word if that is too much."""
    with Device(server, token) as device:
        attached = device.attach(session_id="r")
        conversation, version = attached["conversation"]["id"], attached["version"]
    with Native(server, token) as native:
        native.append_all(conversation, ["a", "b"])
        native.append(conversation, {"role": "user", "content": "c"})
    with Device(server, token) as device:
        resumed = device.attach(session_id="r", since=version)
        assert [row["row"]["content"] for row in resumed["missed"] if row["kind"] == "message"] == ["a", "b", "c"]
        assert resumed["version"] == 3 and "messages" not in resumed and "resync" not in resumed
        assert device.attach(session_id="r", since=3)["missed"] == []
    with Native(server, token) as native:
        native.append_all(conversation, [f"{number}" for number in range(1_100)])
    with Device(server, token) as device:
        resumed = device.attach(session_id="r", since=version)
        assert resumed["resync"] and len(resumed["messages"]) == 20


def test_clients_that_never_read_are_closed_and_the_chat_goes_on(server: Server, token: str) -> None:
    """Those beside them miss nothing, and are told when the last of them has gone; a deaf one got what was its share."""
    long = "x" * 60_000
    with Device(server, token) as writer, Device(server, token) as reader:
        writer.attach(session_id="deaf")
        version = reader.attach(session_id="deaf")["version"]
        deaf = [Deaf(server, token, "deaf") for _ in range(DEAF_CLIENTS)]
        while len(reader.hear("presence")["connections"]) < 2 + DEAF_CLIENTS:
            continue
        start, heard, there = time.monotonic(), 0, 2 + DEAF_CLIENTS
        while there > 2:
            assert time.monotonic() - start < DEAF_SECONDS
            writer.ask("send", "ack", client_id=f"c{heard}", content=f"{heard} {long}")
            heard += 1
            while (frame := reader.hear("event", "presence"))["type"] == "presence":
                there = len(frame["connections"])
            version += 1
            assert frame["version"] == version and contents(frame) == [f"{heard - 1} {long}"]
        for each in deaf:
            assert each.bytes_to_the_end(SECONDS) < BACKLOG_BYTES + SYSTEM_BYTES
        assert writer.ask("ping", "pong")


def test_connections_cut_anywhere_resume_without_gaps(server: Server) -> None:
    """Each client breaks off again and again while others write; none misses a message or gets one twice."""
    user = new_user()
    token = server.token(user)
    with Native(server, token) as native:
        conversation = native.ask("POST", "/v1/conversations", {"session_id": "cut"}).json["conversation"]["id"]
    dice = random.Random(11)
    total = 200

    async def write() -> None:
        def all_of_them() -> None:
            with Native(server, token) as native:
                for number in range(total):
                    assert native.append(conversation, {"role": "user", "content": f"m{number}"}).status == 201
        await asyncio.to_thread(all_of_them)

    async def follow(start: float) -> list[str]:
        seen: list[str] = []
        version: int | None = None
        await asyncio.sleep(start)
        while len(seen) < total:
            async with connect_async(
                f"ws://127.0.0.1:{server.port}/v1/live", subprotocols=["parley.v1"], max_size=None,
                additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=60,
            ) as socket:
                fields = {"since": version} if version is not None else {"since": 0}
                await socket.send(json.dumps({"type": "attach", "conversation_id": conversation, **fields}))
                try:
                    async with asyncio.timeout(dice.uniform(0.05, 1.5)):
                        async for text in socket:
                            frame = json.loads(text)
                            rows = frame.get("missed") if frame["type"] == "attached" else frame.get("changes")
                            if frame["type"] in ("attached", "event"):
                                seen += [row["row"]["content"] for row in rows if row["kind"] == "message"]
                                version = frame["version"]
                            if len(seen) >= total:
                                return seen
                except (TimeoutError, ConnectionClosed):
                    pass
                # Not a word of goodbye: whatever was on its way is lost.
                socket.transport.abort()
        return seen

    async def everything() -> list[list[str]]:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(write())
            followers = [group.create_task(follow(dice.uniform(0, 0.5))) for _ in range(CUT_CLIENTS)]
        writer.result()
        return [follower.result() for follower in followers]

    expected = [f"m{number}" for number in range(total)]
    results = asyncio.run(asyncio.wait_for(everything(), 240))
    assert all(seen == expected for seen in results)
