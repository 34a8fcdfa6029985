"""Secrets are strong, come from files, and come out nowhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from supabase import PostgrestAPIError, create_client

from harness import (
    Answer, Native, Server, backend_client, history, new_user, open_conversation, signed_token, store, user_client,
)

MARKER = "Xylophon-Quittengelee-4711"
GIVEN = "an umbrella, a teapot + 2 wet shoes "
USAGE, CONFIGURATION = 64, 78


def claims(user: str, **other: Any) -> dict[str, Any]:
    """Returns the claims of a good token of the user, but for the ones named here."""
    return {"sub": user, "role": "authenticated", "exp": int(time.time()) + 600} | other


def with_secret(directory: Path, secret: str | None) -> Server:
    """Returns a server that is told of a file with this secret, or of one that does not exist."""
    file = directory / "given"
    if secret is not None:
        file.write_text(secret)
    return Server(directory, settings={"PARLEY_JWT_SECRET_FILE": str(file), "PARLEY_LOG_LEVEL": "trace"})


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Server]:
    """Yields a running server whose secret was given in a file, with a newline at its end."""
    server = with_secret(tmp_path, f"{GIVEN}\n")
    try:
        yield server.start()
    finally:
        server.clean_up()


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[Server]:
    """Yields a running server that logs all that there is to log."""
    server = Server(tmp_path, settings={"PARLEY_LOG_LEVEL": "trace"})
    try:
        yield server.start()
    finally:
        server.clean_up()


# Which secrets count


@pytest.mark.parametrize("secret", ["", "\n", MARKER, "s" * 31, "s" * 31 + "\n", "é" * 15 + "\r\n"],
                         ids=["empty", "a newline", "26 bytes", "31 bytes", "31 bytes and a newline", "30 bytes"])
def test_a_short_secret_is_refused_at_the_start(tmp_path: Path, secret: str) -> None:
    """Fewer than 32 bytes, the newline at the end not counted, are a mistake of configuration: exit code 78."""
    server = with_secret(tmp_path, secret)
    ended = server.refused_start()
    assert ended.returncode == CONFIGURATION, ended.stderr
    assert "32" in ended.stderr and "Fatal error" not in ended.stderr
    assert not secret.strip() or secret.strip() not in ended.stdout + ended.stderr
    assert server.run("token", "--user", new_user()).returncode == CONFIGURATION


def test_a_short_secret_in_the_data_directory_is_refused_too(tmp_path: Path) -> None:
    """A secret that somebody put there counts like any other."""
    server = Server(tmp_path)
    server.data.mkdir(mode=0o700)
    (server.data / "secret").write_text("s" * 31 + "\n")
    ended = server.refused_start()
    assert ended.returncode == CONFIGURATION, ended.stderr
    assert (server.data / "secret").read_text() == "s" * 31 + "\n"


def test_a_secret_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Nobody is given a secret of the server's own in place of the one that was named."""
    server = with_secret(tmp_path, None)
    assert server.refused_start().returncode != 0
    assert [path.name for path in tmp_path.rglob("*") if path.name in ("given", "secret")] == []


def test_a_given_secret_signs_tokens_byte_by_byte(given: Server) -> None:
    """It is the file's text without the newline at its end; the data directory gets none of its own."""
    user = new_user()
    assert history(user_client(given, given.token(user)), user) == []
    assert history(user_client(given, signed_token(GIVEN.encode(), claims(user))), user) == []
    for other in (GIVEN.strip(), f"{GIVEN}\n"):
        with pytest.raises(PostgrestAPIError) as caught:
            history(user_client(given, signed_token(other.encode(), claims(user))), user)
        assert caught.value.code == "PGRST301"
    assert not (given.data / "secret").exists()


