"""Answers whose readers are cut off at random bytes: what they put together is what is stored, to the character."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import Enum
from typing import Any

from frames import Cut, Line, Wire, ends_inside_character, framed
from harness import Native, Server, new_user

ANSWERS = int(os.environ.get("PARLEY_TEST_CUT_ANSWERS", "60"))
# Answers that are written at once, and the milliseconds from one word of each to the next.
AT_ONCE, PACE = 12, 20
WORDS = 80, 140
# Bytes received after which a first connection is cut at the latest, and a short one: a stream has some 20,000.
BYTES, SHORT_BYTES = 8_000, 400
# Connections of one reader that are cut; an answer has long ended by then.
CUTS = 30
# Seconds for one connection, and for all of them.
FOLLOW_SECONDS, SECONDS = 30.0, 900.0
# Before some connect again.
AWAY_SECONDS = 0.3
EXPECTED_MISTAKES = 3

# Words whose scalars are one to four bytes, and characters of several scalars, which the pieces of an answer may split.
PIECES = [
    "word", "Grüße", "naïve", "cafe\u0301", "週末", "犬狐", "𠮷野家", "한국어", "हिन्दी", "שלום", "مرحبا", "😀", "❤️", "👍🏽",
    "👩‍👩‍👧", "🇳🇴🇩🇪", "\u0301\u0323begins", "Z\u0351\u0342\u0318a\u0324l\u0360go", '"quoted"', "back\\slash", "\u2028",
    "\u200d", "\ufeff", "\x7f", "</b>", "e\u0301" * 120, "👩‍👩‍👧" * 50,
]
SPACES = [" ", " ", " ", " ", "  ", "\n", "\r\n", "\t", "\u3000"]


def text(dice: random.Random) -> str:
    """Returns a text; it begins with a plain letter, because a command stands before it."""
    words = dice.choices(PIECES, [1] * (len(PIECES) - 2) + [0.1, 0.1], k=dice.randint(*WORDS))
    return "a" + "".join(dice.choice(SPACES) + word for word in words)


def difference(heard: str, stored: str) -> tuple[int, int]:
    """Returns how many characters of a stored text were not heard, and how many were heard that are not in it."""
    if heard == stored:
        return 0, 0
    codes = [code for code in SequenceMatcher(None, heard, stored, autojunk=False).get_opcodes() if code[0] != "equal"]
    return sum(code[4] - code[3] for code in codes), sum(code[2] - code[1] for code in codes)


class Mistake(Enum):
    """What a reader does wrong, so that the comparison has something to find."""

    DOUBLES_A_PIECE = "takes a piece twice"
    SKIPS_THE_DRAFT = "goes on behind what it heard before it was cut off"
    KEEPS_THE_BEGINNING = "puts the answer behind what it heard of it before it was cut off"
    CUTS_A_PIECE = "takes a piece without its last character"


@dataclass
class Question:
    """What is asked in a conversation of its own, by several who call it by the same client id."""

    conversation: str
    content: str
    client_id: str


@dataclass
class Reader:
    """One who asks for an answer, or looks on, and whose connections are cut: what it heard and what was wrong."""

    question: Question
    dice: random.Random
    mistake: Mistake | None = None
    heard: str = ""
    # Heard to its end as it was written, and not found whole by one who was away then.
    is_streamed: bool = False
    answer: str | None = None
    cuts: int = 0
    cuts_in_answer: int = 0
    cuts_inside: int = 0
    cuts_inside_character: int = 0
    faults: list[str] = field(default_factory=list)
    mistakes: int = 0

    async def read(self, server: Server, token: str) -> None:
        """Connects again after each cut until it has the whole answer."""
        while self.answer is None:
            # Some lines are short, so that handshakes and heads are cut too.
            most = SHORT_BYTES if self.dice.random() < 0.15 else BYTES * (1 + self.cuts / 5)
            line = self.line(server, token, self.dice.uniform(0, most) if self.cuts < CUTS else float("inf"))
            before = self.heard
            try:
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self.follow(line)
            except Cut:
                self.cuts += 1
                self.cuts_in_answer += self.heard != before
            finally:
                line.drop(reset=self.dice.random() < 0.7)
            if self.dice.random() < 0.3:
                await asyncio.sleep(self.dice.uniform(0, AWAY_SECONDS))

    def line(self, server: Server, token: str, bytes_in: float) -> Line:
        """Returns a connection that is going to be cut."""
        raise NotImplementedError

    async def follow(self, line: Line) -> None:
        """Reads until the answer has ended or the line breaks off."""
        raise NotImplementedError

    def take(self, offset: int, piece: str) -> None:
        """Puts a piece behind what was heard: it must go on there."""
        if self.errs(Mistake.CUTS_A_PIECE):
            piece = piece[:-1]
        if offset != len(self.heard):
            self.faults.append(f"a piece at {offset} behind {len(self.heard)} characters")
        self.heard += piece
        if self.errs(Mistake.DOUBLES_A_PIECE):
            self.heard += piece

    def errs(self, mistake: Mistake) -> bool:
        """Tells whether it is time for this reader's mistake: now and then with a piece, always when it was cut off."""
        is_rare = mistake in (Mistake.DOUBLES_A_PIECE, Mistake.CUTS_A_PIECE)
        if self.mistake is not mistake or is_rare and self.dice.random() < 0.7:
            return False
        self.mistakes += 1
        return True

    def end(self, message: dict[str, Any], *, is_streamed: bool) -> None:
        """The answer has ended, and this is how it is stored; one who was away then has it from there."""
        self.answer, self.is_streamed = message["content"], is_streamed
        if message["status"] != "complete":
            self.faults.append(f"the answer is {message['status']}")
        if not is_streamed:
            if not message["content"].startswith(self.heard):
                self.faults.append("what was heard before is not how the answer begins")
            else:
                self.heard = message["content"]


