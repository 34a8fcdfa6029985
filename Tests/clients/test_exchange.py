"""Conversations go out as files and come in again, over HTTP and from the command line, beside a server at work."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from harness import ANSWER_SECONDS, COMMAND_SECONDS, Native, Server, appending, binary, environment, new_user, poll

CHATGPT = [{
    "title": "Dinner", "create_time": 1700000000.5, "update_time": 1700000100.25, "current_node": "a2",
    "conversation_id": "0b0d3c2e-1111-4222-8333-444455556666",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["q"]},
        "q": {"id": "q", "parent": "root", "children": ["a1", "a2"], "message": {
            "id": "q", "author": {"role": "user"}, "create_time": 1700000001.0,
            "content": {"content_type": "text", "parts": ["What shall we cook?"]}}},
        "a1": {"id": "a1", "parent": "q", "children": [], "message": {
            "id": "a1", "author": {"role": "assistant"}, "create_time": 1700000002.0,
            "content": {"content_type": "text", "parts": ["Soup."]}}},
        "a2": {"id": "a2", "parent": "q", "children": [], "message": {
            "id": "a2", "author": {"role": "assistant"}, "create_time": 1700000003.0,
            "content": {"content_type": "text", "parts": ["Rice with aubergines."]}}},
    },
}]


def tree(native: Native) -> str:
    """Makes a conversation with an edit, a branch, a deleted message and several alphabets; returns its id."""
    conversation: str = native.ask(
        "POST", "/v1/conversations", {"session_id": "phone", "title": "Trip to 北京 *now*"}).json["conversation"]["id"]
    sent = native.append_all(conversation, ["Hello", "مرحبا بالعالم", "```swift\nlet a = 1\n```", "👩‍👩‍👧 and 北京"])
    native.ask("PATCH", f"/v1/messages/{sent[0]['id']}", {"content": "Hello again"})
    native.ask("POST", f"/v1/conversations/{conversation}/branches", {
        "edit_message": sent[2]["id"], "content": "Another way", "title": "Plan B"})
    native.ask("DELETE", f"/v1/messages/{sent[1]['id']}")
    return conversation


def export(native: Native, path: str) -> bytes:
    """Returns the body of an export that must succeed."""
    answer = native.ask("GET", path)
    assert answer.status == 200, answer
    return answer.body


def take_in(native: Native, body: bytes, query: str = "") -> dict[str, Any]:
    """Imports a file and returns the report."""
    answer = native.ask("POST", f"/v1/import{query}", body, {"content-type": "application/octet-stream"})
    assert answer.status == 200, answer
    report: dict[str, Any] = answer.json
    return report


def test_what_comes_back_is_what_went_out(server: Server) -> None:
    user = new_user()
    with Native(server, server.token(user)) as native:
        conversation = tree(native)
        document = export(native, f"/v1/conversations/{conversation}/export")
        lines = export(native, "/v1/export")
        assert json.loads(document)["conversation"]["id"] == conversation
        assert [message["position"] for message in json.loads(document)["messages"]] == [1, 2, 3, 4, 3]
        for file in (document, lines):
            assert native.ask("DELETE", f"/v1/conversations/{conversation}").json["state"] == "complete"
            assert take_in(native, file)["imported"] == {"conversations": 1, "messages": 4}
            again = take_in(native, file)
            assert again["imported"]["conversations"] == 0 and again["skipped_count"] == again["already_there"] == 1
            assert export(native, f"/v1/conversations/{conversation}/export") == document
            assert export(native, "/v1/export") == lines
        with Native(server, server.token(new_user())) as stranger:
            assert stranger.ask("GET", f"/v1/conversations/{conversation}/export").status == 404
            assert stranger.ask("GET", f"/v1/export?user_id={user}").status == 403
            # The file is the stranger's now, under ids of its own.
            assert take_in(stranger, lines)["imported"] == {"conversations": 1, "messages": 4}
            assert stranger.ask("GET", "/v1/conversations").json["data"][0]["id"] != conversation


def test_markdown_and_pdf_are_to_be_read(server: Server, tmp_path: Path) -> None:
    with Native(server, server.token(new_user())) as native:
        conversation = tree(native)
        active = export(native, f"/v1/conversations/{conversation}/export?format=markdown").decode()
        assert active.startswith("# Trip to 北京 \\*now\\*\n") and "Another way" in active and "let a = 1" not in active
        everything = export(native, f"/v1/conversations/{conversation}/export?format=markdown&branch=all").decode()
        assert everything.index("## Trunk") < everything.index("let a = 1") < everything.index("## Branch 1: Plan B")
        answer = native.ask("GET", f"/v1/conversations/{conversation}/export?format=pdf&branch=0")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == f'attachment; filename="conversation-{conversation}.pdf"'
        (tmp_path / "file.pdf").write_bytes(answer.body)
        text = subprocess.run(
            ["pdftotext", str(tmp_path / "file.pdf"), "-"], capture_output=True, text=True, check=True,
            timeout=COMMAND_SECONDS).stdout
        assert "Hello again" in text and "let a = 1" in text and "北京" in text and "Another way" not in text
        for query in ("format=docx", "branch=x", "branch=-1", "format=jsonl"):
            assert native.ask("GET", f"/v1/conversations/{conversation}/export?{query}").status == 400
        assert native.ask("GET", f"/v1/conversations/{conversation}/export?branch=7").status == 404


def test_a_chatgpt_export_keeps_its_branches_and_dates(server: Server) -> None:
    with Native(server, server.token(new_user())) as native:
        report = take_in(native, json.dumps(CHATGPT).encode())
        assert report["imported"] == {"conversations": 1, "messages": 3}
        found = native.ask("GET", "/v1/conversations").json["data"][0]
        assert found["id"] == CHATGPT[0]["conversation_id"] and found["title"] == "Dinner"
        assert found["created_at"] == "2023-11-14T22:13:20.500000Z" and found["branch_count"] == 2
        shown = native.messages(found["id"])
        assert [(message["role"], message["content"]) for message in shown] == [
            ("user", "What shall we cook?"), ("assistant", "Rice with aubergines.")]
        assert shown[1]["created_at"] == "2023-11-14T22:13:23.000000Z"
        assert len(native.ask("GET", f"/v1/messages/{shown[1]['id']}").json["siblings"]) == 2
        # It goes on like any other, and is found.
        assert native.append(found["id"], {"role": "user", "content": "And dessert?"}).status == 201
        assert native.ask("GET", "/v1/search?q=aubergines").json["data"][0]["conversation"]["id"] == found["id"]
        assert take_in(native, json.dumps(CHATGPT).encode())["imported"]["conversations"] == 0


def test_the_former_tables_keep_their_owners_for_the_service_role(server: Server) -> None:
    users = [new_user(), new_user()]
    rows = {
        "pam_conversations": [
            {"id": new_user(), "user_id": user, "session_id": f"s-{number}", "title": "PAM Conversation", "context_data": {},
             "created_at": "2025-01-01T10:00:00+00:00", "updated_at": "2025-01-02T10:00:00.5+00:00"}
            for number, user in enumerate(users)]}
    rows["pam_messages"] = [
        {"id": new_user(), "conversation_id": conversation["id"], "role": role, "content": f"{role} {number}",
         "intent": None, "confidence": 0.9, "entities": {}, "metadata": {},
         "created_at": f"2025-01-01T10:00:{10 + number}.25+00:00"}
        for number, role in reversed(list(enumerate(["user", "assistant", "user"])))
        for conversation in rows["pam_conversations"]]
    with Native(server, server.service_key) as operator:
        assert take_in(operator, json.dumps(rows).encode())["imported"] == {"conversations": 2, "messages": 6}
    for user in users:
        with Native(server, server.token(user)) as native:
            found = native.ask("GET", "/v1/conversations").json["data"]
            assert len(found) == 1 and found[0]["is_default"]
            assert [message["content"] for message in native.messages(found[0]["id"])] == [
                "user 0", "assistant 1", "user 2"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]x", b"PK\x03\x04 zip", b"\xff\xfe{", b'{"a": 1}', b"[" * 100_000, b'"' + b"x" * 3_000_000, b"nonsense"],
    ids=["empty", "cut off", "more", "zip", "utf-16", "other", "brackets", "string", "words"])
def test_a_file_of_no_kind_is_refused_or_skipped(server: Server, body: bytes) -> None:
    with Native(server, server.token(new_user())) as native:
        answer = native.ask("POST", "/v1/import", body, {"content-type": "application/octet-stream"})
        assert answer.status in (200, 400), answer
        if answer.status == 200:
            assert answer.json["imported"]["conversations"] == 0
        else:
            assert answer.json["code"] == "invalid" and len(answer.json["detail"]) > 20
        assert native.ask("GET", "/v1/conversations").json["data"] == []


def test_a_file_that_is_too_large_is_not_read(server: Server) -> None:
    with Native(server, server.token(new_user())) as native:
        answer = native.ask("POST", "/v1/import", b"", {"content-length": str(300 * 1024 * 1024)})
        assert answer.status == 413 and answer.json["code"] == "too_large"


def test_the_command_line_takes_out_and_in(own_server: Server, tmp_path: Path) -> None:
    user = new_user()
    with Native(own_server, own_server.token(user)) as native:
        conversation = tree(native)
        before = export(native, "/v1/export")
        run = lambda *arguments: subprocess.run(  # noqa: E731
            [binary(), *arguments, "--data", str(own_server.data), "--server", own_server.url], capture_output=True,
            env=environment(), timeout=COMMAND_SECONDS, check=False)
        assert run("export", "--user", user).stdout == before
        pdf = tmp_path / "trip.pdf"
        assert run("export", conversation, "--format", "pdf", "--output", str(pdf)).returncode == 0
        assert pdf.read_bytes().startswith(b"%PDF-") and pdf.stat().st_mode & 0o777 == 0o600
        missing = run("export", new_user(), "--output", str(tmp_path / "nothing.json"))
        assert missing.returncode != 0 and not list(tmp_path.glob("nothing*"))
        (tmp_path / "all.jsonl").write_bytes(before)
        native.ask("DELETE", f"/v1/users/{user}")
        taken = run("import", str(tmp_path / "all.jsonl"))
        assert (taken.returncode, taken.stdout) == (0, b"imported 1 conversations, 4 messages\n")
        assert export(native, "/v1/export") == before
        again = run("import", str(tmp_path / "all.jsonl"))
        # Nothing is missing: a script can repeat it until it ends well.
        assert (again.returncode, again.stderr) == (0, b"") and b"1 conversations were here already" in again.stdout
        # Out of one pipe and into the next.
        native.ask("DELETE", f"/v1/users/{user}")
        piped = subprocess.run(
            [binary(), "import", "-", "--data", str(own_server.data), "--server", own_server.url], input=before,
            capture_output=True, env=environment(), timeout=COMMAND_SECONDS, check=False)
        assert (piped.returncode, piped.stdout) == (0, b"imported 1 conversations, 4 messages\n")
        assert export(native, "/v1/export") == before
        assert run("import", str(tmp_path)).returncode == 74 and run("import", str(tmp_path / "nothing")).returncode == 74
    own_server.stop()
    assert run("export", "--user", user).returncode == 69
    own_server.restart()


def test_a_kill_in_the_middle_of_an_import_leaves_nothing_half(own_server: Server) -> None:
    user = new_user()
    with Native(own_server, own_server.token(user)) as native:
        for number in range(3):
            opened = native.ask("POST", "/v1/conversations", {"session_id": f"s{number}"})
            native.append_all(opened.json["conversation"]["id"], [f"word {number} " * 20] * 2_000)
        file = export(native, "/v1/export")
        native.ask("DELETE", f"/v1/users/{user}")

    def send() -> None:
        try:
            with Native(own_server, own_server.token(user)) as native:
                take_in(native, file)
        except Exception:  # noqa: BLE001 – the server was killed under it
            pass

    thread = threading.Thread(target=send)
    thread.start()

    def has_begun() -> bool:
        with Native(own_server, own_server.token(user)) as native:
            return len(native.ask("GET", "/v1/conversations").json["data"]) >= 1

    poll(has_begun, ANSWER_SECONDS, "the first imported conversation")
    own_server.kill9()
    thread.join()
    own_server.restart()
    with Native(own_server, own_server.token(user)) as native:
        for conversation in native.ask("GET", "/v1/conversations").json["data"]:
            assert conversation["message_count"] == 2_000
        # At once, while the server still removes what the kill has left: that holds the ids.
        take_in(native, file)
        assert export(native, "/v1/export") == file
        assert take_in(native, file)["imported"] == {"conversations": 0, "messages": 0}
        assert export(native, "/v1/export") == file
    assert own_server.check()[0] == 0


def test_an_import_waits_for_the_erasure_of_what_it_brings(own_server: Server) -> None:
    """Under another id the conversation would come a second time with the next import."""
    token = own_server.token(new_user())
    with Native(own_server, token) as native:
        conversation = native.ask("POST", "/v1/conversations", {"session_id": "trip"}).json["conversation"]["id"]
        native.append_all(conversation, ["word " * 60] * 6_000)
        path = f"/v1/conversations/{conversation}/export"
        file = export(native, path)
        erasing = threading.Thread(target=native.ask, args=("DELETE", f"/v1/conversations/{conversation}"))
        with Native(own_server, token) as other:
            erasing.start()
            poll(lambda: other.ask("GET", f"/v1/conversations/{conversation}").status == 404, ANSWER_SECONDS, "the erasure")
            take_in(other, file)
            erasing.join()
            take_in(other, file)
            assert [shown["id"] for shown in other.ask("GET", "/v1/conversations").json["data"]] == [conversation]
            assert export(other, path) == file
    assert own_server.check()[0] == 0


@pytest.mark.parametrize(("levels", "taken"), [(32, 1), (33, 0)])
def test_an_import_holds_objects_to_the_bounds_of_the_door(server: Server, levels: int, taken: int) -> None:
    nested: dict[str, Any] = {}
    for _ in range(levels - 1):
        nested = {"a": nested}
    with Native(server, server.token(new_user())) as native:
        opened = native.ask("POST", "/v1/conversations", {"context": nested})
        assert (opened.status == 201) == bool(taken)
        document = json.loads(export(native, f"/v1/conversations/{tree(native)}/export"))
    document["conversation"]["context"] = nested
    with Native(server, server.token(new_user())) as native:
        report = take_in(native, json.dumps(document).encode())
        assert report["imported"]["conversations"] == taken, report


def test_one_user_holds_up_nobody_elses_files(own_server: Server) -> None:
    """Uploads that hardly move, and exports that nobody reads, are bounded for each user."""
    greedy = own_server.token(new_user())
    with Native(own_server, greedy) as native:
        long = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        for _ in range(20):
            native.append_all(long, ["a long message " * 3_000] * 20)
    with contextlib.ExitStack() as held:
        def send(head: str) -> socket.socket:
            made = held.enter_context(socket.create_connection(("127.0.0.1", own_server.port)))
            made.sendall(f"{head}\r\nHost: x\r\nAuthorization: Bearer {greedy}\r\n".encode())
            return made

        for _ in range(2):
            send("POST /v1/import HTTP/1.1").sendall(b"Content-Length: 50000000\r\n\r\n{")
        for _ in range(4):
            send(f"GET /v1/conversations/{long}/export HTTP/1.1").sendall(b"\r\n")
        time.sleep(0.5)
        with Native(own_server, greedy) as native:
            for refused in (native.ask("POST", "/v1/import", b"{}"), native.ask("GET", "/v1/export")):
                assert refused.status == 503 and "your" in refused.json["detail"]
        with Native(own_server, own_server.token(new_user())) as native:
            conversation = tree(native)
            file = export(native, f"/v1/conversations/{conversation}/export")
            assert take_in(native, file)["imported"]["conversations"] == 0


def test_a_user_who_is_erased_during_an_import_costs_the_others_of_the_file_nothing(own_server: Server) -> None:
    first, second = new_user(), new_user()
    for user, count in ((first, 30), (second, 3)):
        with Native(own_server, own_server.token(user)) as native:
            for number in range(count):
                opened = native.ask("POST", "/v1/conversations", {"session_id": f"s{number}"})
                native.append_all(opened.json["conversation"]["id"], ["word " * 60] * 300)
    with Native(own_server, own_server.service_key) as operator, Native(own_server, own_server.service_key) as other:
        file = b"".join(export(operator, f"/v1/export?user_id={user}") for user in (first, second))
        header, *records = file.splitlines(keepends=True)
        file = header + b"".join(record for record in records if record != header)
        for user in (first, second):
            poll(lambda user=user: operator.ask("DELETE", f"/v1/users/{user}").json["state"] == "complete",
                 ANSWER_SECONDS, "the erasure")
        reports: list[dict[str, Any]] = []
        importing = threading.Thread(target=lambda: reports.append(take_in(operator, file)))
        importing.start()
        poll(lambda: len(other.ask("GET", f"/v1/conversations?user_id={first}").json["data"]) >= 1, ANSWER_SECONDS, "the first")
        other.ask("DELETE", f"/v1/users/{first}")
        importing.join()
        report = reports[0]
        assert 3 <= report["imported"]["conversations"] < 33
        assert any("erased" in skipped["why"] for skipped in report["skipped"])
        assert len(other.ask("GET", f"/v1/conversations?user_id={second}").json["data"]) == 3
        poll(lambda: other.ask("DELETE", f"/v1/users/{first}").json["state"] == "complete", ANSWER_SECONDS, "the erasure")
        assert other.ask("GET", f"/v1/conversations?user_id={first}").json["data"] == []
    assert own_server.check()[0] == 0


def test_an_export_replaces_files_only(own_server: Server, tmp_path: Path) -> None:
    with Native(own_server, own_server.token(new_user())) as native:
        conversation = tree(native)
        file = export(native, f"/v1/conversations/{conversation}/export")
    place = {"PARLEY_LISTEN": f"127.0.0.1:{own_server.port}"}

    def run(output: Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [binary(), "export", conversation, "--output", str(output), "--data", str(own_server.data)],
            env=environment() | place, capture_output=True, timeout=COMMAND_SECONDS, check=False)

    pipe, real, link = tmp_path / "pipe", tmp_path / "real", tmp_path / "link"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run(pipe).returncode == 0
    reader.join()
    assert read == [file] and pipe.is_fifo()
    real.write_text("old")
    link.symlink_to(real)
    assert run(link).returncode == 0 and link.is_symlink() and real.read_bytes() == file
    full = run(Path("/dev/full"))
    assert full.returncode == 74 and b"No space left" in full.stderr and Path("/dev/full").is_char_device()
    # A shell's >> goes on behind what is there.
    with real.open("ab") as more:
        subprocess.run(
            [binary(), "export", conversation, "--output", "/dev/stdout", "--data", str(own_server.data)],
            env=environment() | place, stdout=more, timeout=COMMAND_SECONDS, check=True)
    assert real.read_bytes() == file + file
    nobody = subprocess.run(
        [binary(), "export", "01a20fe1-eb83-7bc5-b9de-30fea8e88f12", "--data", str(own_server.data)],
        env=environment() | place, capture_output=True, timeout=COMMAND_SECONDS, check=False)
    assert nobody.returncode == 65 and nobody.stdout == b""
    assert run(tmp_path).returncode == 73 and run(tmp_path / "nowhere" / "file").returncode == 73


def test_a_long_export_costs_no_memory_while_others_write(own_server: Server) -> None:
    user = new_user()
    with Native(own_server, own_server.token(user)) as native:
        opened = native.ask("POST", "/v1/conversations", {"session_id": "long"}).json["conversation"]["id"]
        native.append_all(opened, ["a message of some three hundred bytes " * 8] * 20_000)
        other = native.ask("POST", "/v1/conversations", {"session_id": "busy"}).json["conversation"]["id"]
        export(native, f"/v1/conversations/{other}/export")
        before = own_server.resident_bytes()
        with appending(own_server, own_server.token(user), other):
            body = export(native, f"/v1/conversations/{opened}/export")
        assert len(re.findall(rb'"position":', body)) == 20_000
        assert own_server.resident_bytes() - before < 32 * 1024 * 1024
