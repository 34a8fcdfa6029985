"""The official client in the version that is installed, with each kind of key that it takes."""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import Client, create_client

from harness import Server

VERSION = importlib.metadata.version("supabase")
KEY_KINDS = ["JWT keys"] if VERSION == "2.5.0" else ["opaque keys", "JWT keys"]


def offered(method: Callable[..., Any], parameter: str) -> bool:
    """Tells whether the installed version's method has a parameter of that name."""
    return parameter in inspect.signature(method).parameters


@dataclass(frozen=True)
class Clients:
    """Makes official clients of one server, all with the same kind of key."""

    server: Server
    anon_key: str = field(repr=False)
    service_key: str = field(repr=False)

    @cached_property
    def backend(self) -> Client:
        """Returns one client as a backend has it, always the same."""
        return self.new_backend()

    def new_backend(self) -> Client:
        """Returns a client as a backend creates it: with the service role's key."""
        return create_client(self.server.url, self.service_key)

    def anonymous(self) -> Client:
        """Returns a client with the public key and nothing else."""
        return create_client(self.server.url, self.anon_key)

    def of(self, user: str) -> Client:
        """Returns a client as a signed-in user's program has it: the public key and the user's JWT."""
        return self.bearing(self.server.token(user))

    def bearing(self, token: str) -> Client:
        """Returns a client with the public key and any text for a JWT."""
        client = self.anonymous()
        client.postgrest.auth(token)
        return client


@dataclass(frozen=True)
class Refusal:
    """One refused call: what the client raised, and the answer behind it, which the client partly hides."""

    error: APIError
    status: int
    headers: httpx.Headers
    body: Any


def refusal(client: Client, call: Callable[[Client], Any]) -> Refusal:
    """Makes the call and returns how it was refused; anything but an `APIError` fails the test."""
    answers: list[httpx.Response] = []

    def keep(response: httpx.Response) -> None:
        response.read()
        answers.append(response)

    client.postgrest.session.event_hooks = {"response": [keep]}
    try:
        with pytest.raises(APIError) as caught:
            call(client).execute()
    finally:
        client.postgrest.session.event_hooks = {}
    [answer] = answers
    return Refusal(caught.value, answer.status_code, answer.headers, answer.json())
