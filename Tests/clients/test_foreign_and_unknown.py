"""What belongs to another user and what does not exist at all get the same answers, byte for byte."""

from __future__ import annotations

import json
from typing import Any

from harness import Answer, Native, Server, new_user

Request = tuple[str, str, Any, dict[str, str]]
"""Method, target, body and further headers; `{name}` stands for an id of the foreign or of the unknown thing."""

SOME_CONVERSATION = "0190a5b0-7c00-7000-8000-00000000cafe"
SOME_MESSAGE = "0190a5b0-7c00-7000-8000-00000000caff"

C, M = "/v1/conversations/{conversation}", "/v1/messages/{message}"
OWN = "/v1/conversations/{own}"
MESSAGE: dict[str, Any] = {"role": "user", "content": "Mallory was here"}
RPC_MESSAGE: dict[str, Any] = {"p_role": "user", "p_content": "Mallory was here"}
STORE, OPEN, HISTORY = (
    "/rest/v1/rpc/" + name
    for name in ("store_pam_message", "get_or_create_pam_conversation", "get_conversation_history"))
TOO_MUCH = "x" * 262_145
ONE_OBJECT = {"Accept": "application/vnd.pgrst.object+json"}
COUNTED = {"Prefer": "count=exact"}


def _conversations() -> list[Request]:
    return [
        *((method, C, {} if method in ("POST", "PUT") else None, {})
          for method in ("GET", "HEAD", "DELETE", "POST", "PUT", "OPTIONS")),
        ("PATCH", C, {"title": "Mallory's"}, {}),
        ("PATCH", C, {"title": "Mallory's"}, {"If-Match": "1"}),
        ("PATCH", C, {"title": "Mallory's"}, {"If-Match": "999"}),
        ("PATCH", C, {"active_branch": 0}, {}),
        ("PATCH", C, {"active_branch": 7}, {}),
        ("PATCH", C, {}, {}),
        ("GET", C + "?user_id={user}", None, {}),
        ("DELETE", C + "?user_id={user}", None, {}),
        *((method, C + "/branches", None, {}) for method in ("GET", "HEAD", "PUT", "DELETE")),
        ("POST", C + "/branches", {"from_message": "{message}"}, {}),
        ("POST", C + "/branches", {"edit_message": "{message}", "content": "Mallory's"}, {}),
        ("POST", C + "/branches", {"from_message": None}, {}),
        *(("PATCH", C + branch, {"title": "x"}, {}) for branch in ("/branches/0", "/branches/1", "/branches/x")),
        *(("DELETE", C + branch, None, {}) for branch in ("/branches/0", "/branches/1", "/branches/x")),
        ("POST", C + "/turns", {"content": "Mallory's"}, {}),
        ("POST", C + "/turns", {"regenerate": "{message}"}, {}),
        *(("GET", C + "/changes" + query, None, {}) for query in ("", "?since=0", "?since=1", "?since=999")),
        *(("GET", C + "/export" + query, None, {}) for query in ("", "?format=json", "?format=markdown", "?branch=9")),
        ("GET", C + "/nothing", None, {}),
    ]