def test_another_secret_ends_the_old_tokens(given: Server) -> None:
    """After a restart with another secret old tokens are refused, and the keys are the same as before."""
    user = new_user()
    old, keys = given.token(user), (given.anon_key, given.service_key)
    store(backend_client(given), open_conversation(backend_client(given), user), "here")
    given.stop()
    (given.directory / "given").write_text("another secret of at least 32 bytes")
    given.restart()
    with pytest.raises(PostgrestAPIError) as caught:
        history(user_client(given, old), user)
    assert caught.value.code == "PGRST301"
    assert [row["content"] for row in history(user_client(given, given.token(user)), user)] == ["here"]
    assert keys == (given.anon_key, given.service_key)


@pytest.mark.parametrize("flag", ["--jwt-secret", "--secret", "--jwt_secret", "--service-key"])
def test_a_secret_cannot_be_given_by_a_flag(tmp_path: Path, flag: str) -> None:
    """Everybody on the machine could read it there: there is no such flag."""
    server = Server(tmp_path)
    for ended in (server.refused_start(flag, MARKER * 2), server.refused_start(f"{flag}={MARKER * 2}")):
        assert ended.returncode == USAGE, ended.stderr
    assert not server.data.exists()


# Where they do not come out


def secrets_of(server: Server, secret: bytes, *tokens: str) -> dict[str, bytes]:
    """Returns what must not come out, by its name; signatures and payloads of tokens count on their own."""
    parts = {f"part {number} of token {token[-6:]}": part.encode()
             for token in tokens for number, part in enumerate(token.split(".")[1:])}
    return {"secret": secret, "secret as numbers": str(list(secret))[1:60].encode(),
            "secret in hex": secret.hex().encode(), "service key": server.service_key.encode(),
            "anon key": server.anon_key.encode(), "marker": MARKER.encode(), **parts}


def leaks(where: bytes, secrets: dict[str, bytes]) -> list[str]:
    """Returns the names of the secrets that are in there."""
    return [name for name, value in secrets.items() if value in where]


def test_control_a_leak_is_seen(talkative: Server) -> None:
    """Every one of the secrets would be found."""
    secrets = secrets_of(talkative, talkative.secret, talkative.token(new_user()))
    assert len(secrets) == 8
    for name, value in secrets.items():
        assert name in leaks(b"time=12 " + value + b"\n", secrets)
    assert leaks(b"time=12 message=listening\n", secrets) == []


def test_secrets_and_texts_never_appear_in_the_log(talkative: Server) -> None:
    """Neither good nor refused requests leave a key, a token or a message's text in what the server prints."""
    user = new_user()
    token, service_token = talkative.token(user), talkative.role_token("service_role")
    backend, own = backend_client(talkative), user_client(talkative, token)
    conversation = open_conversation(own, user)
    call_context = {"p_user_id": user, "p_context": {"note": MARKER}}
    assert backend.rpc("get_or_create_pam_conversation", call_context).execute().data == conversation
    store(own, conversation, MARKER, p_metadata={"note": MARKER}, p_entities={"word": MARKER}, p_client_id="c-1")
    store(create_client(talkative.url, service_token), conversation, MARKER, "assistant")
    assert [row["content"] for row in history(own, user)] == [MARKER, MARKER]
    by_text = own.table("pam_messages").select("role").eq("content", MARKER).order("created_at").execute().data
    assert [row["role"] for row in by_text] == ["user", "assistant"]
    for refused in ({"role": "robot"}, {"p_confidence": 100}, {"p_client_id": "c-1", "p_intent": MARKER}):
        with pytest.raises(PostgrestAPIError):
            store(own, conversation, MARKER, **refused)
    with pytest.raises(PostgrestAPIError):
        own.table("pam_messages").insert({"content": MARKER}).execute()
    with pytest.raises(PostgrestAPIError):
        history(create_client(talkative.url, MARKER), user)
    with Native(talkative, token) as native:
        broken = f'{{"role": "user", "content": "{MARKER}'.encode()
        assert native.ask("POST", f"/v1/conversations/{conversation}/messages", broken).status == 400
    with Native(talkative, f"{token[:-4]}{MARKER}") as native:
        assert native.ask("GET", f"/v1/conversations/{conversation}").status == 401
    talkative.kill9()
    talkative.restart()
    talkative.stop()

    printed = talkative.stderr.read_bytes() + talkative.stdout.read_bytes()
    assert b"answered" in printed, "the log was to be at its most talkative"
    assert leaks(printed, secrets_of(talkative, talkative.secret, token, service_token)) == []


