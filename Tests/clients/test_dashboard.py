"""The dashboard on a real pseudoterminal over a real server: what an operator sees, and what it leaves behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness import Native, Server, binary, new_user
from screens import LEAVE, Terminal

HOSTILE = "\u202eevil \x1b[31mred"


class Screen(Terminal):
    """The dashboard in a terminal of its own: of a server that runs, or with one in the same program."""

    def __init__(
        self, server: Server, *flags: str, rows: int = 36, columns: int = 120, serves: bool = False, **names: str
    ) -> None:
        address = ["--listen", f"127.0.0.1:{server.port}"] if serves else ["--server", f"http://127.0.0.1:{server.port}"]
        command = ["serve", "--dashboard"] if serves else ["dashboard"]
        super().__init__(*command, "--data", str(server.data), *address, *flags, rows=rows, columns=columns, **names)


@pytest.fixture
def thread(own_server: Server) -> Iterator[tuple[Server, str]]:
    """A server with a thread of 120 messages that a phone is attached to."""
    user = new_user()
    with Native(own_server, own_server.token(user)) as native:
        body: dict[str, Any] = {"session_id": "trip", "title": "Plan a weekend in Oslo"}
        conversation = native.ask("POST", "/v1/conversations", body).json["conversation"]["id"]
        native.append_all(conversation, [f"message {number} {HOSTILE}" for number in range(1, 121)])
    with connect(f"ws://127.0.0.1:{own_server.port}/v1/live", subprotocols=["parley.v1"], user_agent_header="phone",
                 additional_headers={"Authorization": f"Bearer {own_server.token(user)}"}) as live:
        live.send(json.dumps({"type": "attach", "conversation_id": conversation}))
        live.recv()
        yield own_server, conversation


def open_thread(screen: Screen) -> None:
    """Goes to the thread of the fixture."""
    screen.shows("1 live")
    screen.press("3")
    screen.shows("MADE")
    screen.press("\r")
    screen.shows("#120 ")


def test_an_operator_walks_through_the_views(thread: tuple[Server, str]) -> None:
    server, _ = thread
    with Screen(server) as screen:
        screen.shows("1 live")
        screen.shows("Plan a weekend in Oslo")
        screen.shows("phone attached")
        screen.press("2")
        screen.shows("commit+sync")
        screen.press("5")
        screen.shows("listening")
        screen.press("3")
        screen.shows("> >>  ")
        screen.shows("MADE")
        screen.shows(" 120 ")
        screen.press("\r")
        screen.shows("#120 ")
        screen.press("g")
        screen.shows("#1 user")
        screen.press("?")
        screen.shows("Keys")
        screen.press("\x1b")
        time.sleep(0.2)
        screen.press("q")
        assert screen.ended() == 0 and screen.left_clean()


def test_the_open_thread_is_exported_to_a_file(thread: tuple[Server, str], tmp_path: Path) -> None:
    """Never over another file, and the file is what the server gives out."""
    server, conversation = thread
    with Screen(server) as screen:
        open_thread(screen)
        for name in ("trip.md", "trip.json", "trip.pdf"):
            screen.press("e")
            screen.shows("next format")
            screen.press("\x15" + str(tmp_path / name) + "\r")
            screen.gone("next format")
            screen.shows(f" are in {tmp_path}"[:40])
        screen.press("e")
        screen.shows("next format")
        screen.press("\x15" + str(tmp_path / "trip.md") + "\r")
        screen.shows("Another name, please")
        screen.press("\x15" + str(tmp_path / "nowhere" / "trip.md") + "\r")
        screen.shows("No such file or directory")
        screen.press("\x1b")
        time.sleep(0.2)
        screen.press("q")
        assert screen.ended() == 0 and screen.left_clean()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in {".md", ".json", ".pdf", ".part"}) == [
        "trip.json", "trip.md", "trip.pdf"]
    service = {"Authorization": f"Bearer {(server.data / 'service.key').read_text().strip()}"}
    for name, form in (("trip.md", "markdown"), ("trip.json", "json")):
        path = f"/v1/conversations/{conversation}/export?format={form}"
        with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as http_connection:
            http_connection.request("GET", path, headers=service)
            assert (tmp_path / name).read_bytes() == http_connection.getresponse().read()
    assert (tmp_path / "trip.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "trip.pdf").stat().st_mode & 0o777 == 0o600


def test_who_quits_in_the_middle_of_an_export_is_told_and_leaves_nothing(
    thread: tuple[Server, str], tmp_path: Path
) -> None:
    server, _ = thread
    target = tmp_path / "exports"
    target.mkdir()
    with Screen(server) as screen:
        open_thread(screen)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            screen.press("e")
            screen.shows("next format")
            screen.press("\x15" + str(target / "trip.md") + "\r")
            screen.shows("writing it")
            assert [path.suffix for path in target.iterdir()] == [".part"]
            screen.press("\x1b")
            screen.gone("next format")
            screen.press("q")
            screen.shows("once more quits")
            screen.press("q")
            assert screen.ended() == 0 and screen.left_clean()
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert list(target.iterdir()) == []


def test_a_new_message_is_followed(thread: tuple[Server, str]) -> None:
    server, conversation = thread
    with Screen(server) as screen:
        screen.shows("Plan a weekend in Oslo")
        screen.press("\r")
        screen.shows("#120 ")
        screen.shows("following")
        with Native(server, server.service_key) as native:
            said = native.append(conversation, {"role": "assistant", "content": "The ferry runs in November."})
            assert said.status == 201
        screen.shows("The ferry runs in November.")


def test_it_outlives_its_server(own_server: Server) -> None:
    with Screen(own_server, rows=24, columns=80) as screen:
        screen.shows("Nobody is connected.")
        own_server.kill9()
        screen.shows("DISCONNECTED", 6)
        own_server.restart()
        screen.shows("Nobody is connected.", 10)
        screen.shows("0 live", 10)
        assert "DISCONNECTED" not in screen.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV])
def test_a_signal_leaves_the_terminal_clean(server: Server, number: signal.Signals) -> None:
    with Screen(server, SWIFT_BACKTRACE="enable=no") as screen:
        screen.shows("PARLEY 0.1.0")
        os.kill(screen.child.pid, number)
        screen.ended()
        assert screen.left_clean()


def test_hostile_text_reaches_no_terminal(thread: tuple[Server, str]) -> None:
    server, _ = thread
    with Screen(server) as screen:
        screen.shows("Plan a weekend in Oslo")
        screen.press("\r")
        screen.shows("#120 ")
        screen.shows("evil")
        assert b"\x1b[31mred" not in screen.written and "\u202e".encode() not in screen.written


# The server in the same program


@pytest.fixture
def stopped_server(tmp_path: Path) -> Iterator[Server]:
    """A server that was never started; a test may do that."""
    server = Server(tmp_path)
    try:
        yield server
    finally:
        server.clean_up()


def test_a_server_shows_itself_and_ends_with_its_screens(stopped_server: Server) -> None:
    server = stopped_server
    with Screen(server, serves=True) as screen:
        screen.shows("Nobody is connected.")
        screen.shows("stop the server")
        user = new_user()
        with Native(server, server.token(user)) as native:
            conversation = native.ask("POST", "/v1/conversations", {"title": "From outside"}).json["conversation"]["id"]
            native.append_all(conversation, ["Hello"])
        screen.press("3")
        screen.shows("From outside")
        screen.press("\r")
        screen.shows("#1 user")
        with Native(server, server.token(user)) as native:
            assert native.append(conversation, {"role": "assistant", "content": "Good morning."}).status == 201
        screen.shows("Good morning.")
        # Here the file comes out of the store without a wire.
        for name in ("own.md", "own.json", "own.pdf"):
            screen.press("e")
            screen.shows("next format")
            screen.press("\x15" + str(server.data.parent / name) + "\r")
            screen.gone("next format")
        assert "Good morning." in (server.data.parent / "own.md").read_text()
        assert [message["content"] for message in json.loads((server.data.parent / "own.json").read_text())["messages"]] == [
            "Hello", "Good morning."]
        assert (server.data.parent / "own.pdf").read_bytes().startswith(b"%PDF-")
        screen.press("5")
        screen.shows("listening")
        screen.press("\x1a")
        screen.shows("would stand still")
        with connect(f"ws://127.0.0.1:{server.port}/v1/live", subprotocols=["parley.v1"],
                     additional_headers={"Authorization": f"Bearer {server.token(user)}"}) as live:
            live.send(json.dumps({"type": "attach", "conversation_id": conversation}))
            live.recv()
            screen.press("q")
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    live.recv(timeout=10)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
        assert screen.ended() == 0 and screen.left_clean()
        assert b"level=" not in screen.written and b'"level"' not in screen.written
    server.start()
    server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_server_and_leaves_its_terminal_clean(stopped_server: Server, number: signal.Signals) -> None:
    with Screen(stopped_server, serves=True) as screen:
        screen.shows("Nobody is connected.")
        os.kill(screen.child.pid, number)
        assert screen.ended() == 0 and screen.left_clean()
    stopped_server.start()


def test_a_server_that_cannot_listen_says_so_on_a_clean_terminal(stopped_server: Server) -> None:
    with closing(socket.create_server(("127.0.0.1", stopped_server.port))), Screen(stopped_server, serves=True) as screen:
        assert screen.ended() == 69 and screen.left_clean()
        said = screen.written[screen.written.rindex(LEAVE):]
        assert b"Cannot listen on 127.0.0.1:" in said and b"--listen" in said


def test_a_server_without_a_terminal_shows_no_screens(stopped_server: Server) -> None:
    refused = stopped_server.refused_start("--dashboard")
    assert refused.returncode == 64 and "--dashboard" in refused.stderr
    assert not stopped_server.data.exists(), "nothing was made"


def test_its_log_goes_to_a_file_that_standard_error_is(stopped_server: Server, tmp_path: Path) -> None:
    log = tmp_path / "parley.log"
    command = f"{binary()} serve --dashboard --data {stopped_server.data} --listen 127.0.0.1:{stopped_server.port} 2> {log}"
    child = pexpect.spawn("/bin/sh", ["-c", command], dimensions=(24, 80), timeout=10,
                          env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"})
    child.expect_exact("Nobody is connected.")
    child.send("q")
    child.expect(pexpect.EOF)
    assert '"listening"' in log.read_text() and '"stopped"' in log.read_text()


# What an outage of the store looks like


def test_messages_in_the_spool_are_shown_as_spooled(thread: tuple[Server, str]) -> None:
    server, conversation = thread
    with Screen(server) as screen:
        screen.shows("Plan a weekend in Oslo")
        screen.press("\r")
        screen.shows("#120 ")
        with Native(server, server.service_key) as native:
            with server.without_store():
                said = native.append(conversation, {"role": "user", "content": "Is the ferry on time?", "client_id": "f"})
                assert said.status == 202
                screen.shows("DEGRADED")
                screen.shows("Is the ferry on time?")
                screen.shows("#- user")
                screen.shows("1 spooled")
                screen.press("1")
                screen.shows("1 waiting")
                screen.press("4")
                screen.shows("#- user")
            screen.shows("#121 user")
        deadline = time.monotonic() + 10
        while "DEGRADED" in screen.text or "#- " in screen.text or "spooled" in screen.text:
            assert time.monotonic() < deadline, screen.text
            screen.shows("#121 user")
            try:
                screen.read(0.5)
            except pexpect.TIMEOUT:
                continue


def test_lines_are_printed_where_there_is_no_screen(thread: tuple[Server, str]) -> None:
    server, _ = thread
    printed = server.run("dashboard", "--once", "--server", f"http://127.0.0.1:{server.port}")
    assert printed.returncode == 0, printed.stderr
    assert "Plan a weekend in Oslo" in printed.stdout and "1 live" in printed.stdout
    assert "\x1b" not in printed.stdout
    refused = server.run("dashboard", "--server", f"http://127.0.0.1:{server.port}")
    assert refused.returncode == 64 and "--once" in refused.stderr
    dumb = subprocess.run(["script", "-qec", f"TERM=dumb {binary()} dashboard --data {server.data}", "/dev/null"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert dumb.returncode == 64 and "--once" in dumb.stdout