class LiveReader(Reader):
    """A device: it attaches with the version that it knows, and asks if it is one that `asks`."""

    asks = False
    version = 0
    is_asked = False
    turn: str | None = None
    # The answer as an event told of it, when `done` has not come yet.
    row: dict[str, Any] | None = None

    def line(self, server: Server, token: str, bytes_in: float) -> Line:
        bytes_out = self.dice.uniform(0, 3_000) if self.dice.random() < 0.2 else float("inf")
        return Wire(server, token, bytes_out, bytes_in)

    async def follow(self, line: Line) -> None:
        assert isinstance(line, Wire)
        try:
            await line.open()
            await line.say(framed("attach", conversation_id=self.question.conversation, since=self.version))
            while (frame := await line.hear())["type"] != "attached":
                assert frame["type"] == "presence", frame
            assert "resync" not in frame
            self.learn(frame["version"], frame["missed"], is_streaming=False)
            if self.asks and not self.is_asked and self.answer is None:
                await line.say(framed("turn", client_id=self.question.client_id, content=self.question.content))
            is_streaming = False
            while self.answer is None:
                is_streaming = self.hear(await line.hear(), is_streaming)
        except Cut:
            self.cuts_inside += line.is_inside
            self.cuts_inside_character += line.is_inside_character
            if self.row is not None:
                self.end(self.row, is_streamed=True)
            raise

    def hear(self, frame: dict[str, Any], is_streaming: bool) -> bool:
        """Takes one frame; tells whether the answer has come over this connection so far."""
        if "turn_id" in frame:
            if self.turn not in (None, frame["turn_id"]):
                self.faults.append(f"the turn {frame['turn_id']} behind {self.turn}")
            self.turn = frame["turn_id"]
        match frame["type"]:
            case "ack":
                self.is_asked = True
            case "event":
                if frame["version"] != self.version + 1:
                    self.faults.append(f"version {frame['version']} after {self.version}")
                self.learn(frame["version"], frame["changes"], is_streaming=is_streaming)
            case "draft":
                if not frame["text"].startswith(self.heard):
                    self.faults.append("what was heard before is not how the draft begins")
                if not self.heard or not self.errs(Mistake.SKIPS_THE_DRAFT):
                    self.heard = frame["text"]
                return True
            case "delta":
                self.take(frame["offset"], frame["text"])
                return True
            case "done":
                self.end(frame["message"], is_streamed=True)
            case other:
                assert other == "presence", frame
        return is_streaming

    def learn(self, version: int, changes: list[dict[str, Any]], *, is_streaming: bool) -> None:
        """Takes what has changed; an answer that has ended is whole in it, and `done` follows if its pieces came."""
        self.version = version
        for change in changes:
            row = change["row"]
            if change["kind"] == "message" and row["role"] == "assistant" and row["status"] != "streaming":
                if is_streaming:
                    self.row = row
                else:
                    self.end(row, is_streamed=False)


