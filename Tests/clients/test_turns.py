"""Turns: a question is answered once, piece by piece, whoever listens and whatever is cut off on the way."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness import ANSWER_SECONDS, Native, Server, in_threads, new_user, poll
from test_live import Device


def asked(native: Native, conversation: str, content: str, **more: Any) -> dict[str, Any]:
    """Asks and returns the whole turn once it is there."""
    answer = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": content, **more})
    assert answer.status == 201, answer
    turn: dict[str, Any] = answer.json
    return turn


def opened(native: Native, **more: Any) -> str:
    """Returns the id of a new conversation."""
    conversation: str = native.ask("POST", "/v1/conversations", more).json["conversation"]["id"]
    return conversation


@contextmanager
def events(server: Server, token: str, conversation: str, body: dict[str, Any]) -> Iterator[http.client.HTTPResponse]:
    """Asks for events and yields the answer while it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    try:
        connection.request(
            "POST", f"/v1/conversations/{conversation}/turns", json.dumps(body),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "text/event-stream"})
        yield connection.getresponse()
    finally:
        connection.close()


def parsed(stream: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Returns the whole events at the start of a stream; what is cut off at its end does not count."""
    found = []
    for block in stream.decode(errors="ignore").split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def said(found: list[tuple[str, dict[str, Any]]]) -> str:
    """Returns the text that the deltas make; each must go on where the one before ended."""
    text = ""
    for name, data in found:
        if name == "delta":
            assert data["offset"] == len(text), (data, text)
            text += data["text"]
    return text


def test_a_question_is_answered_and_both_are_stored(server: Server) -> None:
    with Native(server, server.token(new_user())) as native:
        conversation = opened(native)
        turn = asked(native, conversation, "Plan a weekend in Oslo", client_id="q")
        assert turn["message"]["content"] == "Plan a weekend in Oslo" and turn["message"]["position"] == 1
        assert turn["reply"]["content"] == "You said: Plan a weekend in Oslo" and turn["reply"]["position"] == 2
        assert turn["reply"]["status"] == "complete" and turn["reply"]["metadata"] == {"model": "echo"}
        assert turn["turn_id"] == turn["reply"]["id"] and not turn["replayed"]
        assert native.messages(conversation) == [turn["message"], turn["reply"]]
        found = native.ask("GET", f"/v1/conversations/{conversation}").json
        # The question with the answer's place is one change, the answer the next.
        assert found["version"] == 3 and found["title"] == "Plan a weekend in Oslo" and found["message_count"] == 2
        again = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                           {"content": "Plan a weekend in Oslo", "client_id": "q"})
        assert again.status == 200 and again.json == turn | {"replayed": True}
        other = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": "other", "client_id": "q"})
        assert other.status == 409 and "turn_id" not in other.json
        assert len(native.messages(conversation)) == 2


def test_an_answer_comes_piece_by_piece(server: Server) -> None:
    token = server.token(new_user())
    question = "Grüße, 週末 und 👩‍👩‍👧 bitte"
    with Native(server, token) as native:
        conversation = opened(native)
        with events(server, token, conversation, {"content": question}) as answer:
            assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream"
            found = parsed(answer.read())
        names = [name for name, _ in found]
        assert names[0] == "message" and names[-1] == "done" and set(names[1:-1]) == {"delta"} and len(names) > 4
        assert found[0][1]["message"]["content"] == question and found[0][1]["turn_id"] == found[-1][1]["message"]["id"]
        assert said(found) == found[-1][1]["message"]["content"] == f"You said: {question}"
        assert native.messages(conversation)[1] == found[-1][1]["message"]


def test_a_turn_goes_on_when_whoever_asked_has_left(server: Server) -> None:
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation = opened(native)
        with events(server, token, conversation, {"content": "one two three four five six seven eight"}) as answer:
            answer.read(300)
        poll(lambda: native.messages(conversation)[1]["status"] == "complete", 10, "the answer")
        assert native.messages(conversation)[1]["content"] == "You said: one two three four five six seven eight"


def test_a_branch_has_one_turn_at_a_time(server: Server) -> None:
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation = opened(native)
        first = asked(native, conversation, "first", client_id="a")
        with events(server, token, conversation, {"content": "/slow 200 x x x x x", "client_id": "b"}) as answer:
            answer.read(200)
            refused = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": "c", "client_id": "c"})
            assert refused.status == 409 and refused.json["code"] == "conflict"
            assert refused.json["turn_id"] == native.messages(conversation)[3]["id"]
            # One that comes again is found all the same.
            again = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": "first", "client_id": "a"})
            assert again.status == 200 and again.json["reply"] == first["reply"]
            # Another place is another branch.
            aside = asked(native, conversation, "aside", parent=first["reply"]["id"])
            assert aside["message"]["branch"] != first["message"]["branch"] and aside["branch"]["origin"] == "conflict"
            joined = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                                {"content": "/slow 200 x x x x x", "client_id": "b"})
            assert joined.status == 200 and joined.json["reply"]["content"] == "You said: x x x x x"
        assert [each["content"] for each in native.messages(conversation)] == [
            "first", "You said: first", "/slow 200 x x x x x", "You said: x x x x x"]


def test_sixteen_times_the_same_question_at_once_is_one(server: Server) -> None:
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation = opened(native)

        def ask(_: int) -> dict[str, Any]:
            with Native(server, token) as one:
                turn: dict[str, Any] = one.ask("POST", f"/v1/conversations/{conversation}/turns",
                                               {"content": "the same", "client_id": "q"}).json
                return turn

        turns = in_threads(16, ask)
        assert {turn["reply"]["id"] for turn in turns} == {turns[0]["reply"]["id"]}
        assert sorted(turn["replayed"] for turn in turns) == [False] + [True] * 15
        assert len(native.messages(conversation)) == 2


def test_a_question_is_asked_again_with_another_text_and_an_answer_written_anew(server: Server) -> None:
    with Native(server, server.token(new_user())) as native:
        conversation = opened(native)
        first = asked(native, conversation, "Oslo")
        edited = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                            {"edit_message": first["message"]["id"], "content": "Bergen", "client_id": "e"}).json
        assert edited["branch"]["origin"] == "edit" and edited["reply"]["content"] == "You said: Bergen"
        assert [each["content"] for each in native.messages(conversation)] == ["Bergen", "You said: Bergen"]
        anew = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                          {"regenerate": edited["reply"]["id"], "client_id": "r"})
        assert anew.status == 201 and anew.json["message"] is None and anew.json["branch"]["origin"] == "regenerate"
        siblings = native.ask("GET", f"/v1/messages/{edited['reply']['id']}").json["siblings"]
        assert [each["id"] for each in siblings] == [edited["reply"]["id"], anew.json["reply"]["id"]]
        again = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                           {"regenerate": edited["reply"]["id"], "client_id": "r"})
        assert again.status == 200 and again.json["reply"] == anew.json["reply"]
        for status, body in ((409, {"regenerate": first["message"]["id"]}),
                             (409, {"edit_message": first["reply"]["id"], "content": "x"}),
                             (400, {"regenerate": first["reply"]["id"], "content": "x"}), (400, {})):
            assert native.ask("POST", f"/v1/conversations/{conversation}/turns", body).status == status, body
        other = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": "x", "model": "gpt-9"})
        assert other.status == 404 and other.json["field"] == "model" and "echo" in other.json["detail"]
    assert server.check()[0] == 0


def test_a_model_that_fails_leaves_what_it_said(server: Server) -> None:
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation = opened(native)
        with events(server, token, conversation, {"content": "/fail 3 one two three four"}) as answer:
            found = parsed(answer.read())
        assert [name for name, _ in found][-2:] == ["error", "done"]
        problem, done = found[-2][1], found[-1][1]["message"]
        assert problem["code"] == "unavailable" and problem["status"] == 503 and problem["detail"]
        assert done["status"] == "incomplete" and done["content"] == said(found) and done["content"].startswith("You said")
        assert done["metadata"] == {"error": problem["detail"], "model": "echo"}
        nothing = asked(native, conversation, "/fail")
        assert nothing["reply"]["status"] == "incomplete" and nothing["reply"]["content"] == ""
        # The former programs do not see what is not whole, and a new answer is one request away.
        anew = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"regenerate": done["id"]})
        assert anew.status == 201


def test_a_tool_is_run_and_named(server: Server) -> None:
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation = opened(native)
        with events(server, token, conversation, {"content": "/tool current_time {}"}) as answer:
            found = parsed(answer.read())
        tools = [data for name, data in found if name == "tool"]
        assert len(tools) == 1 and tools[0]["name"] == "current_time" and not tools[0]["is_error"]
        done = found[-1][1]["message"]
        assert done["content"].endswith(f"The tool said: {tools[0]['result']}") and done["content"] == said(found)
        assert done["metadata"]["tools"][0]["name"] == "current_time"
        assert asked(native, conversation, "/tool none {}")["reply"]["metadata"]["tools"][0]["error"] is True


def test_kill_9_in_mid_answer_leaves_a_prefix_at_most_a_second_old(own_server: Server) -> None:
    token = own_server.token(new_user())
    words = " ".join(f"word{number}" for number in range(200))
    with Native(own_server, token) as native:
        conversation = opened(native)
        with events(own_server, token, conversation, {"content": f"/slow 50 {words}", "client_id": "q"}) as answer:
            stream = b""
            until = time.monotonic() + 3.2
            while time.monotonic() < until:
                stream += answer.read1(4_096)
            own_server.kill9()
        heard = said(parsed(stream))
    own_server.start()
    with Native(own_server, token) as native:
        left = native.messages(conversation)[1]
        assert left["status"] == "incomplete" and f"You said: {words}".startswith(left["content"])
        # A second is 20 words here; the clock of a busy machine is given another half.
        assert len(heard) - len(left["content"]) <= 30 * len("word123 ") and len(left["content"]) > 0
        again = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                           {"content": f"/slow 50 {words}", "client_id": "q"})
        assert again.status == 200 and again.json["reply"] == left
        assert own_server.check()[0] == 0


def test_a_stop_ends_answers_as_they_are(own_server: Server) -> None:
    token = own_server.token(new_user())
    with Native(own_server, token) as native:
        conversation = opened(native)
        with events(own_server, token, conversation, {"content": "/slow 100 " + "x " * 200}) as answer:
            stream = answer.read(600)
            own_server.stop()
            found = parsed(stream + answer.read())
        assert found[-1][0] == "done" and found[-1][1]["message"]["status"] == "incomplete"
    own_server.start()
    with Native(own_server, token) as native:
        assert native.messages(conversation)[1]["status"] == "incomplete"


def test_devices_see_an_answer_grow_and_one_that_comes_late_has_all_of_it(server: Server) -> None:
    token = server.token(new_user())
    with Device(server, token) as phone, Device(server, token) as tablet, Device(server, token) as late:
        phone.ask("attach", "attached", session_id="trip")
        tablet.ask("attach", "attached", session_id="trip")
        words = "one two three four five six seven eight nine ten"
        ack = phone.ask("turn", "ack", client_id="q", content=f"/slow 60 {words}")
        assert ack["message"]["content"] == f"/slow 60 {words}" and ack["client_id"] == "q"
        turn = ack["turn_id"]
        first = tablet.hear_one("delta", passing=("event", "presence"))
        assert first["turn_id"] == turn and first["offset"] == 0
        late.ask("attach", "attached", session_id="trip")
        draft = late.hear_one("draft", passing=("presence",))
        assert draft["turn_id"] == draft["message_id"] == turn

        def rest(device: Device, text: str) -> str:
            while True:
                frame = device.hear_one("delta", "done", passing=("event", "presence", "draft"))
                if frame["type"] == "done":
                    assert frame["message"]["content"] == text == f"You said: {words}"
                    return text
                assert frame["offset"] == len(text)
                text += frame["text"]

        assert rest(phone, "") == rest(tablet, first["text"]) == rest(late, draft["text"])


def test_an_answer_is_cancelled(server: Server) -> None:
    token = server.token(new_user())
    with Device(server, token) as phone, Native(server, server.token(new_user())) as stranger:
        conversation = phone.ask("attach", "attached", session_id="trip")["conversation"]["id"]
        turn = phone.ask("turn", "ack", client_id="q", content="/slow 100 " + "x " * 100)["turn_id"]
        phone.hear_one("delta", passing=("event", "presence"))
        assert stranger.ask("GET", f"/v1/messages/{turn}").status == 404
        phone.say("cancel", turn_id=turn, ref="c")
        done = phone.hear_one("done", passing=("event", "presence", "delta", "ack"))
        assert done["message"]["status"] == "incomplete" and done["turn_id"] == turn
        with Native(server, token) as native:
            assert native.messages(conversation)[1] == done["message"]
        again = phone.ask("regenerate", "ack", message_id=turn)
        assert again["message"]["status"] == "streaming" and again["branch"]["origin"] == "regenerate"


@pytest.mark.parametrize("frame", [
    {"type": "turn", "client_id": "q"}, {"type": "turn", "content": 1}, {"type": "regenerate"},
    {"type": "regenerate", "message_id": "x"}, {"type": "cancel"}, {"type": "cancel", "turn_id": new_user()},
])
def test_a_bad_frame_of_a_turn_is_answered(server: Server, frame: dict[str, Any]) -> None:
    with Device(server, server.token(new_user())) as device:
        device.ask("attach", "attached", session_id="trip")
        device.say(**frame)
        assert device.hear_one("error", passing=("presence",))["code"] in ("invalid", "not_found")
