"""The description at `/openapi.json` is sound, and no request finds an answer that it does not describe.

The requests are made from the description: right ones, nearly right ones and wrong ones. The seed is fixed, so that
every run tries the same ones; a failure shows its request as a curl command.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance, ignored_auth, negative_data_rejection, positive_data_acceptance,
    response_headers_conformance, response_schema_conformance, status_code_conformance, unsupported_method)

from harness import ANSWER_SECONDS, Native, Server, is_uuid, new_user

SEED = 7275
PHASES: dict[str, Any] = {"examples": {}, "coverage": {}, "fuzzing": {"error-feedback": {"enabled": False}}}
EXAMPLES = 40
"""Random requests of each route and kind; the systematic ones come on top."""

DESCRIBED = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance]
CHECKS = [*DESCRIBED, unsupported_method, ignored_auth, negative_data_rejection, positive_data_acceptance]
REFUSED = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415]
"""What may become of a wrong request."""
ACCEPTED = ["2xx", 403, 404, 409, 410, 412]
"""What may become of a right one, which cannot know whose its ids are and what has happened to them."""


@dataclass(frozen=True)
class Things:
    """A conversation with two branches, the ids of its messages, and what `If-Match` must say."""

    conversation: str
    messages: list[str]
    version: int
    revision: int


@dataclass(frozen=True)
class World:
    """A user of its own with a token, and the connections for its requests."""

    user: str
    token: str
    anon_key: str
    session: requests.Session
    native: Native

    def things(self) -> Things:
        """Returns a new conversation; its first message was edited in place, its last one has a sibling."""
        conversation = self._written("POST", "/v1/conversations", {})["conversation"]["id"]
        path = f"/v1/conversations/{conversation}"
        batch = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}
        messages = [message["id"] for message in self._written("POST", f"{path}/messages", batch)["messages"]]
        edited = self._written("PATCH", f"/v1/messages/{messages[0]}", {"content": "One"})
        edit = {"edit_message": messages[1], "content": "Two", "activate": False}
        version = self._written("POST", f"{path}/branches", edit)["version"]
        return Things(conversation, messages, version, edited["message"]["revision"])

    def _written(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = self.native.ask(method, path, body)
        assert answer.status in (200, 201), answer
        return answer.json


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    """Yields a user of its own on the shared server."""
    user = new_user()
    token = server.token(user)
    with requests.Session() as session, Native(server, token) as native:
        yield World(user, token, server.anon_key, session, native)


@pytest.fixture(scope="module")
def description(server: Server) -> Any:
    """Returns the description as everybody gets it."""
    answer = requests.get(f"{server.url}/openapi.json", timeout=ANSWER_SECONDS)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    return answer.json()


@pytest.fixture(scope="module")
def api(server: Server, description: Any) -> Any:
    """Returns what makes the requests."""
    config = schemathesis.Config.from_dict({
        "seed": SEED,
        "base-url": server.url,
        "generation": {
            "max-examples": EXAMPLES, "deterministic": True, "with-security-parameters": False,
            # A schema cannot say that no text anywhere in an object holds U+0000.
            "allow-x00": False,
        },
        # Requests that learn from answers would differ from run to run: ids do.
        "phases": {name: {"extra-data-sources": {"responses": False}} | extra for name, extra in PHASES.items()},
        "checks": {
            "negative_data_rejection": {"expected-statuses": REFUSED},
            "positive_data_acceptance": {"expected-statuses": ACCEPTED},
        },
    })
    return schemathesis.openapi.from_dict(description, config=config)


def test_the_description_is_valid_openapi(description: Any) -> None:
    """It follows the schema of OpenAPI 3.1."""
    assert [error.message for error in OpenAPIV31SpecValidator(description).iter_errors()] == []


# Of a WebSocket only the refusal is an answer to read. What a file of conversations is, no schema can say.
routes = schemathesis.pytest.from_fixture("api").exclude(operation_id=["openSocket", "importFile"])


@routes.parametrize()
def test_every_answer_is_described(case: Case, world: World) -> None:
    """Status, content type, headers and body are described; a wrong request is refused, and a right one is not."""
    place(case, world)
    case.call_and_validate(
        session=world.session, headers={"Authorization": f"Bearer {world.token}"}, timeout=ANSWER_SECONDS,
        checks=CHECKS)


def test_answers_that_need_a_history_are_described(api: Any, world: World) -> None:
    """What conflicts, has been deleted, stands at another version or is another's is answered as described."""
    things = world.things()
    first, last = things.messages
    conversation, message = {"id": things.conversation}, {"id": first}
    branch, trunk = conversation | {"number": 1}, conversation | {"number": 0}
    edit = {"edit_message": last, "content": "x", "client_id": "edit"}

    def ask(operation: str, status: int, path: dict[str, Any], body: Any = NOT_SET, token: str = world.token,
            **more: dict[str, Any]) -> Any:
        case = api.find_operation_by_id(operation).Case(path_parameters=path, body=body, **more)
        answer = case.call_and_validate(
            session=world.session, headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS,
            checks=DESCRIBED)
        assert answer.status_code == status, f"{operation}: {answer.status_code} {answer.text}"
        return answer.json()

    def append(status: int, **fields: Any) -> Any:
        return ask("appendMessages", status, conversation, {"role": "user", "content": "x"} | fields)

    stored = append(201, client_id="append")["message"]["id"]
    append(200, client_id="append")
    append(409, client_id="append", content="y")
    append(409, parent=first, on_conflict="reject")
    assert append(201, parent=first)["branch"]["origin"] == "conflict"
    append(404, parent=str(uuid.uuid4()))
    append(413, content="é" * 140_000)
    replaced = ask("makeBranch", 201, conversation, edit)["message"]["id"]
    ask("makeBranch", 200, conversation, edit)
    ask("makeBranch", 409, conversation, edit | {"content": "y"})

    ask("updateConversation", 412, conversation, {"pinned": True}, headers={"If-Match": "1"})
    ask("reviseMessage", 412, message, {"content": "x"}, headers={"If-Match": '"1"'})
    ask("deleteMessage", 412, message, headers={"If-Match": "1"})
    ask("deleteMessage", 200, {"id": stored})
    ask("deleteMessage", 200, {"id": stored})
    ask("reviseMessage", 410, {"id": stored}, {"content": "x"})
    ask("getMessage", 200, {"id": stored})
    append(410, client_id="append")
    ask("makeBranch", 410, conversation, {"edit_message": stored, "content": "x"})

    ask("updateConversation", 200, conversation, {"active_branch": 0})
    number = ask("getMessage", 200, {"id": replaced})["branch"]
    ask("deleteBranch", 200, conversation | {"number": number})
    ask("deleteBranch", 409, trunk)
    for operation, body in [("getMessage", NOT_SET), ("reviseMessage", {"content": "x"}), ("listRevisions", NOT_SET),
                            ("deleteMessage", NOT_SET)]:
        ask(operation, 410, {"id": replaced}, body)
    append(410, parent=replaced)
    append(404, branch=number)
    ask("makeBranch", 410, conversation, {"from_message": replaced})
    ask("updateConversation", 404, conversation, {"active_branch": number})
    ask("listMessages", 404, conversation, query={"branch": number})
    ask("listMessages", 400, conversation, query={"before": replaced})
    rows = ask("listChanges", 200, conversation, query={"limit": 200})["data"]
    assert {row["kind"] for row in rows} == {"conversation", "branch", "message"}
    assert any(row["row"].get("deleted") for row in rows)
    assert any(row["row"].get("status") == "deleted" for row in rows)

    ask("openSocket", 426, {})
    ask("getConversation", 401, conversation, token="nobody")
    ask("getConversation", 403, conversation, token=world.anon_key)
    ask("getConversation", 403, conversation, query={"user_id": new_user()})
    ask("updateBranch", 200, branch, {"title": "x"})
    ask("eraseConversation", 200, conversation)
    ask("eraseConversation", 404, conversation)


