"""The fixtures of the tests that every version of the official client must pass.

The module runs in the environment of each `supabase-*.txt` beside it, as well as in that of the other tests.
"""

from __future__ import annotations

import pytest

from harness import Server
from official import KEY_KINDS, VERSION, Clients


def pytest_report_header() -> str:
    """Names the version under test at the head of a run."""
    return f"supabase {VERSION}"


@pytest.fixture(scope="session", params=KEY_KINDS)
def clients(request: pytest.FixtureRequest, server: Server) -> Clients:
    """Returns the makers of clients, once with each kind of key."""
    if request.param == "opaque keys":
        return Clients(server, server.anon_key, server.service_key)
    return Clients(server, server.role_token("anon"), server.role_token("service_role"))