def test_a_given_secret_appears_nowhere_either(given: Server) -> None:
    """Not in the log, the settings shown, the command line of the process or an open answer."""
    user = new_user()
    token = given.token(user)
    assert history(user_client(given, token), user) == []
    secrets = secrets_of(given, GIVEN.encode(), token)
    assert leaks(Path(f"/proc/{given.pid}/cmdline").read_bytes(), secrets) == []
    shown = given.run("config", "show", "--origin")
    assert "jwt_secret_file" in shown.stdout
    assert leaks((shown.stdout + shown.stderr).encode(), secrets) == []
    with Native(given, given.service_key) as native:
        for path in ("/healthz", "/readyz", "/metrics", "/v1/limits", "/v1/status", "/v1/log", "/openapi.json"):
            assert leaks(whole(native.ask("GET", path)), secrets) == []
    given.stop()
    printed = given.stderr.read_bytes() + given.stdout.read_bytes()
    assert b"answered" in printed, "the log was to be at its most talkative"
    assert leaks(printed, secrets) == []


def whole(answer: Answer) -> bytes:
    """Returns the answer's headers and body."""
    return "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode() + b"\n" + answer.body


REQUESTS = [
    ("GET", "/v1/conversations", None),
    ("POST", "/v1/conversations", {"session_id": "phone"}),
    ("GET", "/v1/messages/0190a5b0-7c00-7000-8000-00000000cafe", None),
    ("POST", "/rest/v1/rpc/get_conversation_history", {"p_user_id": "0190a5b0-7c00-7000-8000-00000000cafe"}),
    ("POST", "/rest/v1/rpc/get_pam_history", {}),
    ("GET", "/rest/v1/pam_messages?select=*", None),
    ("GET", "/rest/v1/pam_secrets", None),
    ("POST", "/rest/v1/pam_messages", {"content": "text"}),
]


def test_a_refused_key_or_token_is_not_repeated_in_the_answer(server: Server) -> None:
    """Whatever stands in the headers for a key, nothing of it and no secret comes back at either door."""
    user = new_user()
    good = server.token(user)
    tokens = {
        "expired": signed_token(server.secret, claims(user, exp=int(time.time()) - 3_600)),
        "forged": signed_token(MARKER.encode() * 2, claims(user)),
        "of no role": signed_token(server.secret, claims(user, role=MARKER)),
        "damaged": f"{good[:-6]}{MARKER}",
    }
    bad = {**tokens, "opaque": MARKER, "nearly the key": server.service_key[:-1]}
    for name, credential in bad.items():
        secrets = secrets_of(server, server.secret, good, *tokens.values()) | {name: credential.encode()}
        with Native(server, credential) as native:
            for method, path, body in REQUESTS:
                for headers in ({}, {"apikey": credential}, {"apikey": server.anon_key}):
                    answer = native.ask(method, path, body, headers)
                    assert answer.status == 401, (name, path, answer)
                    assert leaks(whole(answer), secrets) == [], (name, path, answer)


def test_a_good_key_is_not_repeated_in_an_error(server: Server) -> None:
    """What a permitted caller did wrong is said without the key that permits it."""
    token = server.token(new_user())
    for credential in (token, server.service_key):
        secrets = secrets_of(server, server.secret, token)
        with Native(server, credential) as native:
            for method, path, body in (*REQUESTS[2:3], *REQUESTS[4:5], *REQUESTS[6:]):
                answer = native.ask(method, path, body, {"apikey": credential})
                assert 400 <= answer.status < 500, (path, answer)
                assert leaks(whole(answer), secrets) == [], (path, answer)
