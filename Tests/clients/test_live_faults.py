"""The live door when connections break inside a frame and when the server stops: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync

from frames import Cut, Wire, framed
from harness import Native, Server, new_user
from ledger import Acknowledgement, Ledger, OutcomeUnknown, Send, Writer, judge, send_again

CUT_CLIENTS = int(os.environ.get("PARLEY_TEST_CUT_CLIENTS", "100"))
STOPPED_SOCKETS = int(os.environ.get("PARLEY_TEST_STOPPED_SOCKETS", "100"))
SECONDS = 240.0
STOP_SECONDS = 10.0
# Of those that are cut, so many share a conversation; each sends so many messages beside those of a program.
GROUP, OWN, OTHERS = 25, 4, 50
# Bytes after which the first connection is cut at the latest; twice as many for each one after it.
FIRST_BYTES = 500
# Of those that see the server stop, so many share a conversation, and so many of these are sending.
ROOM, SENDING = 5, 2


@pytest.fixture(autouse=True)
def many_files() -> None:
    """Allows this process the sockets of a full run."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))


# Cut anywhere


@dataclass
class Roamer:
    """A client whose connection is cut again and again: what it sends, and what it was told in all."""

    number: int
    version: int = 0
    seen: list[str] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cuts: int = 0
    cuts_inside: int = 0

    @property
    def client_ids(self) -> list[str]:
        """Returns what it calls its messages."""
        return [f"roamer-{self.number}-{message}" for message in range(OWN)]

    async def live(self, server: Server, token: str, conversation: str, total: int, dice: random.Random,
                   forgets: int = 0) -> None:
        """Connects again after each cut until it has sent and seen all; `forgets` versions too many is a fault."""
        most = FIRST_BYTES
        while len(self.seen) < total or len(self.acknowledged) < OWN:
            bytes_out = dice.uniform(0, 1_200) if dice.random() < 0.5 else math.inf
            wire = Wire(server, token, bytes_out, dice.uniform(0, most))
            try:
                await wire.open()
                since = max(0, self.version - forgets)
                await wire.say(framed("attach", conversation_id=conversation, since=since))
                await self._converse(wire, total)
            except Cut:
                self.cuts += 1
                self.cuts_inside += wire.is_inside
                most *= 2
            finally:
                wire.drop(reset=dice.random() < 0.7)

    async def _converse(self, wire: Wire, total: int) -> None:
        while (frame := await wire.hear())["type"] != "attached":
            assert frame["type"] == "presence", frame
        assert "resync" not in frame
        self._take(frame["version"], frame["missed"])
        while len(self.seen) < total or len(self.acknowledged) < OWN:
            waiting = next((name for name in self.client_ids if name not in self.acknowledged), None)
            if waiting is not None:
                await wire.say(framed("send", client_id=waiting, content=f"{waiting} says so", ref=waiting))
            while True:
                frame = await wire.hear()
                if frame["type"] == "event":
                    if frame["version"] != self.version + 1:
                        self.faults.append(f"version {frame['version']} after {self.version}")
                    self._take(frame["version"], frame["changes"])
                    if waiting is None:
                        break
                elif frame["type"] == "ack":
                    assert frame["ref"] == frame["client_id"] == waiting and frame["durability"] == "stored"
                    self.acknowledged[frame["client_id"]] = frame["message"]["id"]
                    break
                else:
                    assert frame["type"] == "presence", frame

    def _take(self, version: int, changes: list[dict[str, Any]]) -> None:
        self.seen += [change["row"]["id"] for change in changes if change["kind"] == "message"]
        self.version = version


def faults(roamers: list[Roamer], stored: list[dict[str, Any]]) -> list[str]:
    """Holds what clients were told and what they sent against the stored conversation, oldest message first."""
    found = [f"{roamer.number}: {fault}" for roamer in roamers for fault in roamer.faults]
    ids, times = [row["id"] for row in stored], Counter(row["client_id"] for row in stored)
    by_client_id = {row["client_id"]: row["id"] for row in stored}
    for roamer in roamers:
        if roamer.seen != ids:
            found.append(f"{roamer.number} has seen {len(roamer.seen)}, {len(set(roamer.seen))} of them different, of {len(ids)}")
        for client_id in roamer.client_ids:
            if times[client_id] != 1:
                found.append(f"{client_id} is stored {times[client_id]} times")
            if roamer.acknowledged[client_id] != by_client_id.get(client_id):
                found.append(f"{client_id} was acknowledged as another message")
    return found


def roam(server: Server, groups: int, size: int, forgets: int = 0) -> list[tuple[list[Roamer], list[dict[str, Any]]]]:
    """Lets groups of clients roam while a program writes too; returns each group with its stored conversation."""
    token = server.token(new_user())
    with Native(server, token) as native:
        conversations = [native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"] for _ in range(groups)]
    dice = random.Random(11)
    crowds = [[Roamer(group * size + number) for number in range(size)] for group in range(groups)]
    total = size * OWN + OTHERS

    def write() -> None:
        with Native(server, token) as native:
            for number in range(OTHERS):
                for conversation in conversations:
                    assert native.append(conversation, {"role": "user", "content": f"m{number}"}).status == 201

    async def everything() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(write))
            for conversation, crowd in zip(conversations, crowds, strict=True):
                for roamer in crowd:
                    tasks.create_task(roamer.live(server, token, conversation, total, dice, forgets))

    asyncio.run(asyncio.wait_for(everything(), SECONDS))
    with Native(server, token) as native:
        return [(crowd, native.messages(conversation)) for conversation, crowd in zip(conversations, crowds, strict=True)]