def _messages() -> list[Request]:
    bodies: list[Any] = [
        MESSAGE, MESSAGE | {"client_id": "first"}, MESSAGE | {"client_id": "first", "content": "Alice's own"},
        MESSAGE | {"client_id": "never"}, MESSAGE | {"parent": "{message}"}, MESSAGE | {"branch": 0},
        MESSAGE | {"branch": 9}, {"messages": [MESSAGE, MESSAGE]}, {"messages": []}, MESSAGE | {"role": "robot"},
        MESSAGE | {"user_id": "{user}"}, MESSAGE | {"content": TOO_MUCH}, {}, []]
    return [
        *((method, C + "/messages", None, {}) for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")),
        *(("GET", C + "/messages?" + query, None, {}) for query in (
            "limit=1", "limit=0", "limit=200", "before={cursor}", "after={cursor}", "around={cursor}",
            "before={message}", "after={message}", "around={message}", "around=1", "around=1000000", "before=0",
            "after=0", "branch=0", "branch=9", "branch=x", "before=damaged", "user_id={user}", "before=1&after=1",
            "colour=red")),
        *(("POST", C + "/messages", body, {}) for body in bodies),
        ("POST", C + "/messages", MESSAGE, {"Idempotency-Key": "first"}),
        ("POST", C + "/messages", MESSAGE, {"Content-Type": "text/plain"}),
        *((method, M, None, {}) for method in ("GET", "HEAD", "DELETE", "PUT")),
        ("PATCH", M, {"content": "Mallory's"}, {}),
        ("PATCH", M, {"content": "Mallory's"}, {"If-Match": "1"}),
        ("PATCH", M, {"content": TOO_MUCH}, {}),
        ("GET", M + "?user_id={user}", None, {}),
        ("GET", M + "/revisions", None, {}),
    ]


def _ones_own() -> list[Request]:
    """One's own conversation, in connection with what is not one's own."""
    return [
        ("POST", OWN + "/messages", MESSAGE | {"parent": "{message}"}, {}),
        ("POST", OWN + "/messages", {"messages": [MESSAGE], "parent": "{message}"}, {}),
        *(("GET", OWN + "/messages?" + anchor, None, {})
          for anchor in ("before={message}", "after={message}", "around={message}")),
        ("POST", OWN + "/branches", {"from_message": "{message}"}, {}),
        ("POST", OWN + "/branches", {"edit_message": "{message}", "content": "Mallory's"}, {}),
        ("POST", OWN + "/turns", {"regenerate": "{message}"}, {}),
        ("POST", OWN + "/turns", {"content": "Mallory's", "parent": "{message}"}, {}),
        ("POST", HISTORY, {"p_user_id": "{mallory}", "p_before": "{message}"}, {}),
        ("POST", HISTORY, {"p_user_id": "{mallory}", "p_session_id": "{session}"}, {}),
        ("GET", HISTORY + "?p_user_id={mallory}&p_before={message}", None, {}),
    ]


def _users() -> list[Request]:
    return [
        ("GET", "/v1/conversations?user_id={user}", None, {}),
        ("GET", "/v1/conversations?session_id={session}", None, {}),
        ("POST", "/v1/conversations", {"user_id": "{user}"}, {}),
        ("POST", "/v1/conversations?user_id={user}", {}, {}),
        ("POST", "/v1/conversations", {"user_id": "{user}", "session_id": "{session}"}, {}),
        ("DELETE", "/v1/users/{user}", None, {}),
        ("GET", "/v1/search?q=Alice&conversation_id={conversation}", None, {}),
        ("GET", "/v1/search?q=Alice&user_id={user}", None, {}),
        ("GET", "/v1/export?user_id={user}", None, {}),
    ]


def _functions() -> list[Request]:
    return [
        *(("POST", STORE, RPC_MESSAGE | {"p_conversation_id": "{conversation}"} | more, {}) for more in (
            {}, {"p_client_id": "first"}, {"p_client_id": "first", "p_content": "Alice's own"}, {"p_role": "robot"},
            {"p_content": None}, {"p_confidence": 100}, {"p_client_id": "c" * 256}, {"p_content": TOO_MUCH})),
        *(("POST", OPEN, {"p_user_id": "{user}"} | more, {}) for more in (
            {}, {"p_session_id": "{session}"}, {"p_context": {"a": 1}})),
        *(("POST", HISTORY, {"p_user_id": "{user}"} | more, {}) for more in (
            {}, {"p_limit": 5}, {"p_limit": -1}, {"p_session_id": "{session}"}, {"p_before": "{message}"})),
        *((method, HISTORY + "?p_user_id={user}", None, {}) for method in ("GET", "HEAD", "PUT", "DELETE")),
        ("GET", STORE + "?p_conversation_id={conversation}&p_role=user&p_content=x", None, {}),
        ("GET", OPEN + "?p_user_id={user}", None, {}),
    ]


def _tables() -> list[Request]:
    reads = (
        "pam_messages?id=eq.{message}", "pam_messages?conversation_id=eq.{conversation}",
        "pam_messages?id=in.({message})", "pam_messages?id=gte.{message}&id=lte.{message}",
        "pam_messages?conversation_id=eq.{conversation}&order=created_at.desc&limit=5",
        "pam_messages?conversation_id=in.({conversation})&select=content", "pam_conversations?id=eq.{conversation}",
        "pam_conversations?user_id=eq.{user}", "pam_conversations?session_id=eq.{session}",
        "pam_conversations?id=in.({conversation})&limit=1&offset=1")
    rows = ("pam_conversations?id=eq.{conversation}", "pam_messages?id=eq.{message}")
    return [
        *((method, "/rest/v1/" + read, None, headers)
          for read in reads for method in ("GET", "HEAD") for headers in ({}, ONE_OBJECT, COUNTED)),
        *((method, "/rest/v1/" + row, None if method == "DELETE" else {"title": "Mallory's"}, {})
          for row in rows for method in ("PATCH", "DELETE", "PUT")),
        ("POST", "/rest/v1/pam_messages", MESSAGE | {"conversation_id": "{conversation}"}, {}),
        ("POST", "/rest/v1/pam_conversations", {"user_id": "{user}"}, {}),
    ]


REQUESTS = [*_conversations(), *_messages(), *_users(), *_functions(), *_ones_own(), *_tables()]
FINDS_NOTHING = ("/rest/v1/pam_", "/v1/conversations?session_id=", "/v1/search", HISTORY + " ")
"""The beginnings of what may be answered with 2xx, because nothing is found."""
STATUSES = {
    ("GET", C): 404, ("DELETE", C): 404, ("GET", C + "/messages"): 404, ("GET", C + "/messages?before={cursor}"): 404,
    ("GET", C + "/messages?around={message}"): 404, ("POST", C + "/messages"): 404, ("GET", C + "/branches"): 404,
    ("GET", M): 404, ("GET", "/v1/conversations?user_id={user}"): 403, ("POST", STORE): 409, ("POST", OPEN): 403,
    ("POST", HISTORY): 403, ("GET", "/rest/v1/pam_messages?id=eq.{message}"): 200,
    ("GET", "/rest/v1/pam_messages?conversation_id=eq.{conversation}"): 200,
}
"""The status of the first request of its method and target."""


VARYING_HEADERS = ("x-request-id", "date", "connection")
"""`Connection: close` stands in a refusal that was faster than the rest of the request's body."""


def telling_parts(answer: Answer, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Returns an answer without what may differ: the headers that vary and the ids that were asked for."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING_HEADERS}
    body = answer.body.replace(request_id.encode(), b"REQUEST")
    for name, value in asked.items():
        body = body.replace(value.encode(), name.encode())
    return answer.status, headers, body


def test_foreign_and_unknown_things_get_the_same_answers(server: Server) -> None:
    """At every route of both doors the answers differ in nothing but the request id and the ids that were asked for.

    The cursor is one of the foreign conversation in both cases. Nothing of the other user's is found or changed.
    """
    alice, mallory = new_user(), new_user()
    with Native(server, server.token(alice)) as native:
        opened = native.ask("POST", "/v1/conversations", {"session_id": "alice's"})
        conversation = opened.json["conversation"]["id"]
        for content, client_id in (("Alice's own", "first"), ("the second", "second"), ("the third", "third")):
            stored = native.append(conversation, {"role": "user", "content": content, "client_id": client_id})
            assert stored.status == 201, stored
        page = native.page(conversation, limit=1)
        before = native.ask("GET", f"/v1/conversations/{conversation}").json, native.messages(conversation)
    foreign = {"conversation": conversation, "message": page["data"][0]["id"], "user": alice, "session": "alice's"}
    unknown = {"conversation": SOME_CONVERSATION, "message": SOME_MESSAGE, "user": new_user(), "session": "nobody's"}

    with Native(server, server.token(mallory)) as native:
        own = native.ask("POST", "/v1/conversations", {"session_id": "mallory's"}).json["conversation"]["id"]
        assert native.append(own, {"role": "user", "content": "Mallory's own"}).status == 201
        both = {"cursor": page["before"], "own": own, "mallory": mallory}

        def filled(text: str, asked: dict[str, str]) -> str:
            for name, value in (asked | both).items():
                text = text.replace("{" + name + "}", value)
            return text

        def answered(request: Request, asked: dict[str, str]) -> Answer:
            method, target, body, headers = request
            encoded = None if body is None else filled(json.dumps(body), asked).encode()
            return native.ask(method, filled(target, asked), encoded, {"apikey": server.anon_key} | headers)

        different, found = [], []
        statuses: dict[tuple[str, str], int] = {}
        for request in REQUESTS:
            of_unknown, of_foreign = answered(request, unknown), answered(request, foreign)
            if telling_parts(of_unknown, unknown) != telling_parts(of_foreign, foreign):
                different.append((request, of_unknown, of_foreign))
            if of_foreign.status < 400 and not (request[1] + " ").startswith(FINDS_NOTHING):
                found.append((request, of_foreign))
            if any(text in of_foreign.body for text in (b"Alice's own", b"the second", b"the third")):
                found.append((request, of_foreign))
            statuses.setdefault(request[:2], of_foreign.status)
        assert not different, "\n".join(map(str, different))
        assert not found, "\n".join(map(str, found))
        assert {asked: statuses[asked] for asked in STATUSES} == STATUSES
        assert [row["content"] for row in native.messages(own)] == ["Mallory's own"]
    with Native(server, server.token(alice)) as native:
        assert (native.ask("GET", f"/v1/conversations/{conversation}").json, native.messages(conversation)) == before
