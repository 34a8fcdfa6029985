"""A user's screen on real pseudoterminals: two devices in one conversation, outages, and who may talk as whom."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Native, Server, new_user
from screens import Terminal

ESCAPE, ENTER = "\x1b", "\r"


class Chat(Terminal):
    """`parley chat` of a user, on a server of this machine."""

    def __init__(self, server: Server, user: str | None, *flags: str, rows: int = 36, columns: int = 120) -> None:
        named = ["--user", user] if user else []
        super().__init__("chat", "--data", str(server.data), "--server", f"http://127.0.0.1:{server.port}", *named,
                         *flags, rows=rows, columns=columns)

    def escape(self) -> None:
        """Presses Esc alone: what follows at once would be taken for one key with it."""
        self.press(ESCAPE)
        time.sleep(0.2)

    def say(self, text: str) -> None:
        self.press(text + ENTER)

    def select(self, text: str) -> None:
        """Moves up in the path until the message with this head is selected, which the frame beside its text shows."""
        self.press("G")
        self.settle()
        for _ in range(20):
            if self.selected().startswith(text):
                return
            self.press("k")
            self.settle()
        raise AssertionError(f"{text!r} cannot be selected in:\n{self.text}")

    def selected(self) -> str:
        """The head of the selected message: the line that is reversed."""
        for row in range(self.screen.lines):
            cells = [self.screen.buffer[row][column] for column in range(self.screen.columns)]
            if sum(cell.reverse for cell in cells) > 20:
                return "".join(cell.data for cell in cells if cell.reverse).strip()
        return ""


@pytest.fixture
def user() -> Iterator[str]:
    yield new_user()


def wait_for(condition: Callable[[], bool], screen: Terminal) -> None:
    """Reads until something holds of the screen."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, screen.text
        screen.settle()


