"""A running `parley serve` on a throw-away data directory: its tokens and its plain calls."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import BenchmarkError, Wrk, request_head
from promises import PAGE

READY_SECONDS = 30
TOKEN_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Conversation:
    """One conversation, who owns it, the token of that user, and how many messages it is filled with."""

    id: str
    user: str
    token: str
    messages: int

    @property
    def path(self) -> str:
        """Return where its messages are read and appended."""
        return f"/v1/conversations/{self.id}/messages"

    def page(self, query: str = "") -> str:
        """Return the request for one page over the native door."""
        return request_head("GET", f"{self.path}?limit={PAGE}{query}", {"Authorization": f"Bearer {self.token}"})

    def history(self, anon_key: str) -> str:
        """Return the request for the newest page over the Supabase door."""
        body = json.dumps({"p_user_id": self.user, "p_limit": PAGE}, separators=(",", ":"))
        headers = {"apikey": anon_key, "Authorization": f"Bearer {self.token}"}
        return request_head("POST", "/rest/v1/rpc/get_conversation_history", headers, len(body)) + body


@dataclass(frozen=True)
class Parley:
    """A server that accepts writes, and the directory that it alone writes to."""

    pid: int
    port: int
    data: Path

    @property
    def database(self) -> Path:
        """Return the store's file."""
        return self.data / "parley.sqlite"

    @property
    def anon_key(self) -> str:
        """Return the public key that the Supabase door wants."""
        return (self.data / "anon.key").read_text().strip()

    def load(self, seconds: int) -> Wrk:
        """Return the load driver, aimed at this server."""
        return Wrk(f"http://127.0.0.1:{self.port}", self.pid, self.data.parent, seconds)

    def client(self) -> "Client":
        """Return a client with a connection of its own."""
        return Client(self.port)

    def new_conversation(self, client: "Client", number: int, messages: int) -> Conversation:
        """Make the default conversation of user `number`, which is going to hold so many messages."""
        user = user_id(number)
        token = self.token(user)
        receipt = client.post("/v1/conversations", {"session_id": None}, token)
        return Conversation(receipt["conversation"]["id"], user, token, messages)

    def stored_messages(self) -> int:
        """Return how many message rows the store's file holds, read beside the server."""
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as file:
            return file.execute("SELECT count(*) FROM pam_messages").fetchone()[0]

    def token(self, user: str) -> str:
        """Return a token of the user."""
        secret = (self.data / "secret").read_bytes().rstrip(b"\r\n")
        claims = {"sub": user, "role": "authenticated", "exp": int(time.time()) + TOKEN_SECONDS}
        signed = f"{_base64url({'alg': 'HS256', 'typ': 'JWT'})}.{_base64url(claims)}"
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


class Client:
    """Plain calls over one kept connection; any answer but 200 and 201 is an error."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: dict[str, object], token: str) -> dict[str, Any]:
        """Send a JSON object and return the one that answers."""
        return self._exchange("POST", path, json.dumps(body).encode(), token)

    def get(self, path: str, token: str) -> dict[str, Any]:
        """Return the JSON object at a path."""
        return self._exchange("GET", path, None, token)

    def history(self, conversation: Conversation, anon_key: str) -> list[dict[str, Any]]:
        """Return the newest page of a conversation over the Supabase door, newest message first."""
        body = json.dumps({"p_user_id": conversation.user, "p_limit": PAGE}).encode()
        path = "/rest/v1/rpc/get_conversation_history"
        return self._exchange("POST", path, body, conversation.token, apikey=anon_key)

    def _exchange(self, method: str, path: str, body: bytes | None, token: str, **more: str) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **more}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise BenchmarkError(f"{method} {path} answered {answer.status}: {text[:500].decode(errors='replace')}")
        return json.loads(text)


@contextmanager
def parley(binary: Path, port: int, parent: Path, name: str) -> Iterator[Parley]:
    """Run a server on an empty data directory below `parent`, and stop and remove it at the end."""
    directory = parent / name
    data = directory / "data"
    directory.mkdir()
    settings = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
    with (directory / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [binary, "serve", "--listen", f"127.0.0.1:{port}", "--data", data],
            stdout=log,
            stderr=log,
            env=settings,
            start_new_session=True,
        )
    try:
        _await_ready(server, port, directory)
        yield Parley(server.pid, port, data)
        if server.poll() is not None:
            raise BenchmarkError(f"parley ended during the run: {_tail(directory)}")
    finally:
        _stop(server)
        shutil.rmtree(directory, ignore_errors=True)


def user_id(number: int) -> str:
    """Return the id of a numbered user, the same as in the former system's tables."""
    return f"00000000-0000-4000-8000-{number:012d}"


def _base64url(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _await_ready(server: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
        time.sleep(0.05)
    raise BenchmarkError(f"parley did not become ready on port {port}: {_tail(directory)}")


def _tail(directory: Path) -> str:
    return (directory / "server.log").read_text(errors="replace")[-2000:]


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