class AskingReader(LiveReader):
    """A device that asks, and asks again if it was cut off before it was answered."""

    asks = True


class EventsReader(Reader):
    """A program that asks over HTTP for events, and sends its question again when it was cut off."""

    token = ""

    def line(self, server: Server, token: str, bytes_in: float) -> Line:
        self.token = token
        return Line(server, float("inf"), bytes_in)

    async def follow(self, line: Line) -> None:
        body = json.dumps({"content": self.question.content, "client_id": self.question.client_id}).encode()
        await line.connect()
        await line.say((
            f"POST /v1/conversations/{self.question.conversation}/turns HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        received = b""
        try:
            while more := await line.more():
                received += more
        except Cut:
            stream = unchunked(received)
            self.cuts_inside += bool(stream) and not stream.endswith(b"\n\n")
            self.cuts_inside_character += ends_inside_character(stream)
            raise
        finally:
            self.hear(unchunked(received))
        assert self.answer is not None, "the server ended the connection"

    def hear(self, stream: bytes) -> None:
        """Takes a stream from its beginning: the answer comes from its own."""
        before = self.heard
        if not self.errs(Mistake.KEEPS_THE_BEGINNING):
            self.heard = ""
        for block in stream.decode(errors="ignore").split("\n\n")[:-1]:
            name, data = (line.split(": ", 1)[1] for line in block.split("\n"))
            match name:
                case "delta":
                    self.take(json.loads(data)["offset"], json.loads(data)["text"])
                case "done":
                    self.end(json.loads(data)["message"], is_streamed=True)
                case _:
                    assert name == "message" and json.loads(data)["message"]["content"] == self.question.content, block
        if not (self.heard.startswith(before) or before.startswith(self.heard)):
            self.faults.append("what was heard before is not how the answer begins")


def unchunked(received: bytes) -> bytes:
    """Returns what there is of the body of an answer in chunks, however far it came."""
    head, _, rest = received.partition(b"\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 "[:len(received)]), received
    if not rest:
        return b""
    assert b"transfer-encoding: chunked" in head.lower(), head
    body = bytearray()
    while (line_end := rest.find(b"\r\n")) >= 0:
        length = int(rest[:line_end], 16)
        body += rest[line_end + 2:line_end + 2 + length]
        rest = rest[line_end + 2 + length + 2:]
    return bytes(body)


# Everybody at once


def read_cut_answers(
    server: Server, count: int, make: Callable[[Question, random.Random], list[Reader]]
) -> tuple[list[Reader], dict[str, list[dict[str, Any]]]]:
    """Lets readers that `make` gives ask so many questions and read the answers; returns them, and what is stored."""
    token = server.token(new_user())
    dice = random.Random(8)
    with Native(server, token) as native:
        questions = [
            Question(
                native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"],
                f"/slow {PACE} {text(dice)}", f"q{number}")
            for number in range(count)]
    crowds = [make(question, dice) for question in questions]

    async def everything() -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(crowd: list[Reader]) -> None:
            async with places, asyncio.TaskGroup() as tasks:
                for reader in crowd:
                    tasks.create_task(reader.read(server, token))

        async with asyncio.TaskGroup() as tasks:
            for crowd in crowds:
                tasks.create_task(one(crowd))

    asyncio.run(asyncio.wait_for(everything(), SECONDS))
    with Native(server, token) as native:
        stored = {question.conversation: native.messages(question.conversation) for question in questions}
    return [reader for crowd in crowds for reader in crowd], stored


def expected(question: Question) -> str:
    """Returns what the echo says to a question."""
    return "You said: " + question.content.removeprefix(f"/slow {PACE} ")


def compare(readers: list[Reader], stored: dict[str, list[dict[str, Any]]]) -> tuple[int, int, list[str]]:
    """Returns how many characters readers miss, how many they have too many, and everything that was wrong."""
    missing = doubled = 0
    faults = []
    for reader in readers:
        answer = stored[reader.question.conversation][-1]["content"]
        less, more = difference(reader.heard, answer)
        missing, doubled = missing + less, doubled + more
        found = reader.faults + [f"{less} characters are missing and {more} too many"] * (less + more > 0)
        if reader.answer != answer:
            found.append("it was told another answer at its end than is stored")
        faults += [f"{reader.question.client_id}, {type(reader).__name__}: {fault}" for fault in found]
    questions = {reader.question.conversation: reader.question for reader in readers}
    for conversation, rows in stored.items():
        question = questions[conversation]
        if [(row["role"], row["status"]) for row in rows] != [("user", "complete"), ("assistant", "complete")]:
            faults.append(f"{question.client_id}: stored are {[(row['role'], row['status']) for row in rows]}")
        elif rows[1]["content"] != expected(question):
            faults.append(f"{question.client_id}: what is stored is not what the model said")
    return missing, doubled, faults


def test_answers_cut_at_random_bytes_are_put_together_as_they_are_stored(server: Server) -> None:
    """One device asks, another looks on, and a program asks the same over HTTP: one answer, and each has all of it."""
    readers, stored = read_cut_answers(server, ANSWERS, lambda question, dice: [
        kind(question, random.Random(dice.random())) for kind in (AskingReader, LiveReader, EventsReader)])
    missing, doubled, faults = compare(readers, stored)
    characters = sum(len(rows[1]["content"]) for rows in stored.values())
    print(f"{len(stored)} answers of {characters} characters, {len(readers)} readers: "
          f"{missing} characters missing, {doubled} doubled")
    for kind in (AskingReader, LiveReader, EventsReader):
        those = [reader for reader in readers if type(reader) is kind]
        cuts, answer, inside, character = (
            sum(getattr(reader, name) for reader in those)
            for name in ("cuts", "cuts_in_answer", "cuts_inside", "cuts_inside_character"))
        streamed = sum(reader.is_streamed for reader in those)
        print(f"{kind.__name__}: {cuts} cuts, {answer} behind a piece of the answer, {inside} inside a frame or event, "
              f"{character} inside a character; {streamed} of {len(those)} heard the end as it came")
        assert cuts > len(those) and answer > len(those) / 2 and inside > cuts / 4 and streamed > len(those) / 8
    assert sum(reader.cuts_inside_character for reader in readers) > ANSWERS / 10
    assert not faults and missing == doubled == 0, faults[:5]


def test_control_readers_that_put_an_answer_together_wrongly_are_found(server: Server) -> None:
    """Some mistakes over each door: the texts differ by themselves, without the offsets that tell of it too."""
    kinds: list[tuple[type[Reader], Mistake]] = [
        (AskingReader, Mistake.DOUBLES_A_PIECE), (LiveReader, Mistake.SKIPS_THE_DRAFT),
        (LiveReader, Mistake.CUTS_A_PIECE), (EventsReader, Mistake.KEEPS_THE_BEGINNING),
        (EventsReader, Mistake.DOUBLES_A_PIECE)]
    readers, stored = read_cut_answers(server, 6, lambda question, dice: [
        kind(question, random.Random(dice.random()), mistake) for kind, mistake in kinds])
    for kind, mistake in kinds:
        those = [reader for reader in readers if type(reader) is kind and reader.mistake is mistake]
        missing, doubled, faults = compare(those, stored)
        print(f"{kind.__name__} that {mistake.value}: {missing} characters missing, {doubled} doubled")
        assert sum(reader.mistakes for reader in those) >= EXPECTED_MISTAKES
        assert faults and (missing if mistake in (Mistake.SKIPS_THE_DRAFT, Mistake.CUTS_A_PIECE) else doubled) > 0
