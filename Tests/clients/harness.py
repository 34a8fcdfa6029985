"""What the tests start and what they speak with: the real server binary and the clients of its doors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from supabase import Client, ClientOptions, create_client

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
COMMAND_SECONDS = 60.0
ANSWER_SECONDS = 30.0
PAGE_LIMIT = 200
BATCH_LIMIT = 100

T = TypeVar("T")

_CHECKOUT = Path(__file__).resolve().parents[2]


def binary() -> str:
    """Returns the path of the server under test."""
    return os.environ.get("PARLEY_BINARY", str(_CHECKOUT / ".build" / "debug" / "parley"))


def environment() -> dict[str, str]:
    """Returns the environment without the caller's own Parley settings, so that only flags and defaults count."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}


def free_port() -> int:
    """Returns a port that nobody listens on.

    It lies below the ephemeral range: a client that reconnects to a dead server could otherwise be given that very
    port as its own and connect to itself.
    """
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def poll(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until the condition holds and fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.01)


class Server:
    """One `parley serve` on a data directory of its own; it keeps its port and its data over restarts."""

    def __init__(
        self, directory: Path, umask: int = -1, settings: dict[str, str] | None = None, restore_signals: bool = True
    ) -> None:
        """Prepares a server whose files live under `directory`; `umask` -1 keeps the caller's.

        `settings` are environment variables of its own. With `restore_signals` false SIGXFSZ is ignored as in this
        process, so that `without_file_space` makes writes fail and does not end the server.
        """
        self.directory = directory
        self.data = directory / "data"
        self.host = "127.0.0.1"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._umask = umask
        self._settings = settings or {}
        self._restore_signals = restore_signals
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stderr(self) -> Path:
        """Returns the file that holds the standard error of every run."""
        return self.directory / "stderr.log"

    @property
    def stdout(self) -> Path:
        """Returns the file that holds the standard output of every run."""
        return self.directory / "stdout.log"

    def start(self) -> Server:
        """Starts the server and returns when it is ready for writes."""
        assert self._process is None, "the server runs already"
        with self.stderr.open("ab") as stderr, self.stdout.open("ab") as stdout:
            self._process = subprocess.Popen(
                self.serve_command(self.port), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                env=environment() | self._settings, umask=self._umask, restore_signals=self._restore_signals)
        poll(self._ready_or_ended, READY_SECONDS, "an answer of 200 at /readyz")
        return self

    def refused_start(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Runs `parley serve` with more flags on another port; it must end on its own, and how is returned."""
        return subprocess.run(
            [*self.serve_command(free_port()), *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env=environment() | self._settings, timeout=COMMAND_SECONDS, check=False)

    def serve_command(self, port: int) -> list[str]:
        """Returns the command line of a server on this data directory and the given port."""
        return [binary(), "serve", "--listen", f"{self.host}:{port}", "--data", str(self.data)]

    def restart(self) -> None:
        """Starts the server again after `kill9` or `stop`."""
        self.start()

    def kill9(self) -> None:
        """Ends the process at once, as a crash does."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def stop(self) -> None:
        """Asks the process to end with SIGTERM; it must end within 10 s and with exit code 0."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"the server still ran {STOP_SECONDS:.0f} s after SIGTERM") from None
        self._process = None
        assert code == 0, f"the server ended with exit code {code} after SIGTERM"

    @contextmanager
    def without_file_space(self) -> Iterator[None]:
        """Lets every write of the running server to a file fail beyond its first 4 KiB while the body runs."""
        soft, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            yield
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, hard))

    @contextmanager
    def without_store(self) -> Iterator[None]:
        """Takes the file of the store away while the body runs: whatever is written then goes into the spool."""
        aside = self.store.with_suffix(".aside")
        self.store.rename(aside)
        try:
            yield
        finally:
            aside.rename(self.store)

    def clean_up(self) -> None:
        """Ends the process if it still runs, whatever the test left behind."""
        if self._process is not None:
            self.kill9()

    def token(self, user: str) -> str:
        """Returns a JWT of the user, minted by `parley token`."""
        return self._minted("--user", user)

    def role_token(self, role: str) -> str:
        """Returns a JWT of the role `service_role` or `anon`, which can stand where an opaque key can."""
        return self._minted("--role", role)

    def resident_bytes(self) -> int:
        """Returns the memory that the process has in use."""
        pages = Path(f"/proc/{self._running().pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def check(self) -> tuple[int, str]:
        """Runs `parley check` and returns its exit code and standard output."""
        result = self.run("check")
        return result.returncode, result.stdout

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command-line verb on the data directory and with the server's settings."""
        return subprocess.run(
            [binary(), verb, *arguments, "--data", str(self.data)], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, env=environment() | self._settings, timeout=COMMAND_SECONDS, check=False)

    @property
    def pid(self) -> int:
        """Returns the id of the running process."""
        return self._running().pid

    @property
    def service_key(self) -> str:
        """Returns the opaque key of the service role."""
        return (self.data / "service.key").read_text().strip()

    @property
    def anon_key(self) -> str:
        """Returns the opaque public key."""
        return (self.data / "anon.key").read_text().strip()

    @property
    def secret(self) -> bytes:
        """Returns the secret that signs tokens: raw text without the trailing newline."""
        return (self.data / "secret").read_bytes().rstrip(b"\r\n")

    @property
    def store(self) -> Path:
        """Returns the file of the message store."""
        return self.data / "parley.sqlite"

    def _minted(self, *subject: str) -> str:
        result = self.run("token", *subject)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server does not run"
        return self._process

    def _ready_or_ended(self) -> bool:
        code = self._running().poll()
        assert code is None, f"the server ended with exit code {code} before it was ready"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def new_user() -> str:
    """Returns the id of a user whom no server knows yet."""
    return str(uuid.uuid4())


def is_uuid(value: object) -> bool:
    """Tells whether the value is a string that spells a UUID in the usual lower-case form."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


def signed_token(secret: bytes, claims: dict[str, Any]) -> str:
    """Returns an HS256 JWT of the claims, signed without any library of the server."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    unsigned = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{unsigned}.{part(hmac.digest(secret, unsigned.encode(), hashlib.sha256))}"


# The official client


def backend_client(server: Server) -> Client:
    """Returns the official client as a backend creates it: with the service key."""
    return create_client(server.url, server.service_key)


def user_client(server: Server, token: str) -> Client:
    """Returns the official client as a signed-in user's program creates it: the public key and the user's JWT."""
    return create_client(
        server.url, server.anon_key, options=ClientOptions(headers={"Authorization": f"Bearer {token}"}))


def call(client: Client, function: str, arguments: dict[str, Any]) -> Any:
    """Calls one function with its `p_…` arguments and returns the data of the answer."""
    return client.rpc(function, arguments).execute().data


def open_conversation(client: Client, user: str, session: str | None = None) -> str:
    """Returns the id of the user's conversation in that session, as the former programs ask for it."""
    conversation: str = call(client, "get_or_create_pam_conversation",
                             {"p_user_id": user, "p_session_id": session, "p_context": {}})
    return conversation


def store(client: Client, conversation: str, content: str, role: str = "user", **more: Any) -> str:
    """Stores one message as the former programs do and returns its id; `more` is further `p_…` arguments."""
    message: str = call(client, "store_pam_message",
                        {"p_conversation_id": conversation, "p_role": role, "p_content": content, **more})
    return message


def history(client: Client, user: str, **more: Any) -> list[dict[str, Any]]:
    """Returns the user's latest messages, newest first; `more` is further `p_…` arguments."""
    rows: list[dict[str, Any]] = call(client, "get_conversation_history", {"p_user_id": user, **more})
    return rows


# The native door


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its headers with lower-case names, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Returns the body as JSON."""
        return json.loads(self.body)


class Native:
    """One keep-alive connection that speaks plain HTTP with one bearer token; for one thread at a time."""

    def __init__(self, server: Server, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __enter__(self) -> Native:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Sends one request, `body` as JSON or as given bytes, and returns the answer whatever its status.

        Raises `OSError` or `http.client.HTTPException` if no answer came; the next call connects again.
        """
        encoded = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._connection.request(method, path, encoded, self._headers | (headers or {}))
            response = self._connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()},
                          response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def append(self, conversation: str, body: dict[str, Any]) -> Answer:
        """Appends the message, or the `messages`, of the body to the conversation's active branch."""
        return self.ask("POST", f"/v1/conversations/{conversation}/messages", body)

    def append_all(self, conversation: str, contents: list[str]) -> list[dict[str, Any]]:
        """Appends user messages in as few requests as the limit allows and returns them as stored."""
        stored: list[dict[str, Any]] = []
        for start in range(0, len(contents), BATCH_LIMIT):
            batch = [{"role": "user", "content": content} for content in contents[start:start + BATCH_LIMIT]]
            answer = self.append(conversation, {"messages": batch})
            assert answer.status == 201, answer
            stored += answer.json["messages"]
        return stored

    def page(self, conversation: str, **query: str | int) -> dict[str, Any]:
        """Returns one page of the active branch; `query` is `limit` and one of `before`, `after`, `around`."""
        answer = self.ask("GET", f"/v1/conversations/{conversation}/messages?{urlencode(query)}")
        assert answer.status == 200, answer
        page: dict[str, Any] = answer.json
        return page

    def pages_back(self, conversation: str, limit: int = PAGE_LIMIT) -> Iterator[list[dict[str, Any]]]:
        """Yields the pages of the active branch from the newest to the oldest, each oldest message first."""
        page = self.page(conversation, limit=limit)
        while True:
            yield page["data"]
            assert page["has_before"] == (page["before"] is not None), "has_before and before contradict each other"
            if not page["has_before"]:
                return
            assert page["data"], "an empty page promises more before it"
            page = self.page(conversation, limit=limit, before=page["before"])

    def pages_forward(self, conversation: str, position: int, limit: int) -> Iterator[list[dict[str, Any]]]:
        """Yields the pages of the active branch after the position, up to the newest, each oldest message first."""
        page = self.page(conversation, limit=limit, after=position)
        while True:
            yield page["data"]
            assert page["has_after"] == (page["after"] is not None), "has_after and after contradict each other"
            if not page["has_after"]:
                return
            assert page["data"], "an empty page promises more after it"
            page = self.page(conversation, limit=limit, after=page["after"])

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        """Returns every message of the active branch, oldest first."""
        return [message for page in reversed(list(self.pages_back(conversation))) for message in page]


# Threads


def in_threads(workers: int, work: Callable[[int], T]) -> list[T]:
    """Runs `work` with the numbers from 0 in that many threads at once and returns the results in that order.

    The first error of any thread is raised once all have ended.
    """
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, range(workers)))


@contextmanager
def appending(server: Server, token: str, conversation: str) -> Iterator[list[str]]:
    """Lets another client append one message after the other while the body runs, at least one before it begins.

    Yields the contents appended so far, which go on growing until the body ends.
    """
    contents: list[str] = []
    done = threading.Event()

    def append_until_done() -> None:
        with Native(server, token) as native:
            while not done.is_set():
                content = f"meanwhile {len(contents)}"
                answer = native.append(conversation, {"role": "user", "content": content})
                assert answer.status == 201, answer
                contents.append(content)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(append_until_done)
        try:
            poll(lambda: bool(contents) or other.done(), ANSWER_SECONDS, "the other client's first append")
            yield contents
        finally:
            done.set()
        other.result()
