"""The data directory belongs to one server and its files to nobody else; settings are taken as they are meant."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Server, backend_client, binary, environment, history, new_user, open_conversation, store

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
    second = own_server.refused_start()
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


@pytest.mark.parametrize("name", ["secret", "service.key", "anon.key"])
def test_a_secret_that_others_can_read_ends_the_start(own_server: Server, name: str) -> None:
    """With exit code 78 and the way out; a copied directory must not give its keys away unnoticed."""
    own_server.stop()
    (own_server.data / name).chmod(0o644)
    refused = own_server.refused_start()
    assert refused.returncode == CONFIGURATION
    assert f"{name} is open to others: chmod 600" in refused.stderr
    (own_server.data / name).chmod(0o600)
    own_server.restart()


def test_a_token_that_could_not_be_written_is_no_success(own_server: Server) -> None:
    """A full disk behind the output is exit code 74; a lifetime is a plain number with a unit."""
    command = f"'{binary()}' token --role anon --data '{own_server.data}'"
    full = subprocess.run(f"{command} > /dev/full", shell=True, capture_output=True, text=True, env=environment())
    assert full.returncode == 74 and "Cannot write" in full.stderr
    assert own_server.run("token", "--role", "anon", "--ttl", "+1h").returncode == 64


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
