"""Requests that must be refused, each with its status and its code: a table for both doors and for HTTP below them.

A case holds one fault only. Texts may hold `${name}` of `World`, which stands for something that exists on the server
under test: a conversation, a token, a cursor. The expected answers are the published ones; where those are silent,
RFC 9110 and 9112 decide for HTTP, and PostgREST and PostgreSQL for the Supabase door.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from wire import as_bytes, request

BODY_BYTES = 1_048_576
CONTENT_BYTES = 262_144
OBJECT_BYTES = 65_536
OBJECT_DEPTH = 32

UNKNOWN = "0190a5b0-7c00-7000-8000-00000000cafe"
NATIVE_CODES = {
    400: "invalid", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "invalid", 409: "conflict",
    410: "gone", 412: "precondition_failed", 413: "too_large", 414: "too_large|invalid", 415: "invalid",
    417: "invalid", 431: "too_large|invalid",
}
"""The code of a problem by its status; HTTP's own 414, 417 and 431 have none, so the nearest ones stand there."""

Door = Literal["native", "supabase", "http"]


@dataclass(frozen=True)
class World:
    """What exists on the server under test; `foreign_…` belongs to another user."""

    secret: bytes
    service_key: str
    anon_key: str
    token: str
    user: str
    foreign_user: str
    conversation: str
    foreign_conversation: str
    message: str
    foreign_message: str
    cursor: str
    foreign_cursor: str
    other_cursor: str
    list_cursor: str
    foreign_list_cursor: str

    def fill(self, text: bytes) -> bytes:
        """Returns the text with every known `${name}` replaced."""
        return re.sub(
            rb"\$\{([a-z_]+)\}", lambda match: as_bytes(getattr(self, match[1].decode(), match[0])), text)


Text = str | bytes | Callable[[World], str | bytes]


@dataclass(frozen=True)
class BadInput:
    """One request and its refusal; `code` is a regular expression for the whole code, "" where there is no body."""

    id: str
    door: Door
    statuses: tuple[int, ...]
    code: str
    method: str = "GET"
    target: Text = "/"
    headers: tuple[tuple[str, Text], ...] = ()
    body: Text | None = None
    whole: Text | None = None
    """The whole request instead of its parts."""
    message: str | None = None
    """The whole message, where the words are part of the contract."""
    allow: frozenset[str] | None = None
    """The methods that the header Allow must name, for a 405."""
    half_close: bool = False
    """The sender closes its side after the last byte; then no answer but the end of the connection will do too."""

    def request(self, world: World) -> bytes:
        """Returns what is sent."""
        if self.whole is not None:
            return resolve(self.whole, world)
        headers = [(name, resolve(value, world)) for name, value in self.headers]
        body = None if self.body is None else resolve(self.body, world)
        return request(self.method, resolve(self.target, world), headers, body)


def resolve(text: Text, world: World) -> bytes:
    """Returns the bytes that a text stands for in this world."""
    return world.fill(as_bytes(text)) if isinstance(text, (str, bytes)) else as_bytes(text(world))


def _encoded(body: Any) -> Text | None:
    """Returns bytes, texts to be made and nothing as they are, and anything else as JSON."""
    return body if body is None or isinstance(body, bytes) or callable(body) else json.dumps(body, separators=(",",
        ":")).encode()


def _merged(defaults: dict[str, Text], headers: dict[str, Any]) -> tuple[tuple[str, Text], ...]:
    """Returns the defaults with the headers in their place: None leaves one out, a list repeats it."""
    pairs: list[tuple[str, Text]] = []
    for name, value in (defaults | headers).items():
        pairs += [(name, each) for each in (value if isinstance(value, list) else [value]) if each is not None]
    return tuple(pairs)


def _statuses(status: int | tuple[int, ...]) -> tuple[int, ...]:
    return status if isinstance(status, tuple) else (status,)


def native(
    name: str, method: str, target: Text, status: int | tuple[int, ...] = 400, body: Any = None,
    headers: dict[str, Any] | None = None, allow: str | None = None,
) -> BadInput:
    """A request at the native door with the user's token."""
    statuses = _statuses(status)
    defaults: dict[str, Text] = {"Host": "test", "Authorization": "Bearer ${token}"}
    if body is not None:
        defaults["Content-Type"] = "application/json"
    return BadInput(
        name, "native", statuses, "|".join(dict.fromkeys(NATIVE_CODES[each] for each in statuses)), method, target,
        _merged(defaults, headers or {}), _encoded(body), allow=None if allow is None else frozenset(allow.split()))


def supabase(
    name: str, method: str, target: Text, status: int | tuple[int, ...], code: str, body: Any = None,
    headers: dict[str, Any] | None = None, message: str | None = None, allow: str | None = None,
) -> BadInput:
    """A request at the Supabase door with the public key and the user's token."""
    defaults: dict[str, Text] = {"Host": "test", "apikey": "${anon_key}", "Authorization": "Bearer ${token}"}
    if body is not None:
        defaults["Content-Type"] = "application/json"
    return BadInput(
        name, "supabase", _statuses(status), code, method, target, _merged(defaults, headers or {}), _encoded(body),
        message=message, allow=None if allow is None else frozenset(allow.split()))


def rpc(
    name: str, function: str, body: Any, status: int | tuple[int, ...], code: str, message: str | None = None,
    headers: dict[str, Any] | None = None,
) -> BadInput:
    """A call of one function with POST."""
    return supabase(name, "POST", f"/rest/v1/rpc/{function}", status, code, body, headers, message)


def http(
    name: str, sent: Text, status: int | tuple[int, ...] = 400, half_close: bool = False
) -> BadInput:
    """A request that is wrong as HTTP."""
    statuses = _statuses(status)
    codes = "|".join(dict.fromkeys(NATIVE_CODES[each] for each in statuses))
    return BadInput(name, "http", statuses, codes, whole=sent, half_close=half_close)


MESSAGES = "/v1/conversations/${conversation}/messages"
CONVERSATION = "/v1/conversations/${conversation}"
GET_OR_CREATE = "get_or_create_pam_conversation"
STORE = "store_pam_message"
HISTORY = "get_conversation_history"


# Tokens