def test_connections_cut_at_random_bytes_miss_nothing_and_get_nothing_twice(server: Server) -> None:
    """In the handshake, inside a frame of either side or between two, with a reset or an end; clients send again."""
    groups = roam(server, max(1, CUT_CLIENTS // GROUP), GROUP)
    for crowd, stored in groups:
        assert len(stored) == GROUP * OWN + OTHERS
        assert not (found := faults(crowd, stored)), found[:5]
    roamers = [roamer for crowd, _ in groups for roamer in crowd]
    cuts, inside = (sum(getattr(roamer, name) for roamer in roamers) for name in ("cuts", "cuts_inside"))
    print(f"{len(roamers)} clients, {cuts} cuts, {inside} of them inside a frame")
    assert min(roamer.cuts for roamer in roamers) >= 1 and cuts > 4 * len(roamers) and inside > cuts / 4


def test_control_a_client_that_resumes_from_too_early_gets_messages_twice(server: Server) -> None:
    """And the comparison says so: it would also see a server that does this by itself."""
    [(crowd, stored)] = roam(server, 1, 3, forgets=2)
    assert any("of them different" in fault for fault in faults(crowd, stored))


# Stopped


@contextmanager
def live_door(server: Server, token: str, conversation: str) -> Iterator[Send]:
    """Yields a way to send entries through a live socket of its own."""
    with connect_sync(
        f"ws://127.0.0.1:{server.port}/v1/live", additional_headers={"Authorization": f"Bearer {token}"},
    ) as socket:
        def answer(type: str, **fields: Any) -> dict[str, Any]:
            try:
                socket.send(json.dumps({"type": type, "ref": "r", **fields}))
                while (frame := json.loads(socket.recv(SECONDS))).get("ref") != "r":
                    continue
            except ConnectionClosed as error:
                raise OutcomeUnknown from error
            assert frame["type"] != "error", frame
            return frame

        answer("attach", conversation_id=conversation)
        yield lambda entry: acknowledgement(answer("send", client_id=entry.client_id, content=entry.content))


def acknowledgement(ack: dict[str, Any]) -> Acknowledgement:
    """Returns what an `ack` says of its message."""
    assert ack["durability"] == "stored"
    return Acknowledgement(ack["message"]["id"], ack["replayed"])


async def stop_under(
    server: Server, token: str, conversations: list[str], ledger: Ledger
) -> tuple[list[int | None], float]:
    """Stops the server under sockets, some of them sending; returns their close codes and the seconds it took."""
    places = [(conversation, place < SENDING) for conversation in conversations for place in range(ROOM)]
    attached, acknowledged = 0, set[int]()

    async def send(socket: ClientConnection, writer: int, conversation: str) -> None:
        while True:
            entry = ledger.draw(writer, conversation)
            await socket.send(json.dumps(
                {"type": "send", "client_id": entry.client_id, "content": entry.content, "ref": "r"}))
            while (frame := json.loads(await socket.recv())).get("ref") != "r":
                continue
            if frame["type"] == "error":
                assert frame["code"] == "unavailable", frame
                continue
            ledger.acknowledge(entry, acknowledgement(frame).message_id)
            acknowledged.add(writer)

    async def hold(writer: int, conversation: str, is_sending: bool) -> int | None:
        nonlocal attached
        async with connect(
            f"ws://127.0.0.1:{server.port}/v1/live", open_timeout=SECONDS, max_queue=None,
            additional_headers={"Authorization": f"Bearer {token}"},
        ) as socket:
            try:
                await socket.send(json.dumps({"type": "attach", "conversation_id": conversation}))
                while json.loads(await socket.recv())["type"] != "attached":
                    continue
                attached += 1
                if is_sending:
                    await send(socket, writer, conversation)
                while True:
                    await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None

    async with asyncio.TaskGroup() as tasks:
        holders = [tasks.create_task(hold(writer, *place)) for writer, place in enumerate(places)]
        senders = sum(is_sending for _, is_sending in places)
        deadline = time.monotonic() + SECONDS
        while attached < len(places) or len(acknowledged) < senders:
            assert time.monotonic() < deadline and not any(holder.done() for holder in holders)
            await asyncio.sleep(0.05)
        await asyncio.sleep(random.uniform(0.3, 1.0))
        start = time.monotonic()
        await asyncio.to_thread(server.stop)
        seconds = time.monotonic() - start
    return [holder.result() for holder in holders], seconds


def test_sigterm_among_sending_sockets_loses_nothing(own_server: Server) -> None:
    """All are told 1001; what was acknowledged is there, and what was not can be sent again without doubling."""
    token = own_server.token(new_user())
    with Native(own_server, token) as native:
        conversations = [
            native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
            for _ in range(max(1, STOPPED_SOCKETS // ROOM))]
    ledger = Ledger()
    codes, seconds = asyncio.run(stop_under(own_server, token, conversations, ledger))
    print(f"{len(codes)} sockets, ended after {seconds:.2f} s; {len(ledger.acknowledged)} messages acknowledged, "
          f"{len(ledger.unresolved)} not; codes {Counter(codes)}")
    assert ledger.unresolved, "no socket was interrupted"
    assert set(codes) == {1001} and seconds < STOP_SECONDS

    def stored() -> dict[str, list[dict[str, Any]]]:
        with Native(own_server, token) as native:
            return {conversation: native.messages(conversation) for conversation in conversations}

    own_server.restart()
    before = stored()
    verdict = judge(ledger, before)
    assert not verdict.faults, f"before sending again: {verdict}"
    writers = [
        Writer(conversation, partial(live_door, own_server, token, conversation))
        for conversation in conversations for _ in range(ROOM)]
    send_again(ledger, writers, before)
    verdict = judge(ledger, stored())
    assert not verdict.faults and not ledger.unresolved, f"after sending again: {verdict}"