def place(case: Case, world: World) -> None:
    """Puts things that exist where the request has well-formed ids, so that it finds something to do.

    Every request finds a conversation as new: what it deletes no other one misses.
    """
    query, headers = case.query or {}, case.headers or {}
    if is_uuid(query.get("user_id")):
        query["user_id"] = world.user
    if isinstance(case.body, dict) and is_uuid(case.body.get("user_id")):
        case.body["user_id"] = world.user
    if "{" in case.path:
        things = world.things()
        is_message = case.path.startswith("/v1/messages")
        if is_uuid(case.path_parameters.get("id")):
            case.path_parameters["id"] = things.messages[0] if is_message else things.conversation
        if isinstance(case.path_parameters.get("number"), int):
            case.path_parameters["number"] %= 2
        if isinstance(case.body, dict):
            place_in_body(case.body, things)
        if case.meta.generation.mode.is_positive and "If-Match" in headers:
            headers["If-Match"] = f'"{things.revision if is_message else things.version}"'
    if case.meta.generation.mode.is_positive:
        make_right(query, headers, case.body)


def place_in_body(body: dict[str, Any], things: Things) -> None:
    """Names messages and branches that exist; a message for a branch is the last one, which others can follow."""
    for name in ("parent", "from_message", "edit_message"):
        if is_uuid(body.get(name)):
            body[name] = things.messages[-1]
    for name in ("branch", "active_branch"):
        if type(body.get(name)) is int and body[name] >= 0:
            body[name] %= 2


def make_right(query: dict[str, Any], headers: Any, body: Any) -> None:
    """Mends what only an earlier answer could have told, or no schema can say."""
    query.pop("cursor", None)
    if "since" in query:
        query["since"] = 0
    for name in [name for name in ("before", "after", "around") if name in query][1:]:
        query.pop(name)
    for name in {"before", "after", "around"}.intersection(query):
        query[name] = 1
    if "branch" in query:
        query["branch"] = 0
    for number, message in enumerate(body.get("messages") or [] if isinstance(body, dict) else []):
        if message.get("client_id"):
            message["client_id"] = f"{message['client_id'][:200]}{number}"
    if isinstance(body, dict) and ("from_message" in body or '"client_id"' in json.dumps(body)):
        # Both would name one message: they must be the same, or there is none.
        headers.pop("Idempotency-Key", None)