def jwt(
    secret: bytes, payload: dict[str, Any] | bytes, header: dict[str, Any] | bytes | None = None,
    digest: str = "sha256",
) -> str:
    """Returns a token of any header and payload, signed with HMAC."""
    parts = [{"alg": "HS256", "typ": "JWT"} if header is None else header, payload]
    unsigned = ".".join(
        _base64url(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
    return f"{unsigned}.{_base64url(hmac.digest(secret, unsigned.encode(), digest))}"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _claims(world: World, **changes: Any) -> dict[str, Any]:
    """Returns good claims with changes; a change to `...` leaves the claim out."""
    claims = {"sub": world.user, "role": "authenticated", "exp": int(time.time()) + 600} | changes
    return {name: value for name, value in claims.items() if value is not ...}


def _signed(header: dict[str, Any] | None = None, digest: str = "sha256", **changes: Any) -> Text:
    def token(world: World) -> str:
        head = None if header is None else {"typ": "JWT"} | header
        return jwt(world.secret, _claims(world, **changes), head, digest)

    return token


def _raw_claims(payload: str) -> Text:
    """A token whose payload is this text, where `SUB` and `EXP` stand for good values."""
    def token(world: World) -> str:
        text = payload.replace("SUB", f'"{world.user}"').replace("EXP", str(int(time.time()) + 600))
        return jwt(world.secret, text.encode())

    return token


def _changed(change: Callable[[list[str]], list[str]]) -> Text:
    """The good token with its three parts changed."""
    return lambda world: ".".join(change(world.token.split(".")))


def _foreign_payload(parts: list[str]) -> list[str]:
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    claims = json.loads(base64.urlsafe_b64decode(padded)) | {"sub": UNKNOWN}
    return [parts[0], _base64url(json.dumps(claims).encode()), parts[2]]


def _flipped(text: str) -> str:
    """Changes the first character, which always changes a byte; the last one has spare bits."""
    return ("B" if text[0] == "A" else "A") + text[1:]


BAD_TOKENS: dict[str, Text] = {
    "alg-none-unsigned": lambda world: ".".join(
        [_base64url(b'{"alg":"none"}'), _base64url(json.dumps(_claims(world)).encode()), ""]),
    "alg-none-signed": _signed({"alg": "none"}),
    "alg-None": _signed({"alg": "None"}),
    "alg-hs256-lower-case": _signed({"alg": "hs256"}),
    "alg-HS384-over-HS256": _signed({"alg": "HS384"}),
    "alg-HS384": _signed({"alg": "HS384"}, "sha384"),
    "alg-HS512": _signed({"alg": "HS512"}, "sha512"),
    "alg-RS256-with-the-secret": _signed({"alg": "RS256"}),
    "alg-ES256-with-the-secret": _signed({"alg": "ES256"}),
    "alg-missing": _signed({}),
    "alg-null": _signed({"alg": None}),
    "alg-number": _signed({"alg": 256}),
    "alg-list": _signed({"alg": ["HS256"]}),
    "alg-twice": lambda world: jwt(world.secret, _claims(world), b'{"alg":"none","alg":"HS256"}'),
    "kid-unknown": _signed({"alg": "HS256", "kid": "key-2"}),
    "kid-path": _signed({"alg": "HS256", "kid": "../../../../dev/null"}),
    "kid-sql": _signed({"alg": "HS256", "kid": "' UNION SELECT 'x"}),
    "kid-number": _signed({"alg": "HS256", "kid": 1}),
    "crit": _signed({"alg": "HS256", "crit": ["b64"], "b64": False}),
    "header-not-json": lambda world: jwt(world.secret, _claims(world), b"HS256"),
    "header-list": lambda world: jwt(world.secret, _claims(world), b'["HS256"]'),
    "header-empty": lambda world: jwt(world.secret, _claims(world), b""),
    "payload-not-json": lambda world: jwt(world.secret, b"sub"),
    "payload-empty": lambda world: jwt(world.secret, b""),
    "payload-list": lambda world: jwt(world.secret, b"[]"),
    "payload-null": lambda world: jwt(world.secret, b"null"),
    "payload-invalid-utf8": lambda world: jwt(world.secret, b'{"sub":"\xff"}'),
    "payload-deep": lambda world: jwt(world.secret, b'{"a":' * 400 + b"1" + b"}" * 400),
    "exp-missing": _signed(exp=...),
    "exp-null": _signed(exp=None),
    "exp-text": _signed(exp="2999-01-01"),
    "exp-digits-as-text": _signed(exp="99999999999"),
    "exp-true": _signed(exp=True),
    "exp-list": _signed(exp=[99999999999]),
    "exp-object": _signed(exp={}),
    "exp-infinite": _raw_claims('{"sub":SUB,"role":"authenticated","exp":1e400}'),
    "exp-nan": _raw_claims('{"sub":SUB,"role":"authenticated","exp":NaN}'),
    "nbf-in-an-hour": lambda world: jwt(world.secret, _claims(world, nbf=int(time.time()) + 3_600)),
    "nbf-text": _signed(nbf="now"),
    "nbf-infinite": _raw_claims('{"sub":SUB,"role":"authenticated","exp":EXP,"nbf":1e400}'),
    "sub-missing": _signed(sub=...),
    "sub-null": _signed(sub=None),
    "sub-empty": _signed(sub=""),
    "sub-name": _signed(sub="alice"),
    "sub-number": _signed(sub=7),
    "sub-list": _signed(sub=[UNKNOWN]),
    "sub-with-newline": _signed(sub=UNKNOWN + "\n"),
    "role-missing": _signed(role=...),
    "role-null": _signed(role=None),
    "role-unknown": _signed(role="postgres"),
    "role-upper-case": _signed(role="AUTHENTICATED"),
    "role-number": _signed(role=1),
    "role-list": _signed(role=["service_role"]),
    "another-secret": lambda world: jwt(b"another secret of at least 32 bytes", _claims(world)),
    "empty-secret": lambda world: jwt(b"", _claims(world)),
    "secret-with-newline": lambda world: jwt(world.secret + b"\n", _claims(world)),
    "signed-with-the-anon-key": lambda world: jwt(world.anon_key.encode(), _claims(world)),
    "signature-changed": _changed(lambda parts: [parts[0], parts[1], _flipped(parts[2])]),
    "signature-cut": _changed(lambda parts: [parts[0], parts[1], parts[2][:-4]]),
    "signature-empty": _changed(lambda parts: [parts[0], parts[1], ""]),
    "signature-missing": _changed(lambda parts: parts[:2]),
    "signature-upper-case": _changed(lambda parts: [parts[0], parts[1], parts[2].upper()]),
    "payload-changed": _changed(_foreign_payload),
    "payload-of-nothing": _changed(lambda parts: [parts[0], "", parts[2]]),
    "header-of-nothing": _changed(lambda parts: ["", parts[1], parts[2]]),
    "a-fourth-part": _changed(lambda parts: [*parts, "e30"]),
    "five-parts": "a.b.c.d.e",
    "three-letters": "a.b.c",
    "two-dots": "..",
    "a-thousand-dots": "." * 1_000,
    "garbage": "garbage",
    "garbage-with-dots": "!!.!!.!!",
    "not-ascii": "é.é.é",
    "not-utf8": b"\xff\xfe.\xff.\xff",
    "4-kib-of-garbage": "x" * 4_096,
    "12-kib-of-garbage": "a." * 6_000,
    "12-kib-of-claims": _changed(lambda parts: [parts[0], "A" * 12_000, parts[2]]),
    "a-json-object": '{"sub":"x"}',
    "twice-in-one-header": "${token} ${token}",
    "quoted": '"${token}"',
    "service-key-cut": lambda world: world.service_key[:-1],
    "service-key-with-more": lambda world: world.service_key + "x",
    "service-key-changed": lambda world: _flipped(world.service_key),
    "service-key-swapped-case": lambda world: world.service_key.swapcase(),
}
EXPIRED_TOKENS: dict[str, Text] = {
    "expired-a-minute-ago": lambda world: jwt(world.secret, _claims(world, exp=int(time.time()) - 60)),
    "expired-in-1970": _signed(exp=0),
    "expired-before-1970": _signed(exp=-1),
    "expired-long-before": _raw_claims('{"sub":SUB,"role":"authenticated","exp":-1e300}'),
}


def _bearer(token: Text) -> Text:
    return lambda world: b"Bearer " + resolve(token, world)


def _authentication() -> Iterator[BadInput]:
    call = {"p_user_id": "${user}"}
    for name, token in (BAD_TOKENS | EXPIRED_TOKENS).items():
        bearer = {"Authorization": _bearer(token)}
        code = "PGRST303" if name in EXPIRED_TOKENS else "PGRST301"
        yield native(f"token-{name}", "GET", "/v1/conversations", 401, headers=bearer)
        yield rpc(f"rpc-token-{name}", HISTORY, call, 401, code, headers=bearer)

    schemes: dict[str, Any] = {
        "none": None, "empty": "", "bearer-alone": "Bearer", "bearer-and-space": "Bearer ", "token-alone": "${token}",
        "basic": "Basic dXNlcjpwYXNzd29yZA==", "token-scheme": "Token ${token}", "bearer-colon": "Bearer: ${token}",
        "bearer-equals": "Bearer=${token}", "bearer-twice": "Bearer Bearer ${token}",
        "comma": "Bearer ${token}, Bearer ${token}", "digest": 'Digest username="x"',
        "bearer-no-break-space": "Bearer\u00a0${token}",
    }
    for name, value in schemes.items():
        yield native(f"scheme-{name}", "GET", "/v1/conversations", 401, headers={"Authorization": value})
    yield native(
        "two-authorizations", "GET", "/v1/conversations", (400, 401),
        headers={"Authorization": ["Bearer ${token}", "Bearer ${service_key}"]})
    yield native(
        "token-in-the-query-only", "GET", "/v1/conversations?access_token=${token}", (400, 401),
        headers={"Authorization": None})
    yield native(
        "apikey-only", "GET", "/v1/conversations", 401, headers={"Authorization": None, "apikey": "${service_key}"})

    anonymous = {
        "key": "Bearer ${anon_key}",
        "token": _bearer(lambda world: jwt(world.secret, _claims(world, role="anon", sub=...))),
        "token-with-a-user": _bearer(lambda world: jwt(world.secret, _claims(world, role="anon"))),
    }
    for name, bearer_value in anonymous.items():
        headers = {"Authorization": bearer_value}
        for method, target, body in (
            ("GET", "/v1/conversations", None), ("POST", "/v1/conversations", {}), ("GET", CONVERSATION, None),
            ("PATCH", CONVERSATION, {"title": "x"}), ("DELETE", CONVERSATION, None), ("GET", MESSAGES, None),
            ("POST", MESSAGES, {"role": "user", "content": "x"}), ("GET", "/v1/messages/${message}", None),
            ("GET", CONVERSATION + "/branches", None),
        ):
            route = target.split("/")[-1].strip("${}")
            yield native(f"anonymous-{name}-{method}-{route}", method, target, 403, body, headers)
        yield rpc(f"rpc-anonymous-{name}", HISTORY, call, 401, "42501",
                  f"permission denied for function {HISTORY}", headers)
        yield rpc(f"rpc-anonymous-{name}-writes", GET_OR_CREATE, call, 401, "42501",
                  f"permission denied for function {GET_OR_CREATE}", headers)
        yield supabase(f"table-anonymous-{name}-writes", "POST", "/rest/v1/pam_messages", 401, "42501",
                       {"role": "user"}, headers)
    yield rpc("rpc-anonymous-key-only", HISTORY, call, 401, "42501", headers={"Authorization": None})

    no_key, wrong_key = "No API key found in request", "Invalid API key"
    keys: dict[str, tuple[Any, Any, str, str | None]] = {
        "none": (None, None, ".*", no_key),
        "none-basic": (None, "Basic dXNlcjpwYXNzd29yZA==", ".*", no_key),
        "wrong": ("wrong-key", None, ".*", wrong_key),
        "wrong-beside-a-token": ("wrong-key", "Bearer ${token}", ".*", wrong_key),
        "cut": (lambda world: world.anon_key[:-1], None, ".*", wrong_key),
        "changed": (lambda world: _flipped(world.service_key), None, ".*", wrong_key),
        "expired-token": (EXPIRED_TOKENS["expired-a-minute-ago"], None, "PGRST303", "JWT expired"),
        "forged-token": (BAD_TOKENS["another-secret"], None, "PGRST301", None),
        "alg-none-token": (BAD_TOKENS["alg-none-unsigned"], None, "PGRST301", None),
    }
    for name, (key, bearer_value, code, message) in keys.items():
        yield rpc(f"rpc-key-{name}", HISTORY, call, 401, code, message,
                  headers={"apikey": key, "Authorization": bearer_value})
        yield supabase(f"table-key-{name}", "GET", "/rest/v1/pam_messages", 401, code, None,
                       {"apikey": key, "Authorization": bearer_value}, message)


# Headers


def _headers() -> Iterator[BadInput]:
    good = {"role": "user", "content": "x"}
    keys: dict[str, Any] = {
        "empty": "", "256-characters": "k" * 256, "4-kib": "k" * 4_096, "tab-inside": "a\tb", "latin-1": b"caf\xe9",
        "utf8": "café", "invalid-utf8": b"\xff\xfe", "del": "a\x7fb", "repeated": ["a", "b"],
        "repeated-alike": ["a", "a"],
    }
    for name, value in keys.items():
        yield native(f"idempotency-key-{name}", "POST", MESSAGES, 400, good, {"Idempotency-Key": value})
    yield native(
        "idempotency-key-differs", "POST", MESSAGES, 400, good | {"client_id": "one"}, {"Idempotency-Key": "two"})
    yield native(
        "idempotency-key-differs-by-case", "POST", MESSAGES, 400, good | {"client_id": "One"},
        {"Idempotency-Key": "one"})
    yield native(
        "idempotency-key-used-before", "POST", MESSAGES, 409, good | {"content": "other"},
        {"Idempotency-Key": "taken"})

    matches: dict[str, tuple[int, Any]] = {
        "letters": (400, "abc"), "negative": (400, "-1"), "fraction": (400, "1.5"), "exponent": (400, "1e3"),
        "plus": (400, "+1"), "hexadecimal": (400, "0x1"), "half-quoted": (400, '"1'), "quote": (400, '"'),
        "empty": (400, ""), "empty-quotes": (400, '""'), "two-in-one": (400, '"1", "2"'), "weak": (400, 'W/"1"'),
        "single-quotes": (400, "'1'"), "inner-space": (400, '" 1 "'), "repeated": (400, ['"1"', '"2"']),
        "2-to-the-63": (400, "9223372036854775808"), "400-digits": (400, "9" * 400), "arabic-digit": (400, "١"),
        "zero": (412, "0"), "stale": (412, '"999999"'), "stale-bare": (412, "999999"),
        "stale-9223372036854775807": (412, "9223372036854775807"),
    }
    for name, (status, value) in matches.items():
        yield native(f"if-match-{name}", "PATCH", CONVERSATION, status, {"title": "x"}, {"If-Match": value})

    types: dict[str, Any] = {
        "text": "text/plain", "form": "application/x-www-form-urlencoded", "multipart": "multipart/form-data",
        "xml": "application/xml", "jsonx": "application/jsonx", "json-in-text": "text/json-not", "star": "*/*",
        "empty": "", "octets": "application/octet-stream", "ndjson": "application/x-ndjson", "word": "json",
        "4-kib": "text/" + "x" * 4_096, "parameter-only": "; charset=utf-8",
        "json-as-parameter": "text/plain; a=application/json",
    }
    for name, value in types.items():
        yield native(f"content-type-{name}", "POST", MESSAGES, 415, good, {"Content-Type": value})
    yield native("content-type-text-open", "POST", "/v1/conversations", 415, {}, {"Content-Type": "text/plain"})
    yield native("content-type-text-patch", "PATCH", CONVERSATION, 415, {"title": "x"}, {"Content-Type": "text/plain"})
    yield native("content-type-repeated", "POST", MESSAGES, (400, 415), good,
                 {"Content-Type": ["application/json", "text/plain"]})
    for name in ("xml", "multipart", "octets"):
        yield rpc(f"rpc-content-type-{name}", HISTORY, {"p_user_id": "${user}"}, (400, 415), "PGRST102",
                  headers={"Content-Type": types[name]})

    profiles: dict[str, str] = {
        "private": "private", "auth": "auth", "upper-case": "PUBLIC", "list": "public, private",
        "injection": "public; DROP TABLE pam_messages", "long": "p" * 1_000,
    }
    for name, value in profiles.items():
        yield supabase(f"accept-profile-{name}", "GET", "/rest/v1/pam_messages", 406, "PGRST106",
                       headers={"Accept-Profile": value})
        yield rpc(f"content-profile-{name}", HISTORY, {"p_user_id": "${user}"}, 406, "PGRST106",
                  headers={"Content-Profile": value})
    yield supabase("accept-profile-get-function", "GET", f"/rest/v1/rpc/{HISTORY}?p_user_id=${{user}}", 406,
                   "PGRST106", headers={"Accept-Profile": "private"})
    yield rpc("content-profile-writes", STORE,
              {"p_conversation_id": "${conversation}", "p_role": "user", "p_content": "x"}, 406, "PGRST106",
              headers={"Content-Profile": "private"})
    yield supabase("content-profile-table-write", "POST", "/rest/v1/pam_messages", 406, "PGRST106", {"role": "user"},
                   headers={"Content-Profile": "private"})

    one = {"Accept": "application/vnd.pgrst.object+json"}
    for name, target in {
        "0-rows": f"/rest/v1/pam_messages?id=eq.{UNKNOWN}", "2-rows": "/rest/v1/pam_messages?limit=2",
        "0-conversations": f"/rest/v1/pam_conversations?id=eq.{UNKNOWN}", "2-conversations":
        "/rest/v1/pam_conversations?limit=2", "limit-0": "/rest/v1/pam_messages?limit=0",
        "get-function-2-rows": f"/rest/v1/rpc/{HISTORY}?p_user_id=${{user}}&p_limit=2",
    }.items():
        yield supabase(f"one-object-{name}", "GET", target, 406, "PGRST116", headers=one)
    for name, limit in {"0-rows": 0, "2-rows": 2}.items():
        yield rpc(f"one-object-function-{name}", HISTORY, {"p_user_id": "${user}", "p_limit": limit}, 406, "PGRST116",
                  headers=one)
    for name, value in {"pdf": "application/pdf", "image": "image/png"}.items():
        yield supabase(f"accept-{name}", "GET", "/rest/v1/pam_messages", 406, "PGRST107", headers={"Accept": value})


# JSON texts

BAD_DOCUMENTS: dict[str, bytes] = {
    "brace": b"{", "closing-brace": b"}", "bracket": b"[", "quote": b'"', "space": b" ", "word": b"user",
    "two-values": b"{} {}", "garbage-behind": b"{}x", "comma-behind": b"{},", "nul-behind": b"{}\x00",
    "bom": b"\xef\xbb\xbf{}", "utf16-le": "{}".encode("utf-16"), "utf16-be": "{}".encode("utf-16-be"),
    "utf32": "{}".encode("utf-32"), "no-break-space": b"\xc2\xa0{}", "form-feed": b"\x0c{}", "vertical-tab": b"\x0b{}",
    "single-quotes": b"{'a':1}", "bare-key": b"{a:1}", "number-key": b"{1:1}", "no-colon": b'{"a" 1}',
    "no-value": b'{"a":}', "trailing-comma": b'{"a":1,}', "leading-comma": b'{,"a":1}', "two-commas": b'{"a":1,,"b":2}',
    "line-comment": b"{} // x", "block-comment": b"{/* x */}", "hash-comment": b"# x\n{}",
    "form": b"role=user&content=x",
    "xml": b"<a/>", "half": b'{"role":"us', "100000-brackets": b"[" * 100_000, "100000-braces": b'{"a":' * 100_000,
    "sequence": b"\x1e{}\n", "length-prefix": b"2:{}",
}
NOT_OBJECTS: dict[str, bytes] = {
    "list": b"[]", "list-of-objects": b"[{}]", "text": b'"{}"', "number": b"1", "true": b"true", "null": b"null",
}
BAD_VALUES: dict[str, bytes] = {
    "nan": b"NaN", "infinity": b"Infinity", "minus-infinity": b"-Infinity", "plus": b"+1", "leading-zero": b"01",
    "minus-leading-zero": b"-01", "no-fraction": b"1.", "no-whole": b".5", "no-exponent": b"1e", "no-exponent-digit":
    b"1e+", "hexadecimal": b"0x10", "two-minus": b"--1", "minus": b"-", "underscore": b"1_000", "wide-digit":
    "１".encode(), "True": b"True", "tru": b"tru", "truee": b"truee", "nul": b"nul", "undefined": b"undefined",
    "1e400": b"1e400", "minus-1e400": b"-1e400", "1e99999999999": b"1e99999999999", "400-digits": b"1" + b"0" * 400,
    "unclosed": b'"a', "newline": b'"a\nb"', "tab": b'"a\tb"', "raw-nul": b'"a\x00b"', "escape-x": b'"\\x41"',
    "escape-0":
    b'"\\0"', "escape-newline": b'"\\\n"', "short-u": b'"\\u12"', "u-letters": b'"\\uZZZZ"', "u-braces": b'"\\u{41}"',
    "escaped-nul": b'"\\u0000"', "escaped-nul-key": b'{"a\\u0000":1}', "high-surrogate": b'"\\ud800"',
    "low-surrogate": b'"\\udc00"', "reversed-surrogates": b'"\\udc00\\ud800"',
    "two-high-surrogates": b'"\\ud800\\ud800"',
    "surrogate-and-letter": b'"\\ud83dx"', "surrogate-key": b'{"\\ud800":1}', "continuation-byte": b'"\x80"',
    "overlong-slash": b'"\xc0\xaf"', "overlong-nul": b'"\xc0\x80"', "overlong-3": b'"\xe0\x80\xaf"', "raw-surrogate":
    b'"\xed\xa0\x80"', "above-10ffff": b'"\xf4\x90\x80\x80"', "byte-fe": b'"\xfe"', "byte-ff": b'"\xff"',
    "cut-character":
    b'"\xe2\x82"', "latin-1": b'"caf\xe9"', "invalid-utf8-key": b'{"\xff":1}', "duplicate-key": b'{"a":1,"a":2}',
    "duplicate-key-escaped": b'{"a":1,"\\u0061":2}', "duplicate-key-deep": b'{"a":[{"b":1,"b":1}]}', "trailing-comma":
    b'{"a":1,}', "list-trailing-comma": b"[1,]", "list-two-commas": b"[1,,2]", "list-no-comma": b"[1 2]", "mismatched":
    b"[1}", "open-list": b"[1", "empty": b"", "semicolon": b"1;",
}
OUT_OF_RANGE = ("1e400", "minus-1e400", "1e99999999999", "400-digits")
"""Values that JSON can write and no column can hold."""


def _json() -> Iterator[BadInput]:
    for name, document in (BAD_DOCUMENTS | NOT_OBJECTS).items():
        yield native(f"append-document-{name}", "POST", MESSAGES, 400, document)
        yield rpc(f"rpc-document-{name}", STORE, document, 400, "PGRST102")
    for name in ("brace", "bom", "utf16-le", "100000-brackets", "trailing-comma"):
        yield native(f"open-document-{name}", "POST", "/v1/conversations", 400, BAD_DOCUMENTS[name])
        yield native(f"patch-document-{name}", "PATCH", CONVERSATION, 400, BAD_DOCUMENTS[name])
    for name in NOT_OBJECTS:
        yield native(f"open-document-{name}", "POST", "/v1/conversations", 400, NOT_OBJECTS[name])
        yield native(f"patch-document-{name}", "PATCH", CONVERSATION, 400, NOT_OBJECTS[name])
    for name, value in BAD_VALUES.items():
        yield native(f"append-value-{name}", "POST", MESSAGES, 400,
                     b'{"role":"user","content":"x","metadata":{"v":' + value + b"}}")
        yield rpc(
            f"rpc-value-{name}", STORE,
            b'{"p_conversation_id":"${conversation}","p_role":"user","p_content":"x",'
            b'"p_metadata":{"v":' + value + b"}}",
            400, "22003" if name in OUT_OF_RANGE else "PGRST102")
    for name, body in {
        "role-twice": b'{"role":"user","role":"assistant","content":"x"}',
        "content-twice": b'{"role":"user","content":"x","content":"x"}',
        "role-twice-escaped": b'{"role":"user","\\u0072ole":"assistant","content":"x"}',
    }.items():
        yield native(f"append-{name}", "POST", MESSAGES, 400, body)
    yield rpc("rpc-content-twice", STORE,
              b'{"p_conversation_id":"${conversation}","p_role":"user","p_content":"x","p_content":"y"}', 400,
              "PGRST102")


# Fields of the native door

WRONG_TEXTS: dict[str, Any] = {"number": 5, "true": True, "list": [], "list-of-text": ["x"], "object": {}}
WRONG_OBJECTS: dict[str, Any] = {"number": 5, "true": False, "text": "{}", "list": [], "list-of-pairs": [["a", 1]]}
WRONG_COUNTS: dict[str, Any] = {
    "negative": -1, "fraction": 1.5, "text": "0", "true": True, "list": [0], "object": {}, "2-to-the-63": 2**63,
    "1e300": 1e300, "minus-2-to-the-63": -2**63,
}
CONTROLS = {
    "nul": "\x00", "newline": "\n", "tab": "\t", "return": "\r", "escape": "\x1b", "del": "\x7f", "c1": "\x85",
    "last-c1": "\x9f",
}


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def _nested_lists(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def _fields() -> Iterator[BadInput]:
    def opening(name: str, body: dict[str, Any], status: int | tuple[int, ...] = 400) -> BadInput:
        return native(f"open-{name}", "POST", "/v1/conversations", status, body)

    def patching(name: str, body: dict[str, Any], status: int | tuple[int, ...] = 400) -> BadInput:
        return native(f"patch-{name}", "PATCH", CONVERSATION, status, body)

    def appending(name: str, change: dict[str, Any], status: int | tuple[int, ...] = 400) -> BadInput:
        body = {"role": "user", "content": "x"} | change
        return native(f"append-{name}", "POST", MESSAGES, status,
                      {field: value for field, value in body.items() if value is not ...})

    for make in (opening, patching):
        for name, value in WRONG_TEXTS.items():
            yield make(f"title-{name}", {"title": value})
        for name, value in CONTROLS.items():
            yield make(f"title-with-{name}", {"title": f"a{value}b"})
        yield make("title-201-characters", {"title": "t" * 201})
        yield make("title-201-emoji", {"title": "😀" * 201})
        yield make("title-201-with-combining", {"title": "e\u0301" * 100 + "e"})
        yield make("title-empty", {"title": ""})
        yield make("title-100-kib", {"title": "t" * 100_000})
        for name, value in WRONG_OBJECTS.items():
            yield make(f"context-{name}", {"context": value})
        yield make("context-33-deep", {"context": _nested(OBJECT_DEPTH + 1)})
        yield make("context-over-64-kib", {"context": {"a": "x" * OBJECT_BYTES}}, 413)
        yield make("context-over-64-kib-of-keys", {"context": {f"key-{n}": n for n in range(6_000)}}, 413)
        yield make("unknown-field", {"titel": "x"})
        yield make("unknown-field-upper-case", {"Title": "x"})
        yield make("unknown-field-long", {"f" * 1_000: 1})
        yield make("unknown-field-proto", {"__proto__": {}, "title": "x"})
        yield make("field-id", {"id": UNKNOWN})
        yield make("field-version", {"version": 7})
    for name, value in WRONG_TEXTS.items():
        yield opening(f"session-{name}", {"session_id": value})
    for name, value in CONTROLS.items():
        yield opening(f"session-with-{name}", {"session_id": f"a{value}b"})
    yield opening("session-256-characters", {"session_id": "s" * 256})
    yield opening("session-256-emoji", {"session_id": "😀" * 256})
    yield opening("session-empty", {"session_id": ""})
    for name, value in (WRONG_TEXTS | {"name": "alice", "empty": "", "cut": UNKNOWN[:-1]}).items():
        yield opening(f"user-{name}", {"user_id": value})
    yield opening("user-foreign", {"user_id": "${foreign_user}"}, 403)
    yield opening("user-unknown", {"user_id": UNKNOWN}, 403)
    service = {"Authorization": "Bearer ${service_key}"}
    yield native("open-service-without-a-user", "POST", "/v1/conversations", 400, {}, service)
    yield native("open-service-two-users", "POST", f"/v1/conversations?user_id={UNKNOWN}", 400,
                 {"user_id": "${user}"}, service)

    yield patching("nothing", {})
    yield native("patch-no-body", "PATCH", CONVERSATION, 400)
    for field in ("archived", "pinned"):
        for name, value in {"text": "true", "number": 1, "zero": 0, "list": [], "object": {}, "null": None}.items():
            yield patching(f"{field}-{name}", {field: value})
    for name, value in WRONG_COUNTS.items():
        yield patching(f"active-branch-{name}", {"active_branch": value})
    yield patching("active-branch-unknown", {"active_branch": 99}, 404)
    yield patching("active-branch-2-to-the-62", {"active_branch": 2**62}, 404)
    for field in ("user_id", "session_id", "is_default", "head_position", "created_at", "message_count"):
        yield patching(f"field-{field}", {field: 1})

    for name, value in (WRONG_TEXTS | {
        "missing": ..., "null": None, "empty": "", "upper-case": "User", "unknown": "robot", "space": " user",
        "developer": "developer", "newline": "user\n", "wide": "ｕｓｅｒ", "long": "user" * 1_000,
    }).items():
        yield appending(f"role-{name}", {"role": value})
    for name, value in (WRONG_TEXTS | {"missing": ..., "null": None, "with-nul": "a\x00b", "nul": "\x00"}).items():
        yield appending(f"content-{name}", {"content": value})
    yield appending("content-over-256-kib", {"content": "x" * (CONTENT_BYTES + 1)}, 413)
    yield appending("content-over-256-kib-of-e-acute", {"content": "é" * (CONTENT_BYTES // 2 + 1)}, 413)
    for name, value in WRONG_TEXTS.items():
        yield appending(f"client-id-{name}", {"client_id": value})
        yield appending(f"intent-{name}", {"intent": value})
    for name, value in CONTROLS.items():
        yield appending(f"client-id-with-{name}", {"client_id": f"a{value}b"})
    yield appending("client-id-256-characters", {"client_id": "c" * 256})
    yield appending("client-id-empty", {"client_id": ""})
    yield appending("intent-with-nul", {"intent": "a\x00b"})
    yield appending("intent-256-characters", {"intent": "i" * 256})
    yield appending("intent-100-kib", {"intent": "i" * 100_000})
    others: dict[str, dict[str, Any]] = {
        "content": {"content": "other"}, "role": {"role": "assistant", "content": "first"},
        "intent": {"content": "first", "intent": "x"}, "confidence": {"content": "first", "confidence": 0.5},
        "metadata": {"content": "first", "metadata": {"a": 1}}, "entities": {"content": "first", "entities": {"a": 1}},
    }
    for name, change in others.items():
        yield appending(f"client-id-used-before-{name}", {"client_id": "taken"} | change, 409)
    for name, value in {
        "10": 10, "minus-10": -10, "9.995": 9.995, "minus-9.995": -9.995, "1e9": 1e9, "1e308": 1e308,
        "2-to-the-64": 2**64, "text": "0.5", "true": True, "list": [0.5], "object": {}, "text-nan": "NaN",
    }.items():
        yield appending(f"confidence-{name}", {"confidence": value})
    for field in ("metadata", "entities"):
        for name, value in WRONG_OBJECTS.items():
            yield appending(f"{field}-{name}", {field: value})
        yield appending(f"{field}-33-deep", {field: _nested(OBJECT_DEPTH + 1)})
        yield appending(f"{field}-33-deep-lists", {field: _nested_lists(OBJECT_DEPTH + 1)})
        yield appending(f"{field}-400-deep", {field: _nested(400)})
        yield appending(f"{field}-over-64-kib", {field: {"a": "x" * OBJECT_BYTES}}, 413)
        yield appending(f"{field}-with-nul", {field: {"a": "\x00"}})
    for name, value in (WRONG_TEXTS | {"name": "m-1", "empty": "", "cut": UNKNOWN[:-1], "number-text": "1"}).items():
        yield appending(f"parent-{name}", {"parent": value})
    yield appending("parent-unknown", {"parent": UNKNOWN}, 404)
    yield appending("parent-foreign", {"parent": "${foreign_message}"}, 404)
    for name, value in WRONG_COUNTS.items():
        yield appending(f"branch-{name}", {"branch": value})
    yield appending("branch-unknown", {"branch": 99}, 404)
    yield appending("on-conflict-unknown", {"on_conflict": "overwrite"})
    yield appending("on-conflict-number", {"on_conflict": 1})
    for field in ("id", "position", "status", "revision", "created_at", "conversation_id", "contents", "Role",
        "p_role"):
        yield appending(f"field-{field}", {field: "x"})
    yield appending("user-foreign", {"user_id": "${foreign_user}"}, 403)
    yield appending("user-name", {"user_id": "alice"})

    one = {"role": "user", "content": "x"}
    lists: dict[str, Any] = {
        "empty": [], "101": [one] * 101, "null": None, "object": one, "text": "x", "of-null": [None], "of-number": [1],
        "of-list": [[]], "of-text": ["x"], "of-empty": [{}], "one-bad-role": [one, one | {"role": "robot"}, one],
        "one-without-content": [one, {"role": "user"}], "one-unknown-field": [one, one | {"x": 1}],
        "with-parent": [one | {"parent": UNKNOWN}], "with-branch": [one | {"branch": 0}],
        "client-id-twice": [one | {"client_id": "a"}, one | {"client_id": "a"}],
        "one-with-nul": [one, one | {"content": "\x00"}], "one-confidence": [one, one | {"confidence": 11}],
        "10000-numbers": [1] * 10_000,
    }
    for name, value in lists.items():
        yield native(f"append-messages-{name}", "POST", MESSAGES, 400, {"messages": value})
    yield native("append-messages-one-too-large", "POST", MESSAGES, 413,
                 {"messages": [one, one | {"content": "x" * (CONTENT_BYTES + 1)}]})
    yield native("append-messages-beside-role", "POST", MESSAGES, 400, {"messages": [one], "role": "user"})
    yield native("append-messages-beside-content", "POST", MESSAGES, 400, {"messages": [one], "content": "x"})
    yield native("append-messages-used-before", "POST", MESSAGES, 409,
                 {"messages": [one | {"client_id": "taken"}, one]})
    yield native("append-no-body", "POST", MESSAGES, 400)
    yield native("append-empty-object", "POST", MESSAGES, 400, {})
    yield native("append-body-over-1-mib", "POST", MESSAGES, 413,
                 b'{"role":"user","content":"x"}' + b" " * BODY_BYTES)
    yield native("append-body-of-3-mib", "POST", MESSAGES, 413, one | {"content": "x" * 3 * BODY_BYTES})
    yield native("open-body-over-1-mib", "POST", "/v1/conversations", 413, b"{}" + b" " * BODY_BYTES)
    yield native("patch-body-over-1-mib", "PATCH", CONVERSATION, 413, b'{"title":"x"}' + b" " * BODY_BYTES)


# Paths and queries of the native door

BAD_IDS: dict[str, tuple[int | tuple[int, ...], str | bytes]] = {
    "unknown": (404, UNKNOWN), "unknown-upper-case": (404, UNKNOWN.upper()),
    "nil": (404, "0" * 8 + "-0000" * 3 + "-" + "0" * 12),
    "max": (404, "ffffffff-ffff-ffff-ffff-ffffffffffff"), "letters": (404, "abc"), "number": (404, "1"),
    "negative": (404, "-1"), "null": (404, "null"), "star": (404, "*"), "cut": (404, UNKNOWN[:-1]),
    "longer": (404, UNKNOWN + "0"), "no-dashes": (404, UNKNOWN.replace("-", "")),
    "braces": (404, "%7B" + UNKNOWN + "%7D"),
    "urn": (404, "urn:uuid:" + UNKNOWN), "not-hexadecimal": (404, "g" + UNKNOWN[1:]),
    "moved-dash": (404, "0190a5b-07c00-7000-8000-00000000cafe"),
    "space-before": (404, "%20" + UNKNOWN), "space-behind": (404, UNKNOWN + "%20"),
    "newline-behind": (404, UNKNOWN + "%0A"),
    "nul-behind": ((400, 404), UNKNOWN + "%00"), "nul": ((400, 404), "%00"), "slash": ((400, 404), "%2F"),
    "up": ((400, 404), "..%2F..%2Fetc%2Fpasswd"),
    "dots": ((400, 404), "%2e%2e"), "backslash": (404, "..%5C.."), "invalid-utf8": ((400, 404), "%ff"),
    "overlong": ((400, 404), "%c0%80"),
    "bad-percent": ((400, 404), "%zz"), "lone-percent": ((400, 404), "%"),
    "cut-percent": ((400, 404), UNKNOWN[:-1] + "%3"),
    "double-percent": (404, "%2500"), "sql": (404, "%27%20OR%201%3D1%20--"), "script": (404, "%3Cscript%3E"),
    "wide-digits": (404, quote("０" * 8)),
    "semicolon": (404, UNKNOWN + ";v=1"), "4-kib": ((404, 414), "a" * 4_096),
    "4-kib-of-percents": ((404, 414), "%41" * 1_365), "emoji": (404, quote("😀")), "format-string": (404, "%25s%25n"),
    "plus": (404, "+"), "braces-empty": (404, "%7B%7D"),
}
BAD_LIMITS: dict[str, str] = {
    "0": "0", "201": "201", "minus-1": "-1", "1e3": "1e3", "letters": "abc", "fraction": "1.0", "comma": "1,0",
    "plus": "%2B1", "space": "+1", "space-behind": "1+", "hexadecimal": "0x10", "underscore": "1_0", "empty": "",
    "arabic": "%D9%A1", "wide": "%EF%BC%91", "2-to-the-31": "2147483648", "2-to-the-63": "9223372036854775808",
    "400-digits": "9" * 400, "nul": "1%00", "newline": "1%0A", "true": "true", "null": "null", "invalid-utf8": "%ff",
    "bad-percent": "%", "infinity": "inf", "nan": "NaN", "minus-0": "-0",
}
CURSOR_CHANGES: dict[str, Callable[[str], str]] = {
    "cut-by-1": lambda cursor: cursor[:-1],
    "cut-by-2": lambda cursor: cursor[:-2],
    "cut-by-16": lambda cursor: cursor[:-16],
    "cut-to-1": lambda cursor: cursor[:1],
    "without-its-first": lambda cursor: cursor[1:],
    "longer-by-1": lambda cursor: cursor + "0",
    "longer-by-2": lambda cursor: cursor + "00",
    "longer-by-16": lambda cursor: cursor + "0" * 16,
    "twice": lambda cursor: cursor + cursor,
    "upper-case": lambda cursor: cursor.upper() if cursor.upper() != cursor else cursor.lower() + "A",
    "reversed": lambda cursor: cursor[::-1],
    "zeros": lambda cursor: cursor[:1] + "0" * (len(cursor) - 1),
    "512-characters": lambda cursor: cursor[:1] + "0" * 511,
    "513-characters": lambda cursor: cursor[:1] + "0" * 512,
    "5000-characters": lambda cursor: cursor[:1] + "a" * 4_999,
    "512-of-multibyte": lambda cursor: cursor[:1] + quote("é" * 255),
    "space-behind": lambda cursor: cursor + "%20",
    "space-before": lambda cursor: "%20" + cursor,
    "newline-behind": lambda cursor: cursor + "%0A",
    "nul-behind": lambda cursor: cursor + "%00",
    "nul-before": lambda cursor: "%00" + cursor,
    "quoted": lambda cursor: f"%22{cursor}%22",
    "sql-behind": lambda cursor: cursor + "%27--",
    "first-letter-changed": lambda cursor: "z" + cursor[1:],
}
BYTE_CLASSES: dict[str, str] = {
    "digit": "DIGIT", "upper-case": "A", "letter": "g", "punctuation": ".", "space": "%20", "plus": "+",
    "control": "%01",
    "nul": "%00", "del": "%7F", "high-byte": "%ff", "multibyte": "%C3%A9", "percent": "%25", "quote": "%27",
    "slash": "%2F", "emoji": "%F0%9F%98%80",
}


def _byte_replaced(place: int, byte: str) -> Callable[[str], str]:
    """Replaces one character of a cursor; `DIGIT` by another digit than stands there."""

    def change(cursor: str) -> str:
        at = place % len(cursor)
        new = byte if byte != "DIGIT" else "1" if cursor[at] == "0" else "0"
        return cursor[:at] + new + cursor[at + 1:]

    return change


def _cursors(name: str, target: str, cursor: Callable[[World], str]) -> Iterator[BadInput]:
    """Damage of every kind, at the front, in the numbers and in the check."""

    def damaged(change: Callable[[str], str]) -> Text:
        return lambda world: world.fill(target.encode()) + change(cursor(world)).encode()

    for change_name, change in CURSOR_CHANGES.items():
        yield native(f"{name}-{change_name}", "GET", damaged(change))
    for class_name, byte in BYTE_CLASSES.items():
        for place_name, place in {"first": 0, "middle": 9, "last": -1}.items():
            yield native(
                f"{name}-{place_name}-byte-{class_name}", "GET",
                damaged(_byte_replaced(place, byte)))


def _paths() -> Iterator[BadInput]:
    routes = {
        "conversation": ("GET", "/v1/conversations/", ""), "messages": ("GET", "/v1/conversations/", "/messages"),
        "branches": ("GET", "/v1/conversations/", "/branches"), "message": ("GET", "/v1/messages/", ""),
    }
    for route, (method, before, behind) in routes.items():
        for name, (status, text) in BAD_IDS.items():
            yield native(f"{route}-id-{name}", method, before.encode() + as_bytes(text) + behind.encode(), status)
    for name in ("unknown", "letters", "nul", "invalid-utf8", "sql"):
        status, text = BAD_IDS[name]
        yield native(f"delete-id-{name}", "DELETE", f"/v1/conversations/{text!s}", status)
        yield native(f"patch-id-{name}", "PATCH", f"/v1/conversations/{text!s}", status, {"title": "x"})
        yield native(f"append-id-{name}", "POST", f"/v1/conversations/{text!s}/messages", status,
                     {"role": "user", "content": "x"})
    for name, path in {
        "conversation-foreign": "/v1/conversations/${foreign_conversation}",
        "messages-foreign": "/v1/conversations/${foreign_conversation}/messages",
        "branches-foreign": "/v1/conversations/${foreign_conversation}/branches",
        "message-foreign": "/v1/messages/${foreign_message}",
        "message-id-of-a-conversation": "/v1/messages/${conversation}",
        "conversation-id-of-a-message": "/v1/conversations/${message}",
        "messages-of-a-message": "/v1/conversations/${message}/messages",
    }.items():
        yield native(name, "GET", path, 404)
    for name, path in {
        "root": "/", "v1": "/v1", "v2": "/v2/conversations", "upper-case": "/V1/conversations",
        "singular": "/v1/conversation", "conversations-upper-case": "/v1/Conversations", "deep": "/v1" + "/a" * 500,
        "double-slash": "//v1//unknown", "deeper": "/v1/conversations/${conversation}/messages/x/y",
        "unknown-part": "/v1/conversations/${conversation}/unknown", "dot-git": "/.git/config", "php": "/index.php",
        "long": "/" + "p" * 8_000, "encoded-route": "/v1/%63onversation", "nul": "/v1/%00",
        "etc": "/v1/../../etc/passwd",
        "favicon": "/favicon.ico",
    }.items():
        yield native(f"route-{name}", "GET", path, (400, 404) if name in ("nul", "etc") else 404)


def _queries() -> Iterator[BadInput]:
    for name, text in BAD_LIMITS.items():
        yield native(f"messages-limit-{name}", "GET", f"{MESSAGES}?limit={text}")
        yield native(f"list-limit-{name}", "GET", f"/v1/conversations?limit={text}")
        if name != "0":
            yield native(f"messages-branch-{name}", "GET", f"{MESSAGES}?branch={text}",
                         404 if name in ("201", "2-to-the-31") else 400)
    yield native("messages-branch-unknown", "GET", f"{MESSAGES}?branch=1", 404)
    yield native("list-cursor-empty", "GET", "/v1/conversations?cursor=")
    both = "before=${cursor}"
    for name, query in {
        "limit-no-value": "limit", "limit-twice": "limit=1&limit=2", "limit-twice-alike": "limit=1&limit=1",
        "limit-twice-encoded": "limit=1&%6Cimit=2", "limit-upper-case": "Limit=1", "limit-brackets": "limit[]=1",
        "limit-semicolon": "limit=1;limit=2", "before-and-after": f"{both}&after=1",
        "before-and-around": f"{both}&around=1",
        "after-and-around": "after=1&around=1", "all-three": f"{both}&after=1&around=1",
        "before-twice": f"{both}&before=1", "before-and-empty-after": f"{both}&after=", "unknown": "colour=red",
        "unknown-behind": "limit=1&colour=red", "unknown-empty": "=1", "unknown-long": "c" * 4_000 + "=1",
        "a-thousand": "&".join(f"p{n}=1" for n in range(1_000)), "cursor-of-lists": "cursor=${cursor}",
        "offset": "offset=1",
        "user-name": "user_id=alice", "user-empty": "user_id=", "user-twice": "user_id=${user}&user_id=${user}",
        "nul-name": "%00=1", "invalid-utf8-name": "%ff=1",
    }.items():
        yield native(f"messages-query-{name}", "GET", f"{MESSAGES}?{query}")
    for anchor in ("before", "after", "around"):
        for name, text in {
            "empty": "", "letters": "abc", "minus-1": "-1", "fraction": "1.5", "1e3": "1e3", "plus": "%2B1",
            "space": "+1",
            "nul": "%00", "invalid-utf8": "%ff", "beyond": "1000000", "2-to-the-62": str(2**62),
            "2-to-the-63": str(2**63),
            "400-digits": "9" * 400, "5000-letters": "a" * 5_000, "cut-id": UNKNOWN[:-1],
        }.items():
            yield native(f"messages-{anchor}-{name}", "GET", f"{MESSAGES}?{anchor}={text}")
        yield native(f"messages-{anchor}-unknown-message", "GET", f"{MESSAGES}?{anchor}={UNKNOWN}", (400, 404))
        yield native(f"messages-{anchor}-foreign-message", "GET", f"{MESSAGES}?{anchor}=${{foreign_message}}", (400,
            404))
        for name in ("foreign_cursor", "other_cursor", "list_cursor"):
            yield native(f"messages-{anchor}-{name}", "GET", f"{MESSAGES}?{anchor}=${{{name}}}")
    yield native("messages-around-0", "GET", f"{MESSAGES}?around=0")
    yield from _cursors("messages-cursor", f"{MESSAGES}?before=", lambda world: world.cursor)
    yield from _cursors("list-cursor", "/v1/conversations?cursor=", lambda world: world.list_cursor)
    for name in ("cursor", "foreign_cursor", "foreign_list_cursor"):
        yield native(f"list-cursor-is-{name}", "GET", f"/v1/conversations?cursor=${{{name}}}")

    for name, query in {
        "cursor-twice": "cursor=${list_cursor}&cursor=${list_cursor}", "q-201-characters": "q=" + "q" * 201,
        "q-201-encoded": "q=" + "%C3%A9" * 201, "q-nul": "q=a%00b", "q-invalid-utf8": "q=%ff", "q-overlong": "q=%c0%af",
        "q-raw-surrogate": "q=%ed%a0%80", "q-bad-percent": "q=%zz", "q-cut-percent": "q=abc%4", "q-twice": "q=a&q=b",
        "q-8-kib": "q=" + "q" * 8_000, "archived-1": "archived=1", "archived-upper-case": "archived=TRUE",
        "archived-empty": "archived=", "archived-twice": "archived=true&archived=true",
        "archived-null": "archived=null",
        "pinned-yes": "pinned=yes", "pinned-space": "pinned=true+", "pinned-no-value": "pinned",
        "session-256": "session_id=" + "s" * 256, "session-control": "session_id=a%0Ab",
        "session-nul": "session_id=%00",
        "session-empty": "session_id=", "session-invalid-utf8": "session_id=%ff", "user-name": "user_id=alice",
        "user-empty": "user_id=", "user-twice": "user_id=${user}&user_id=${user}", "unknown": "order=title",
        "unknown-plural": "limits=1", "before": "before=1", "title": "title=x", "sql": "%27%3B%20DROP%20TABLE=1",
        "a-thousand": "&".join(f"p{n}=1" for n in range(1_000)),
    }.items():
        yield native(f"list-query-{name}", "GET", f"/v1/conversations?{query}")
    yield native("list-user-foreign", "GET", "/v1/conversations?user_id=${foreign_user}", 403)
    yield native("list-user-unknown", "GET", f"/v1/conversations?user_id={UNKNOWN}", 403)
    for name, method, target, body in (
        ("open", "POST", "/v1/conversations", {}), ("conversation", "GET", CONVERSATION, None),
        ("patch", "PATCH", CONVERSATION, {"title": "x"}), ("delete", "DELETE", CONVERSATION, None),
        ("append", "POST", MESSAGES, {"role": "user", "content": "x"}),
        ("message", "GET", "/v1/messages/${message}", None),
        ("branches", "GET", CONVERSATION + "/branches", None),
    ):
        yield native(f"{name}-query-unknown", method, f"{target}?colour=red", 400, body)
        yield native(f"{name}-query-user-name", method, f"{target}?user_id=alice", 400, body)
        yield native(f"{name}-query-user-foreign", method, f"{target}?user_id=${{foreign_user}}", 403, body)


# Methods


def _methods() -> Iterator[BadInput]:
    routes = {
        "conversations": ("/v1/conversations", "GET HEAD POST"),
        "conversation": (CONVERSATION, "GET HEAD PATCH DELETE"),
        "messages": (MESSAGES, "GET HEAD POST"), "message": ("/v1/messages/${message}", "GET HEAD"),
        "branches": (CONVERSATION + "/branches", "GET HEAD"), "limits": ("/v1/limits", "GET HEAD"),
        "healthz": ("/healthz", "GET HEAD"), "metrics": ("/metrics", "GET HEAD"), "readyz": ("/readyz", "GET HEAD"),
    }
    never = {
        "conversations": "PUT PATCH DELETE", "conversation": "PUT POST", "messages": "PUT PATCH DELETE",
        "message": "PUT POST", "branches": "PUT PATCH DELETE", "limits": "PUT POST PATCH DELETE",
        "healthz": "PUT POST PATCH DELETE", "metrics": "PUT POST PATCH DELETE", "readyz": "PUT POST PATCH DELETE",
    }
    for name, (target, allowed) in routes.items():
        for method in (never[name] + " OPTIONS TRACE PROPFIND MKCOL LOCK").split():
            body = b"{}" if method in ("PUT", "POST", "PATCH") else None
            yield native(f"{method}-{name}", method, target, 405, body, allow=allowed)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        yield native(f"{method}-unknown-route", method, "/v1/unknown", 404)
    for name, target in {
        "conversation": f"/v1/conversations/{UNKNOWN}", "messages": f"/v1/conversations/{UNKNOWN}/messages",
        "message": f"/v1/messages/{UNKNOWN}",
    }.items():
        yield native(f"HEAD-{name}-unknown", "HEAD", target, 404)
    yield native("HEAD-bad-limit", "HEAD", f"{MESSAGES}?limit=0", 400)

    for method in ("PUT", "PATCH", "DELETE"):
        yield supabase(f"{method}-function", method, f"/rest/v1/rpc/{HISTORY}", 405, "PGRST101",
                       b'{"p_user_id":"${user}"}', allow="GET HEAD POST")
    for method in ("TRACE", "PROPFIND", "LOCK"):
        yield supabase(f"{method}-function", method, f"/rest/v1/rpc/{HISTORY}", 405, "PGRST117", allow="GET HEAD POST")
        yield supabase(f"{method}-table", method, "/rest/v1/pam_messages", 405, "PGRST117", allow="GET HEAD")
    for function in (GET_OR_CREATE, STORE):
        arguments = {
            GET_OR_CREATE: "p_user_id=${user}",
            STORE: "p_conversation_id=${conversation}&p_role=user&p_content=x",
        }[function]
        for method in ("GET", "HEAD"):
            yield supabase(f"{method}-{function}", method, f"/rest/v1/rpc/{function}?{arguments}", 405, "25006")


# The functions

WRONG_UUIDS: dict[str, Any] = {
    "name": "user-123", "empty": "", "number": 5, "true": True, "list": [], "object": {}, "cut": UNKNOWN[:-1],
    "longer": UNKNOWN + "0", "letters": "g" + UNKNOWN[1:], "emoji": "😀", "1000-characters": "x" * 1_000,
    "sql": "' OR 1=1 --",
}


def _functions() -> Iterator[BadInput]:
    good: dict[str, dict[str, Any]] = {
        GET_OR_CREATE: {"p_user_id": "${user}"},
        STORE: {"p_conversation_id": "${conversation}", "p_role": "user", "p_content": "x"},
        HISTORY: {"p_user_id": "${user}"},
    }
    short = {GET_OR_CREATE: "get-or-create", STORE: "store", HISTORY: "history"}

    def calling(
        function: str, name: str, change: dict[str, Any], code: str, status: int | tuple[int, ...] = 400,
        message: str | None = None,
    ) -> BadInput:
        arguments = {key: value for key, value in (good[function] | change).items() if value is not ...}
        return rpc(f"{short[function]}-{name}", function, arguments, status, code, message)

    for function, argument in (
        (GET_OR_CREATE, "p_user_id"), (HISTORY, "p_user_id"), (HISTORY, "p_before"), (STORE, "p_conversation_id"),
    ):
        for name, value in WRONG_UUIDS.items():
            is_quoted = isinstance(value, str) and len(value) < 64
            message = f'invalid input syntax for type uuid: "{value}"' if is_quoted else None
            yield calling(function, f"{argument}-{name}", {argument: value}, "22P02", message=message)
    for function in good:
        yield calling(function, "unknown-argument", {"p_colour": "red"}, "PGRST202", 404)
        yield calling(function, "unknown-argument-upper-case", {"P_USER_ID": UNKNOWN}, "PGRST202", 404)
        yield calling(function, "unknown-argument-long", {"p" * 1_000: 1}, "PGRST202", 404)
        yield calling(function, "a-thousand-unknown-arguments", {f"p_{n:04}": n for n in range(1_000)}, "PGRST202", 404)
        yield calling(function, "unknown-argument-empty", {"": 1}, "PGRST202", 404)
        yield rpc(f"{short[function]}-no-argument", function, {}, 404, "PGRST202")
        yield rpc(f"{short[function]}-no-body", function, b"", 404, "PGRST202")
        for argument in good[function]:
            if len(good[function]) > 1:
                yield calling(function, f"without-{argument}", {argument: ...}, "PGRST202", 404)
    yield calling(GET_OR_CREATE, "user-null", {"p_user_id": None}, "23502")
    yield calling(GET_OR_CREATE, "user-foreign", {"p_user_id": "${foreign_user}"}, "42501", 403)
    yield calling(GET_OR_CREATE, "user-unknown", {"p_user_id": UNKNOWN}, "42501", 403)
    yield calling(HISTORY, "user-null", {"p_user_id": None}, "23502|42501", (400, 403))
    yield calling(HISTORY, "user-foreign", {"p_user_id": "${foreign_user}"}, "42501", 403,
                  f"permission denied for function {HISTORY}")
    yield calling(HISTORY, "user-unknown", {"p_user_id": UNKNOWN}, "42501", 403)
    for function in (GET_OR_CREATE, HISTORY):
        yield calling(function, "session-256", {"p_session_id": "s" * 256}, "22001")
        yield calling(function, "session-256-emoji", {"p_session_id": "😀" * 256}, "22001")
        yield calling(function, "session-100-kib", {"p_session_id": "s" * 100_000}, "22001")
        for name, text in CONTROLS.items():
            yield calling(function, f"session-with-{name}", {"p_session_id": f"a{text}b"},
                          "PGRST102" if name == "nul" else "22...")
    too_deep, too_large = "54001", "54000"
    yield calling(GET_OR_CREATE, "context-33-deep", {"p_context": _nested(OBJECT_DEPTH + 1)}, too_deep, (400, 413))
    yield calling(GET_OR_CREATE, "context-over-64-kib", {"p_context": {"a": "x" * OBJECT_BYTES}}, too_large, 413)
    yield calling(GET_OR_CREATE, "body-over-1-mib", {"p_context": {"a": "x" * BODY_BYTES}}, too_large, 413)

    yield calling(STORE, "conversation-null", {"p_conversation_id": None}, "23502")
    for name, text in {"unknown": UNKNOWN, "foreign": "${foreign_conversation}", "message": "${message}"}.items():
        yield calling(STORE, f"conversation-{name}", {"p_conversation_id": text}, "23503", 409)
    yield calling(STORE, "role-null", {"p_role": None}, "23502",
                  message='null value in column "role" of relation "pam_messages" violates not-null constraint')
    for name, value in {
        "robot": "robot", "empty": "", "upper-case": "User", "tool": "tool", "space": "user ", "number": 5, "list": [],
        "object": {}, "true": True, "1000-characters": "r" * 1_000,
    }.items():
        yield calling(
            STORE, f"role-{name}", {"p_role": value}, "23514",
            message='new row for relation "pam_messages" violates check constraint "pam_messages_role_check"')
    yield calling(STORE, "content-null", {"p_content": None}, "23502",
                  message='null value in column "content" of relation "pam_messages" violates not-null constraint')
    yield calling(STORE, "content-with-nul", {"p_content": "a\x00b"}, "PGRST102")
    yield calling(STORE, "content-over-256-kib", {"p_content": "x" * (CONTENT_BYTES + 1)}, too_large, 413)
    yield calling(STORE, "body-over-1-mib", {"p_content": "x" * BODY_BYTES}, too_large, 413)
    for name, value in {"10": 10, "minus-10": -10, "9.995": 9.995, "1e9": 1e9, "1e308": 1e308, "text-100": "100",
                        "2-to-the-64": 2**64}.items():
        yield calling(STORE, f"confidence-{name}", {"p_confidence": value}, "22003", message="numeric field overflow")
    for name, value in {"word": "high", "empty": "", "true": True, "list": [], "object": {}, "two-dots": "1.2.3",
                        "comma": "0,5", "percent": "50%"}.items():
        yield calling(STORE, f"confidence-{name}", {"p_confidence": value}, "22P02")
    yield calling(STORE, "intent-256", {"p_intent": "i" * 256}, "22001")
    for argument in ("p_entities", "p_metadata"):
        yield calling(STORE, f"{argument}-33-deep", {argument: _nested(OBJECT_DEPTH + 1)}, too_deep, (400, 413))
        yield calling(STORE, f"{argument}-over-64-kib", {argument: {"a": "x" * OBJECT_BYTES}}, too_large, 413)
    yield calling(STORE, "client-id-256", {"p_client_id": "c" * 256}, "22001")
    for name, text in CONTROLS.items():
        yield calling(STORE, f"client-id-with-{name}", {"p_client_id": f"a{text}b"},
                      "PGRST102" if name == "nul" else "22...")
    yield calling(STORE, "client-id-used-before", {"p_client_id": "taken", "p_content": "other"}, "23505", 409)
    yield calling(STORE, "client-id-used-before-role", {"p_client_id": "taken", "p_content": "first",
        "p_role": "system"},
                  "23505", 409)

    yield calling(HISTORY, "limit-minus-1", {"p_limit": -1}, "2201W", message="LIMIT must not be negative")
    yield calling(HISTORY, "limit-lowest", {"p_limit": -2**31}, "2201W", message="LIMIT must not be negative")
    for name, value in {"2-to-the-31": 2**31, "below-the-lowest": -2**31 - 1, "2-to-the-64": 2**64,
        "400-digits": "9" * 400}.items():
        yield calling(HISTORY, f"limit-{name}", {"p_limit": value}, "22003")
    for name, value in {
        "letters": "abc", "empty": "", "fraction": 1.5, "fraction-text": "1.5", "true": True, "list": [], "object": {},
        "1e300": 1e300,
        "hexadecimal": "0xfg", "arabic": "١",
    }.items():
        yield calling(HISTORY, f"limit-{name}", {"p_limit": value}, "22P02")
    for name, text in {"unknown": UNKNOWN, "foreign": "${foreign_message}", "conversation": "${conversation}"}.items():
        yield calling(HISTORY, f"before-{name}", {"p_before": text}, "22023")

    for name, function in {
        "history": "get_pam_history", "upper-case": HISTORY.upper(), "version": "version", "pg-sleep": "pg_sleep",
        "qualified": "public.get_conversation_history", "encoded-slash": "a%2Fb", "nul": "%00", "invalid-utf8": "%ff",
        "1000-characters": "f" * 1_000, "quote": "%22%3B%20DROP", "emoji": quote("😀"), "space": HISTORY + "%20",
    }.items():
        status, code = ((400, 404), "PGRST202|PGRST125|PGRST1..|22...") if name in (
            "nul", "invalid-utf8", "encoded-slash") else (404, "PGRST202")
        yield rpc(f"unknown-function-{name}", function, {"p_user_id": "${user}"}, status, code)
        yield supabase(f"unknown-function-get-{name}", "GET", f"/rest/v1/rpc/{function}?p_user_id=${{user}}", status,
            code)
    yield rpc("unknown-function-words", "get_pam_history", {"p_user_id": UNKNOWN}, 404, "PGRST202",
              "Could not find the function public.get_pam_history(p_user_id) in the schema cache")
    yield supabase("function-too-deep-path", "POST", f"/rest/v1/rpc/{HISTORY}/x", 404, "PGRST125", {})

    user = "p_user_id=${user}"
    for name, query, status, code in (
        ("no-argument", "", 404, "PGRST202"), ("bad-uuid", "p_user_id=user-123", 400, "22P02"),
        ("empty-uuid", "p_user_id=", 400, "22P02"), ("no-value", "p_user_id", 400, "22P02"),
        ("foreign", "p_user_id=${foreign_user}", 403, "42501"),
        ("unknown-argument", f"{user}&p_colour=red", 404, "PGRST202"),
        ("limit-minus-1", f"{user}&p_limit=-1", 400, "2201W"), ("limit-letters", f"{user}&p_limit=abc", 400, "22P02"),
        ("limit-empty", f"{user}&p_limit=", 400, "22P02"),
        ("limit-2-to-the-31", f"{user}&p_limit=2147483648", 400, "22003"),
        ("limit-fraction", f"{user}&p_limit=1.5", 400, "22P02"),
        ("limit-nul", f"{user}&p_limit=1%00", 400, "22...|PGRST1.."),
        ("before-name", f"{user}&p_before=m-1", 400, "22P02"),
        ("before-unknown", f"{user}&p_before={UNKNOWN}", 400, "22023"),
        ("before-foreign", f"{user}&p_before=${{foreign_message}}", 400, "22023"),
        ("session-256", f"{user}&p_session_id=" + "s" * 256, 400, "22001"),
        ("session-nul", f"{user}&p_session_id=%00", 400, "22...|PGRST1.."),
        ("session-invalid-utf8", f"{user}&p_session_id=%ff", 400, "22...|PGRST1.."),
        ("a-thousand-arguments", user + "".join(f"&p{n}=1" for n in range(1_000)), 404, "PGRST202"),
    ):
        yield supabase(f"get-history-{name}", "GET", f"/rest/v1/rpc/{HISTORY}?{query}", status, code)


# The tables


def _tables() -> Iterator[BadInput]:
    def reading(name: str, query: str, code: str, status: int | tuple[int, ...] = 400, table: str = "pam_messages",
                message: str | None = None) -> BadInput:
        return supabase(f"table-{name}", "GET", f"/rest/v1/{table}?{query}", status, code, message=message)

    for name, table in {
        "unknown": "messages", "upper-case": "PAM_MESSAGES", "qualified": "public.pam_messages", "users": "users",
        "auth": "auth.users", "catalog": "pg_catalog.pg_tables", "schema": "sqlite_master", "branches": "pam_message",
        "quote": "%22pam_messages%22", "space": "pam_messages%20", "1000-characters": "t" * 1_000,
        "injection": "pam_messages%3B%20DROP%20TABLE%20pam_messages", "emoji": quote("😀"),
    }.items():
        yield reading(f"unknown-{name}", "select=*", "PGRST205", 404, table)
        yield supabase(f"table-unknown-write-{name}", "POST", f"/rest/v1/{table}", 404, "PGRST205", {"a": 1})
    yield reading("unknown-words", "select=*", "PGRST205", 404, "nothing",
                  "Could not find the table 'public.nothing' in the schema cache")
    yield reading("unknown-nul", "select=*", "PGRST205|PGRST1..|22...", (400, 404), "%00")
    yield reading("unknown-invalid-utf8", "select=*", "PGRST205|PGRST1..|22...", (400, 404), "%ff")
    yield supabase("table-path-too-deep", "GET", "/rest/v1/pam_messages/x", 404, "PGRST125")

    missing = "column pam_messages.nope does not exist"
    for name, query in {
        "select": "select=nope", "select-behind": "select=role,nope", "order": "order=nope.desc",
        "order-second": "order=created_at.desc,nope", "filter": "nope=eq.1", "filter-in": "nope=in.(1,2)",
        "filter-is": "nope=is.null",
    }.items():
        yield reading(f"column-{name}", query, "42703", message=missing)
    for name, query in {
        "upper-case": "select=ROLE", "long": "select=" + "c" * 1_000, "injection": "select=role%3B--",
        "rowid": "select=rowid", "conversation-column": "select=session_id", "filter-injection": "role%20OR%201=eq.1",
        "quoted-unknown": "select=%22nope%22", "fingerprint": "select=fingerprint&fingerprint=eq.1",
    }.items():
        yield reading(f"column-{name}", query, "42703|PGRST100")
    yield reading("column-of-messages", "select=content", "42703", table="pam_conversations",
                  message="column pam_conversations.content does not exist")

    for name, query in {
        "no-operator": "role=user", "no-dot": "role=eq", "empty": "role=", "only-dot": "role=.",
        "no-name": "role=.user",
        "unknown-operator": "role=equals.user", "upper-case-operator": "role=EQ.user", "space": "role=+eq.user",
        "negated-unknown": "role=not.equals.user", "negated-alone": "role=not.", "in-no-list": "role=in.user",
        "in-open": "role=in.(user", "in-closed": "role=in.user)", "in-empty": "role=in.",
        "in-brackets": "role=in.[user]",
        "is-word": "intent=is.nothing", "is-empty": "intent=is.", "is-number": "intent=is.1",
        "between": "position=between.1,2",
        "regex": "role=~.user", "two-operators": "role=eqeq.user", "quote": "role=%27eq.user", "no-value": "role",
        "nul-operator": "role=eq%00.user",
    }.items():
        yield reading(f"filter-{name}", query, "PGRST100")
    for name, query in {
        "direction": "order=created_at.sideways", "nulls": "order=created_at.desc.nullssometimes",
        "no-column": "order=.desc",
        "two-dots": "order=created_at..desc", "two-commas": "order=created_at,,role",
        "trailing-comma": "order=created_at,",
        "space": "order=created_at+desc", "three": "order=created_at.desc.nullslast.x",
        "upper-case": "order=created_at.DESC",
        "function": "order=random()", "semicolon": "order=created_at%3B",
    }.items():
        yield reading(f"order-{name}", query, "PGRST100|42703" if name == "function" else "PGRST100")
    for name, query in {
        "bracket": "select=(", "two-commas": "select=role,,content", "leading-comma": "select=,role",
        "open": "select=role(", "closing": "select=role)", "only-comma": "select=,", "half-cast": "select=role::",
        "quote": "select=%22role",
    }.items():
        yield reading(f"select-{name}", query, "PGRST100")

    for column in ("id", "conversation_id"):
        for name, text in {"name": "abc", "empty": "", "number": "1", "cut": UNKNOWN[:-1], "letters": "g" + UNKNOWN[1:],
                           "sql": "%27%20OR%201%3D1", "1000-characters": "x" * 1_000}.items():
            yield reading(f"{column}-{name}", f"{column}=eq.{text}", "22P02")
        for operator in ("neq", "gt", "gte", "lt", "lte"):
            yield reading(f"{column}-{operator}", f"{column}={operator}.abc", "22P02",
                          message='invalid input syntax for type uuid: "abc"')
        yield reading(f"{column}-in", f"{column}=in.({UNKNOWN},abc)", "22P02")
    yield reading("user-name", "user_id=eq.user-123", "22P02", table="pam_conversations",
                  message='invalid input syntax for type uuid: "user-123"')
    for name, text in {"letters": "abc", "fraction": "1.5", "empty": "", "1e3": "1e3"}.items():
        yield reading(f"position-{name}", f"position=eq.{text}", "22P02")
    yield reading("position-2-to-the-64", f"position=eq.{2**64}", "22003")
    yield reading("confidence-word", "confidence=gt.high", "22P02")
    yield reading("confidence-empty", "confidence=eq.", "22P02")
    for name, text in {"word": "notatime", "empty": "", "number": "5", "sql": "%27%3B--", "t-only": "T",
        "1000-characters": "9" * 1_000}.items():
        for table in ("pam_messages", "pam_conversations"):
            yield reading(f"time-{name}-{table}", f"created_at=gte.{text}",
                "22007|22008" if name.startswith("1000") else "22007", table=table)
    for name, text in {"month-13": "2026-13-01", "day-32": "2026-01-32", "hour-25": "2026-01-01T25:00:00Z"}.items():
        yield reading(f"time-{name}", f"created_at=lt.{text}", "22007|22008")
    yield reading("time-in", "updated_at=in.(2026-01-01,notatime)", "22007", table="pam_conversations")
    for name, text in {"minus-1": "-1", "lowest": "-2147483648"}.items():
        yield reading(f"limit-{name}", f"limit={text}", "PGRST103", 416)
        yield reading(f"offset-{name}", f"offset={text}", "PGRST103", 416)
    for name, text in {"letters": "abc", "empty": "", "fraction": "1.5", "1e3": "1e3", "hexadecimal": "0x10"}.items():
        yield reading(f"limit-{name}", f"limit={text}", "PGRST100")
        yield reading(f"offset-{name}", f"offset={text}", "PGRST100")
    for name, query in {"value": "content=eq.%ff", "in": "content=in.(%ff)", "name": "%ff=eq.1",
        "select": "select=%ff"}.items():
        yield reading(f"invalid-utf8-{name}", query, "22021|PGRST100|42703")
    for name, query in {"value": "content=eq.a%00b", "in": "content=in.(a%00b)"}.items():
        yield reading(f"nul-{name}", query, "22...|PGRST100")

    row = {"role": "user", "content": "x", "conversation_id": "${conversation}"}
    service = {"apikey": "${service_key}", "Authorization": "Bearer ${service_key}"}
    for table in ("pam_messages", "pam_conversations"):
        for kind, method, query, body in (
            ("one", "POST", "", row), ("list", "POST", "?on_conflict=id", [row, row]),
            ("filtered", "PATCH", "?role=eq.user", {"content": "x"}), ("filtered", "PUT", "?id=eq." + UNKNOWN, row),
            ("filtered", "DELETE", "?role=eq.user", None), ("all", "DELETE", "", None),
            ("csv", "POST", "?columns=role", b"role,content\nuser,x"),
        ):
            for who, headers in {"user": {}, "service": service}.items():
                more = {"Content-Type": "text/csv"} if kind == "csv" else {}
                yield supabase(
                    f"write-{who}-{method}-{kind}-{table}", method, f"/rest/v1/{table}{query}", 403, "42501", body,
                    headers | more, f"permission denied for table {table}")


# HTTP below the doors


def _raw(request_line: str | bytes, *lines: str | bytes, body: bytes = b"", host: bool = True) -> bytes:
    head = [as_bytes(request_line), *([b"Host: test"] if host else []), b"Authorization: Bearer ${token}"]
    return b"\r\n".join([*head, *map(as_bytes, lines)]) + b"\r\n\r\n" + body


def _http() -> Iterator[BadInput]:
    get = "GET /v1/conversations HTTP/1.1"
    for name, line in {
        "no-version": "GET /v1/conversations", "http-0.9": "GET /healthz", "no-target": "GET HTTP/1.1",
        "no-method": "/ HTTP/1.1",
        "two-spaces": "GET  /healthz HTTP/1.1x", "version-word": "GET /healthz HTTP",
        "version-2.0": "GET /healthz HTTP/2.0",
        "version-3.0": "GET /healthz HTTP/3.0", "version-9.9": "GET /healthz HTTP/9.9",
        "version-1": "GET /healthz HTTP/1",
        "version-letters": "GET /healthz HTTP/1.a", "version-11.1": "GET /healthz HTTP/11.1",
        "version-minus": "GET /healthz HTTP/-1.1",
        "version-lower-case": "GET /healthz http/1.1", "version-other": "GET /healthz ICAP/1.0",
        "https": "GET /healthz HTTPS/1.1",
        "four-words": "GET /healthz x HTTP/1.1", "tabs": "GET\t/healthz\tHTTP/1.1",
        "unknown-method": "FROB /healthz HTTP/1.1",
        "long-method": "G" * 1_000 + " /healthz HTTP/1.1", "method-at": "GE@T /healthz HTTP/1.1", "space-in-target":
        "GET /v1/conversations?q=a b HTTP/1.1", "authority-form": "GET test:80 HTTP/1.1",
        "target-word": "GET healthz HTTP/1.1",
        "target-backslash": "GET \\healthz HTTP/1.1", "connect-path": "CONNECT /healthz HTTP/1.1",
    }.items():
        status = (400, 405) if "method" in name or name == "connect-path" else 400
        yield http(f"line-{name}", _raw(line), status)
    for method in ("get", "Get", "post", "delete"):
        yield http(f"line-lower-case-{method}", _raw(f"{method} /v1/conversations HTTP/1.1"), (400, 405))
    targets = {
        "nul": b"GET /heal\x00thz HTTP/1.1", "control": b"GET /v1/conversations?q=\x01 HTTP/1.1",
        "high-byte": b"GET /v1/conversations?q=\xff HTTP/1.1", "utf8": "GET /v1/conversations?q=é HTTP/1.1".encode(),
        "del": b"GET /v1/conversations?q=\x7f HTTP/1.1", "fragment": b"GET /v1/conversations#part HTTP/1.1",
        "return": b"GET /heal\rthz HTTP/1.1",
    }
    for name, target in targets.items():
        yield http(f"target-{name}", _raw(target), (400, 404) if name == "fragment" else 400)
    yield http("target-40-kib", _raw(f"GET /v1/conversations?q={'q' * 40_000} HTTP/1.1"), (400, 414, 431))
    yield http("target-1-mib", _raw(f"GET /{'p' * BODY_BYTES} HTTP/1.1"), (400, 414, 431))

    headers: dict[str, str | bytes] = {
        "no-colon": "X-Thing", "no-name": ": value", "space-before-colon": "X-Thing : value",
        "space-in-name": "X Thing: value",
        "folded": "X-Thing: a\r\n b", "leading-space": " X-Thing: a", "bracket-in-name": "X-(Thing): a",
        "at-in-name": "X@Thing: a",
        "at-nul": b"X-Thing: a\x00b", "control": b"X-Thing: a\x01b", "nul-in-name": b"X-\x00Thing: a",
        "bare-return": b"X-Thing: a\rb",
        "high-byte-in-name": b"X-\xe9: a", "only-colon": ":", "del": b"X-Thing: a\x7fb",
    }
    for name, header in headers.items():
        yield http(f"header-{name}", _raw(get, header))
    yield http("header-17-kib", _raw(get, "X-Thing: " + "x" * 17_000), (400, 431))
    yield http("header-name-17-kib", _raw(get, "X" * 17_000 + ": x"), (400, 431))
    yield http("header-token-20-kib", _raw(get, "Cookie: " + "c" * 20_000), (400, 431))
    yield http("headers-40-kib", _raw(get, *(f"X-Thing-{n}: {'x' * 1_000}" for n in range(40))), (400, 431))
    yield http("headers-101", _raw(get, *(f"X-Thing-{n}: x" for n in range(101))), (400, 431))
    yield http("headers-5000", _raw(get, *(f"X-Thing-{n}: x" for n in range(5_000))), (400, 431))
    yield http("headers-1-mib-of-one-name", _raw(get, *("X-Thing: " + "x" * 1_000 for _ in range(1_000))), (400, 431))

    yield http("host-missing", _raw(get, host=False))
    yield http("host-twice", _raw(get, "Host: other"))
    yield http("host-twice-alike", _raw(get, "Host: test"))
    hosts: dict[str, str | bytes] = {
        "space": "a b", "slash": "a/b", "at": "user@test", "bad-port": "test:port", "control": b"te\x01st",
    }
    for name, host in hosts.items():
        yield http(f"host-{name}", _raw(get, b"Host: " + as_bytes(host), host=False))

    post = f"POST {MESSAGES} HTTP/1.1"
    body = b'{"role":"user","content":"x"}'
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    chunked = "Transfer-Encoding: chunked"

    def framed(name: str, *lines: str | bytes, body: bytes = body, status: int | tuple[int, ...] = 400,
               half_close: bool = False) -> BadInput:
        return http(f"body-{name}", _raw(post, "Content-Type: application/json", *lines, body=body), status, half_close)

    yield framed("length-and-chunked", f"Content-Length: {len(body)}", chunked, body=chunk)
    yield framed("chunked-and-length", chunked, f"Content-Length: {len(chunk)}", body=chunk)
    yield framed("length-0-and-chunked", "Content-Length: 0", chunked, body=chunk)
    yield framed("two-lengths", "Content-Length: 5", f"Content-Length: {len(body)}")
    yield framed("length-list", f"Content-Length: 5, {len(body)}")
    for name, length in {
        "negative": "-1", "plus": f"+{len(body)}", "hexadecimal": "0x1d", "letters": "abc", "empty": "",
        "fraction": "29.0",
        "two-numbers": "2 9", "behind": "29x", "2-to-the-64": str(2**64), "2-to-the-64-and-29": str(2**64 + 29),
        "400-digits": "9" * 400,
        "quoted": '"29"',
    }.items():
        yield framed(f"length-{name}", f"Content-Length: {length}")
    for name, size in {"2-to-the-63": 2**63, "10-gib": 10 * 2**30, "1-mib-and-1": BODY_BYTES + 1}.items():
        yield framed(f"length-{name}", f"Content-Length: {size}", body=b"",
                     status=(400, 413) if name == "2-to-the-63" else 413)
    yield framed("expect-and-too-long", f"Content-Length: {2 * BODY_BYTES}", "Expect: 100-continue", body=b"",
        status=(413, 417))
    for name, encoding in {
        "gzip": "gzip", "identity": "identity", "gzip-chunked": "gzip, chunked", "chunked-gzip": "chunked, gzip",
        "word": "xchunked",
        "chunked-twice": "chunked, chunked", "quoted": '"chunked"', "parameter": "chunked;q=1",
    }.items():
        yield framed(f"encoding-{name}", f"Transfer-Encoding: {encoding}", body=chunk, status=(400, 415))
    for name, chunks in {
        "letters": b"zz\r\nabc\r\n0\r\n\r\n", "negative": b"-1\r\nabc\r\n0\r\n\r\n",
        "prefixed": b"0x3\r\nabc\r\n0\r\n\r\n",
        "17-digits": b"FFFFFFFFFFFFFFFFF\r\n", "too-long": b"2\r\nabc\r\n0\r\n\r\n", "no-size": b"\r\nabc\r\n0\r\n\r\n",
        "space-in-size": b"1 d\r\nabc\r\n0\r\n\r\n", "bad-trailer": chunk[:-2] + b"no colon\r\n\r\n",
        "nul-in-size": b"1\x00\r\na\r\n0\r\n\r\n",
        "plus": b"+3\r\nabc\r\n0\r\n\r\n",
    }.items():
        yield framed(f"chunk-{name}", chunked, body=chunks)
    yield framed("chunks-over-1-mib", chunked, body=(b"10000\r\n" + b" " * 65_536 + b"\r\n") * 17 + b"0\r\n\r\n",
        status=413)
    yield framed("chunk-extension-of-1-mib", chunked, body=b"1;" + b"e" * BODY_BYTES + b"\r\n \r\n0\r\n\r\n",
        status=(400, 413))
    yield framed("trailers-of-1-mib", chunked, body=chunk[:-2] + b"".join(b"X-%d: %s\r\n" % (n,
        b"t" * 1_000) for n in range(1_050)) + b"\r\n",
                 status=(400, 413, 431))
    yield framed("half", f"Content-Length: {len(body)}", body=body[:10], half_close=True)
    yield framed("chunk-half", chunked, body=chunk[:20], half_close=True)
    yield framed("chunk-no-end", chunked, body=chunk[:-5], half_close=True)

    for name, sent in {
        "tls": bytes.fromhex("16030100a5010000a10303") + bytes(range(150)), "ssh": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "binary": bytes(range(256)) * 4,
        "proxy": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\r\n",
        "socks": b"\x05\x01\x00", "redis": b"*1\r\n$4\r\nPING\r\n", "smtp": b"EHLO test\r\n",
        "websocket-frame": b"\x81\x85\x00\x00\x00\x00hello",
        "json": b'{"role":"user"}\r\n\r\n', "spaces": b"   \r\n\r\n", "colon": b":\r\n\r\n",
        "1-mib-of-letters": b"A" * BODY_BYTES,
        "answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    }.items():
        yield http(f"bytes-{name}", sent, (400, 405, 414, 431), half_close=True)


GROUPS: dict[str, list[BadInput]] = {
    "authentication": list(_authentication()),
    "headers": list(_headers()),
    "json": list(_json()),
    "fields": list(_fields()),
    "paths": list(_paths()),
    "queries": list(_queries()),
    "methods": list(_methods()),
    "functions": list(_functions()),
    "tables": list(_tables()),
    "http": list(_http()),
}
CASES: list[tuple[str, BadInput]] = [(f"{group}/{case.id}", case) for group, cases in GROUPS.items() for case in cases]