def conversation(server: Server, user: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The user's only conversation, and its active path."""
    with Native(server, server.token(user)) as native:
        found = native.ask("GET", "/v1/conversations").json["data"]
        assert len(found) == 1, found
        return found[0], native.messages(found[0]["id"])


def test_two_terminals_hold_one_conversation_with_edits_and_branches(own_server: Server, user: str) -> None:
    with Chat(own_server, user, "--session", "trip") as phone, \
            Chat(own_server, user, "--session", "trip", rows=24, columns=80) as tablet:
        phone.shows("Nothing was said yet.")
        tablet.shows("Nothing was said yet.")
        phone.say("Which ferry goes to Oslo?")
        for screen in (phone, tablet):
            screen.shows("#2 assistant")
            screen.shows("You said: Which ferry goes to Oslo?")
        tablet.say("And back?")
        for screen in (phone, tablet):
            screen.shows("You said: And back?")
            screen.gone("pending")
        # Edited in place: the other sees it, and what follows stays.
        phone.escape()
        phone.select("#1 user")
        phone.press("e")
        phone.shows("Edit #1 in place")
        phone.say(" Today?")
        for screen in (phone, tablet):
            screen.shows("Which ferry goes to Oslo? Today?")
            screen.shows("edited (1 revision)")
        # Edited as a branch: who asked is shown it, the other stays where it was and is told.
        phone.escape()
        phone.select("#3 user")
        phone.press("E")
        phone.shows("Ask #3 again")
        phone.press("\x15")
        phone.say("What does it cost?")
        phone.shows("You said: What does it cost?")
        phone.shows("sibling 2/2")
        tablet.shows("sibling 1/2")
        assert "And back?" in tablet.text and "What does it cost?" not in tablet.text
        tablet.escape()
        tablet.select("#3 user")
        tablet.press(">")
        tablet.shows("You said: What does it cost?")
        tablet.press("<")
        tablet.shows("You said: And back?")
        tablet.press(">")
        tablet.shows("What does it cost?")
        # Another answer is a sibling of the first.
        tablet.select("#4 assistant")
        tablet.press("r")
        wait_for(lambda: tablet.text.count("sibling 2/2") == 2, tablet)
        tablet.gone("pending")
        found, path = conversation(own_server, user)
        assert found["session_id"] == "trip" and found["title"] == "Which ferry goes to Oslo?"
        assert [message["content"] for message in path] == [
            "Which ferry goes to Oslo? Today?", "You said: Which ferry goes to Oslo?", "What does it cost?",
            "You said: What does it cost?"]
        assert found["branch_count"] == 3 and all(message["status"] == "complete" for message in path)
        with Terminal("dashboard", "--data", str(own_server.data), "--server",
                      f"http://127.0.0.1:{own_server.port}") as dashboard:
            dashboard.shows("Which ferry goes to Oslo?")
            dashboard.shows("parley chat attached")
            dashboard.press("\r")
            dashboard.shows("You said: What does it cost?")
            dashboard.shows("Branches (3)")
        for screen in (phone, tablet):
            screen.press("\x03")
            assert screen.ended() == 0 and screen.left_clean()
    assert own_server.check()[0] == 0


def test_esc_stops_an_answer_and_keeps_what_was_said(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        screen.say("/slow 200 " + " ".join(f"word{number}" for number in range(60)))
        screen.shows("You said: word0 word1")
        screen.escape()
        screen.shows("incomplete")
        _, path = conversation(own_server, user)
        assert path[1]["status"] == "incomplete" and path[1]["content"].startswith("You said: word0 word1")
        assert "word59" not in path[1]["content"]
        screen.say("and now?")
        screen.shows("You said: and now?")


def test_an_answer_that_fails_says_why(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        screen.say("/fail 2 one two three four")
        screen.shows("The answer ended early:")
        screen.shows("incomplete")


def test_what_is_said_to_a_server_that_is_gone_arrives_once_when_it_is_back(own_server: Server, user: str) -> None:
    with Chat(own_server, user, rows=24, columns=80) as screen:
        screen.shows("It is made with its first message.")
        screen.say("first")
        screen.shows("You said: first")
        own_server.kill9()
        screen.shows("DISCONNECTED", 6)
        screen.say("second")
        own_server.restart()
        screen.shows("You said: second", 15)
        screen.gone("DISCONNECTED")
    _, path = conversation(own_server, user)
    assert [message["content"] for message in path] == ["first", "You said: first", "second", "You said: second"]


def test_without_a_store_words_are_safe_in_the_spool_and_answered_afterwards(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        screen.say("first")
        screen.shows("You said: first")
        with own_server.without_store():
            screen.say("second")
            screen.shows("messages are safe in the spool")
            screen.shows("#- user")
            screen.say("third")
            screen.shows("third")
        screen.shows("You said: third", 20)
        screen.gone("safe in the spool", 20)
    _, path = conversation(own_server, user)
    assert [message["content"] for message in path if message["role"] == "user"] == ["first", "second", "third"]
    # The second has an answer of its own only if it was asked before anybody knew that the store was down.
    assert [message["content"] for message in path if message["content"] != "You said: second"] == [
        "first", "You said: first", "second", "third", "You said: third"]
    assert all(message["status"] == "complete" for message in path)
    assert own_server.check()[0] == 0


def test_threads_are_made_and_switched(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        screen.say("Pack for Norway")
        screen.shows("You said: Pack for Norway")
        screen.escape()
        screen.press("n")
        screen.shows("It is made with its first message.")
        screen.say("Trains in Japan")
        screen.shows("You said: Trains in Japan")
        screen.press("\x0b")
        screen.shows("Switch thread")
        screen.press("norw")
        time.sleep(0.3)
        screen.press(ENTER)
        screen.shows("You said: Pack for Norway")
        assert "You said: Trains in Japan" not in screen.text
    with Chat(own_server, user) as screen:
        screen.shows("You said: Trains in Japan")


def test_words_are_found_in_every_thread_and_open_in_place(own_server: Server, user: str) -> None:
    with Native(own_server, own_server.token(user)) as native:
        long = native.ask("POST", "/v1/conversations", {"title": "A long one"}).json["conversation"]["id"]
        native.append_all(long, [f"line {number}" + (" about Lofoten" if number == 20 else "") for number in range(1, 301)])
        other = native.ask("POST", "/v1/conversations", {"title": "The latest"}).json["conversation"]["id"]
        native.append_all(other, ["something else"])
    with Chat(own_server, user, rows=24, columns=80) as screen:
        screen.shows("something else")
        screen.escape()
        screen.press("/lofo*")
        screen.shows("line 20 about Lofoten")
        screen.press(ENTER)
        screen.shows("#20 ")
        screen.shows("A long one")
        assert "#300" not in screen.text
    with Terminal("dashboard", "--data", str(own_server.data), "--server", f"http://127.0.0.1:{own_server.port}") as screen:
        screen.shows("0 live")
        screen.press("\x06LOFOTEN line")
        screen.shows("line 20 about Lofoten")
        screen.press(ENTER)
        screen.shows("#20 ")


def test_what_is_not_sent_is_not_dropped_without_a_word(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        own_server.kill9()
        screen.shows("DISCONNECTED", 6)
        screen.say("said while nobody listens")
        screen.shows("not sent yet")
        screen.press("\x03")
        screen.shows("once more quits")
        screen.escape()
        screen.gone("not sent yet")
        screen.press("\x03")
        assert screen.ended() == 0 and screen.left_clean()
    own_server.restart()


def test_a_pasted_text_is_one_message(own_server: Server, user: str) -> None:
    with Chat(own_server, user) as screen:
        screen.shows("It is made with its first message.")
        screen.press("\x1b[200~one\rtwo\x1b[31m\r\x1b[201~")
        screen.shows("two[31m")
        screen.press("three\x1b\r")
        screen.press("four" + ENTER)
        screen.shows("#2 assistant")
        screen.gone("pending")
    _, path = conversation(own_server, user)
    assert path[0]["content"] == "one\ntwo[31m\nthree\nfour"


def test_a_machine_has_a_user_of_its_own(own_server: Server) -> None:
    for _ in range(2):
        with Chat(own_server, None, "--session", "mine") as screen:
            screen.shows("Nothing was said yet.")
    made = own_server.data / "chat.user"
    assert stat.S_IMODE(os.stat(made).st_mode) == 0o600
    assert conversation(own_server, made.read_text().strip())[0]["session_id"] == "mine"


def test_a_token_says_who_talks(own_server: Server, user: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    address = f"http://127.0.0.1:{own_server.port}"
    token.write_text(own_server.token(user) + "\n")
    with Terminal("chat", "--server", address, "--token-file", str(token), "--session", "s") as screen:
        screen.shows("Nothing was said yet.")
    assert conversation(own_server, user)[0]["session_id"] == "s"
    other = own_server.run("chat", "--server", address, "--token-file", str(token), "--user", new_user())
    assert other.returncode == 78 and "another user" in other.stderr
    token.write_text(own_server.service_key + "\n")
    nobody = own_server.run("chat", "--server", address, "--token-file", str(token))
    assert nobody.returncode == 78 and "no user's token" in nobody.stderr
    assert own_server.service_key not in nobody.stderr
    foreign = own_server.run("chat", "--server", "http://parley.example:80")
    assert foreign.returncode == 78 and "--token-file" in foreign.stderr
    lines = own_server.run("chat", "--server", address, "--user", user)
    assert lines.returncode == 64 and "parley chat needs one" in lines.stderr
    for wrong in (["--user", "me"], ["--session", "a\nb"], ["--color", "pink"]):
        assert own_server.run("chat", *wrong).returncode == 64
