"""A page in a real browser follows a conversation live: two subprotocols, a cut, a resumption, and no foreign origin.

It needs Chromium (`apt-get install chromium`, or its path in `PARLEY_CHROMIUM`); without it the tests are skipped
and say so. The page reports by a request to where it came from, so nothing drives the browser but its address.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import Native, Server, free_port, new_user

BROWSER_SECONDS = 60.0
CHROMIUM = os.environ.get("PARLEY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-extensions", "--remote-debugging-port=0"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install it, or name it in PARLEY_CHROMIUM")

# `open` gives a socket that can be waited for, or tells with which code it closed without ever being open.
PAGE = """<!doctype html><title>Parley</title><script type="module">
const {url, token} = await (await fetch("/settings")).json();
const report = (what) => fetch("/report", {method: "POST", body: JSON.stringify(what)});
function open(protocols) {
  const socket = new WebSocket(url, protocols), frames = [], waiting = [];
  socket.onmessage = ({data}) => { const frame = JSON.parse(data); waiting.length ? waiting.shift()(frame) : frames.push(frame); };
  const closed = new Promise((resolve) => { socket.onclose = ({code, wasClean}) => resolve({code, wasClean}); });
  const next = () => new Promise((resolve) => frames.length ? resolve(frames.shift()) : waiting.push(resolve));
  const hear = async (type) => { for (;;) { const frame = await next(); if (frame.type === type) return frame; } };
  const say = (frame) => socket.send(JSON.stringify(frame));
  const opened = new Promise((resolve) => { socket.onopen = () => resolve(true); closed.then(() => resolve(false)); });
  return {socket, closed, opened, hear, say};
}
try {
  const first = open(["parley.v1", "bearer." + token]);
  if (!await first.opened) {
    await report({refused: await first.closed});
  } else {
    first.say({type: "attach", session_id: "page"});
    const attached = await first.hear("attached");
    first.say({type: "send", client_id: "p1", content: "Größe aus dem Browser 🚀"});
    const ack = await first.hear("ack"), event = await first.hear("event");
    await fetch("/cut?conversation=" + attached.conversation.id);
    const cut = await first.closed;
    const second = open(["parley.v1", "bearer." + token]);
    await second.opened;
    second.say({type: "attach", session_id: "page", since: event.version});
    const resumed = await second.hear("attached");
    second.say({type: "send", client_id: "p1", content: "Größe aus dem Browser 🚀"});
    const again = await second.hear("ack");
    second.socket.close(1000);
    await report({protocol: first.socket.protocol, extensions: first.socket.extensions, attached, ack, event, cut, resumed, again,
      end: await second.closed});
  }
} catch (error) { await report({error: String(error)}); }
</script>"""


class Site:
    """Serves the page, tells it where to connect, cuts on its request, and takes its report."""

    def __init__(self, port: int, settings: dict[str, str], on_cut: Callable[[str], None]) -> None:
        self.reports: queue.Queue[dict[str, Any]] = queue.Queue()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/cut?conversation="):
                    on_cut(self.path.partition("=")[2])
                    self._answer("text/plain", b"cut")
                elif self.path == "/settings":
                    self._answer("application/json", json.dumps(settings).encode())
                else:
                    self._answer("text/html; charset=utf-8", PAGE.encode())

            def do_POST(self) -> None:
                site.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer("text/plain", b"thanks")

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, type: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Relay:
    """Passes bytes between the page and the server, keeps what the server said first, and can cut everything."""

    def __init__(self, server: Server) -> None:
        self._server_port = server.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.first_lines: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends all connections without a word of WebSocket."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                page, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [page, server]
                threading.Thread(target=self._pass, args=(page, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, page, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_from_server: bool) -> None:
        with suppress(OSError):
            is_first = is_from_server
            while some := source.recv(65_536):
                if is_first:
                    self.first_lines.append(some.partition(b"\r\n")[0])
                    is_first = False
                target.sendall(some)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def browser(address: str, directory: Path) -> Iterator[None]:
    """Shows the address in a browser of its own while the body runs."""
    assert CHROMIUM is not None
    with (directory / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={directory / 'profile'}", address], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=os.environ | {"HOME": str(directory)})
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def allowing(directory: Path, port: int) -> Iterator[Server]:
    """Yields a server that pages from that port of 127.0.0.1 may open sockets on."""
    server = Server(directory, settings={"PARLEY_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}"})
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean_up()


def reported(host: str, port: int, server: Server, token: str, directory: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Shows the page under that host name; returns its report, and how the server's answers to it began."""
    with Relay(server) as relay:
        def cut(conversation: str) -> None:
            relay.cut()
            with Native(server, token) as native:
                assert native.append(conversation, {"role": "assistant", "content": "missed"}).status == 201

        settings = {"url": f"ws://127.0.0.1:{relay.port}/v1/live", "token": token}
        with Site(port, settings, cut) as site, browser(f"http://{host}:{port}/", directory):
            return site.reports.get(timeout=BROWSER_SECONDS), relay.first_lines


def test_a_page_sends_is_cut_and_resumes(tmp_path: Path) -> None:
    """With its token among the subprotocols; after the cut it is given what it missed, once, and doubles nothing."""
    port = free_port()
    with allowing(tmp_path, port) as server:
        token = server.token(new_user())
        report, lines = reported("127.0.0.1", port, server, token, tmp_path)
        assert "error" not in report and "refused" not in report, report
        assert lines == [b"HTTP/1.1 101 Switching Protocols"] * 2
        assert report["protocol"] == "parley.v1" and report["extensions"] == ""
        assert report["ack"]["message"]["content"] == "Größe aus dem Browser 🚀"
        assert report["event"]["version"] == report["ack"]["version"] == report["attached"]["version"] + 1
        assert report["cut"] == {"code": 1006, "wasClean": False}
        missed = [change["row"]["content"] for change in report["resumed"]["missed"] if change["kind"] == "message"]
        assert missed == ["missed"]
        assert report["again"]["replayed"] and report["again"]["message"]["id"] == report["ack"]["message"]["id"]
        assert report["end"] == {"code": 1000, "wasClean": True}
        with Native(server, token) as native:
            stored = native.messages(report["attached"]["conversation"]["id"])
        assert [message["content"] for message in stored] == ["Größe aus dem Browser 🚀", "missed"]
        assert token not in server.stderr.read_text()


def test_the_same_page_under_another_name_is_refused(tmp_path: Path) -> None:
    """`localhost` is another origin: 403 before the upgrade, and the page learns no more than that it failed."""
    port = free_port()
    with allowing(tmp_path, port) as server:
        report, lines = reported("localhost", port, server, server.token(new_user()), tmp_path)
        assert report == {"refused": {"code": 1006, "wasClean": False}}
        assert lines == [b"HTTP/1.1 403 Forbidden"]
