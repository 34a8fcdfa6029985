"""The data directory belongs to one server and its secrets to nobody else."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from supabase import PostgrestAPIError, create_client

from harness import (
    COMMAND_SECONDS, Native, Server, backend_client, environment, free_port, history, new_user, open_conversation,
    store, user_client,
)

MARKER = "Xylophon-Quittengelee-4711"
TRY_AGAIN = 75
CONFIGURATION = 78


@pytest.fixture
def careless_server(tmp_path: Path) -> Iterator[Server]:
    """Yields a server started by somebody whose umask hides nothing."""
    server = Server(tmp_path, umask=0)
    try:
        yield server.start()
    finally:
        server.clean_up()


def test_a_second_server_on_the_same_data_directory_says_so_and_ends(own_server: Server) -> None:
    """It ends with exit code 75 and one clear line, and the first server goes on as if nothing had happened."""
    client, user = backend_client(own_server), new_user()
    conversation = open_conversation(client, user)
    store(client, conversation, "before")
    second = subprocess.run(
        own_server.serve_command(free_port()), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=environment(), timeout=COMMAND_SECONDS, check=False)
    assert second.returncode == TRY_AGAIN, second.stderr
    lines = [line for line in second.stderr.splitlines() if str(own_server.data) in line]
    assert lines and re.search(r"another|already|in use|running|locked", lines[-1]), second.stderr
    assert "Fatal error" not in second.stderr

    store(client, conversation, "after")
    assert [row["content"] for row in history(client, user)] == ["after", "before"]
    own_server.stop()


def test_no_file_of_the_data_directory_is_open_to_others_under_any_umask(careless_server: Server) -> None:
    """The directory has mode 0700 and every file in it 0600, before and after a restart."""
    client = backend_client(careless_server)
    store(client, open_conversation(client, new_user()), "text")
    for _ in range(2):
        modes = {path.name: stat.filemode(path.stat().st_mode) for path in careless_server.data.rglob("*")}
        assert {"secret", "service.key", "anon.key", "parley.sqlite"} <= set(modes)
        expected = {name: "drwx------" if mode.startswith("d") else "-rw-------" for name, mode in modes.items()}
        assert modes == expected
        assert stat.filemode(careless_server.data.stat().st_mode) == "drwx------"
        careless_server.kill9()
        careless_server.restart()


@pytest.fixture
def talkative_server(tmp_path: Path) -> Iterator[Server]:
    """Yields a server that logs all that there is to log."""
    server = Server(tmp_path, settings={"PARLEY_LOG_LEVEL": "trace"})
    try:
        yield server.start()
    finally:
        server.clean_up()


def test_the_commented_default_file_is_valid_and_sets_nothing(own_server: Server) -> None:
    """What `config default` prints can be given back with `--config`, as can an empty file."""
    for content in (own_server.run("config", "default").stdout, "", "# nothing\n"):
        file = own_server.directory / "parley.yaml"
        file.write_text(content)
        shown = own_server.run("config", "show", "--origin", "--config", str(file))
        assert shown.returncode == 0, shown.stderr
        assert "# file" not in shown.stdout
    file.write_text("log_level: warning\n")
    assert "log_level: warning  # file" in own_server.run("config", "show", "--origin", "--config", str(file)).stdout


@pytest.mark.parametrize("content", ["lisen: 127.0.0.1:1\n", "log_level: [a\n", "- listen\n", "log_level: {a: b}\n"])
def test_a_configuration_file_with_a_mistake_is_refused(own_server: Server, content: str) -> None:
    """A mistyped name or a broken file ends the command with exit code 78 and says so."""
    file = own_server.directory / "parley.yaml"
    file.write_text(content)
    shown = own_server.run("config", "show", "--config", str(file))
    assert shown.returncode == CONFIGURATION, shown.stderr
    assert "parley.yaml" in shown.stderr or "log_level" in shown.stderr


def test_secrets_and_texts_never_appear_in_the_log(talkative_server: Server) -> None:
    """Neither good nor refused requests leave a key, a token or a message's text in what the server prints."""
    own_server = talkative_server
    user = new_user()
    token = own_server.token(user)
    backend, own = backend_client(own_server), user_client(own_server, token)
    conversation = open_conversation(own, user)
    store(own, conversation, MARKER, p_metadata={"note": MARKER}, p_entities={"word": MARKER}, p_client_id="c-1")
    store(backend, conversation, MARKER, "assistant")
    assert [row["content"] for row in history(own, user)] == [MARKER, MARKER]
    for refused in ({"role": "robot"}, {"p_confidence": 100}, {"p_client_id": "c-1", "p_intent": MARKER}):
        with pytest.raises(PostgrestAPIError):
            store(own, conversation, MARKER, **refused)
    with pytest.raises(PostgrestAPIError):
        history(create_client(own_server.url, MARKER), user)
    with Native(own_server, token) as native:
        broken = f'{{"role": "user", "content": "{MARKER}'.encode()
        assert native.ask("POST", f"/v1/conversations/{conversation}/messages", broken).status == 400
    with Native(own_server, f"{token[:-4]}{MARKER}") as native:
        assert native.ask("GET", f"/v1/conversations/{conversation}").status == 401
    own_server.kill9()
    own_server.restart()
    own_server.stop()

    printed = own_server.stderr.read_bytes() + own_server.stdout.read_bytes()
    assert b"answered" in printed, "the log was to be at its most talkative"
    secrets = {"secret": own_server.secret, "secret as numbers": str(list(own_server.secret))[1:60].encode(), "service key": own_server.service_key.encode(),
               "anon key": own_server.anon_key.encode(), "token": token.encode(), "text": MARKER.encode()}
    assert [name for name, value in secrets.items() if value in printed] == []
