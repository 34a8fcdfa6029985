"""The suites: each measures both sides of its promises and records points and values."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import dashboard
import live
import machine
import raw
import search
import seeding
import slow
import trees
import turns
from former import former_system
from load import BenchmarkError, Point, Recorder, Wrk
from parley import Client, Conversation, Parley, parley
from promises import CONNECTIONS, PAGE, PAGES_AT, SAVES_AT, WRITERS, Scale

SUITES = ("saves", "raw", "pages", "cost", "search", "trees", "slow", "live", "turns", "idle", "dashboard")
SETTLE_SECONDS = 1.0
PAIR_SHARE = 0.5
MIDDLES = 500


@dataclass(frozen=True)
class Plan:
    """What to run: the suites, the server's program and port, where data goes, how long and how much."""

    suites: frozenset[str]
    binary: Path
    port: int
    directory: Path
    seconds: int
    scale: Scale


def run(plan: Plan, found: Recorder) -> None:
    """Run the chosen suites one after the other; nothing else of ours runs during a point."""
    if plan.suites & {"saves", "raw"}:
        measure_saves(plan, found)
    if plan.suites & {"pages", "cost"}:
        measure_pages(plan, found)
    if "search" in plan.suites:
        measure_search(plan, found)
    if "trees" in plan.suites:
        measure_trees(plan, found)
    if "slow" in plan.suites:
        measure_slow_clients(plan, found)
    if "live" in plan.suites:
        measure_chat_beside_deaf_clients(plan, found)
    if "turns" in plan.suites:
        measure_turns(plan, found)
    if "idle" in plan.suites:
        measure_idle_sockets(plan, found)
    if "dashboard" in plan.suites:
        measure_dashboard(plan, found)


def measure_dashboard(plan: Plan, found: Recorder) -> None:
    """Measure the operators' screens on a real terminal, over a server with many conversations and live sessions."""
    machine.say(f"The dashboard, {plan.scale.threads:,} conversations, {dashboard.LIVE} of them live")
    live.allow_sockets()
    with parley(plan.binary, plan.port, plan.directory, "dashboard") as server:
        dashboard.measure(dashboard.Bench(plan.binary, server, found), plan.scale.threads, plan.scale.big)


def measure_search(plan: Plan, found: Recorder) -> None:
    """Measure searches of a user whose messages lie among a million of others, and of the same user alone on a second server."""
    own, others = plan.scale.searched, (plan.scale.messages - plan.scale.searched) // plan.scale.each
    machine.say(f"Search, {own:,} messages of a user among {others * plan.scale.each:,} of others")
    with parley(plan.binary, plan.port, plan.directory, "search") as server:
        *rest, user = seeding.fill(server, others, plan.scale.each, own)
        size = server.database.stat().st_size / machine.MEGABYTE
        time.sleep(SETTLE_SECONDS)
        wrk = server.load(plan.seconds)
        kinds = search.kinds()
        slowest = 0.0
        for kind in kinds:
            for connections in (1, PAGES_AT):
                point = found.add(wrk.replay(f"search, {kind.name}", kind.requests(user), connections, PAIR_SHARE))
                if kind.is_judged and connections == 1:
                    slowest = max(slowest, point.p50_us / 1000)
        found.values["search"] = slowest
        judged = next(kind for kind in kinds if kind.is_judged)
        found.add(wrk.replay(f"search, a user of {plan.scale.each}", judged.requests(rest[0]), 1, PAIR_SHARE))
        in_one = judged.requests(user, f"&conversation_id={user.id}")
        found.add(wrk.replay("search, in one conversation", in_one, 1, PAIR_SHARE))
        with parley(plan.binary, plan.port + 1, plan.directory, "search-alone") as other:
            alone = seeding.fill(other, 1, plan.scale.each, own)[-1]
            time.sleep(SETTLE_SECONDS)
            little = other.load(plan.seconds)
            requests = [request for kind in kinds if kind.is_judged for request in kind.requests(user)]
            same = [request for kind in kinds if kind.is_judged for request in kind.requests(alone)]
            _pair(
                "search_others",
                lambda: little.replay("search, the user alone", same, 1, PAIR_SHARE),
                lambda: wrk.replay("search, among the others", requests, 1, PAIR_SHARE),
                found,
            )
        found.remarks.append(f"Search: the store's file has {size:,.0f} MB with {plan.scale.messages:,} messages.")


def measure_trees(plan: Plan, found: Recorder) -> None:
    """Measure pages in trees of unusual shapes beside a page of a plain conversation, all at one connection."""
    machine.say("Trees")
    with parley(plan.binary, plan.port, plan.directory, "trees") as server:
        client = server.client()
        plain = server.new_conversation(client, 1, trees.PLAIN)
        trees.grow(client, plain, trees.PLAIN)
        broad = server.new_conversation(client, 2, trees.PLAIN)
        sibling = trees.grow_broad(client, broad)
        deep = server.new_conversation(client, 3, trees.DEPTH)
        trees.grow_deep(client, deep)
        long = server.new_conversation(client, 4, plan.scale.big)
        trees.grow(client, long, plan.scale.big)
        trees.fork_in_the_middle(client, long, plan.scale.big)
        wrk = server.load(plan.seconds)

        def page(name: str, one: Conversation, query: str = "") -> None:
            found.add(wrk.replay(name, [one.page(query)], 1, PAIR_SHARE))

        page("page, plain", plain)
        page(f"page that holds the fork of {trees.BRANCHES:,} branches", broad, "&branch=0")
        found.add(wrk.replay(f"a message with {trees.BRANCHES:,} siblings", [trees.message(broad, sibling)], 1, PAIR_SHARE))
        page(f"newest page behind {trees.DEPTH} forks", deep)
        page(f"page at the root below {trees.DEPTH} forks", deep, "&around=1")
        page(f"newest page of a branch of a trunk of {plan.scale.big:,}", long)
        page("… around its fork", long, f"&around={plan.scale.big // 2}")


def measure_slow_clients(plan: Plan, found: Recorder) -> None:
    """Measure pages alone and beside slow clients, and the memory before and after those."""
    machine.say(f"Slow clients, {slow.CONNECTIONS} for {slow.SECONDS} s")
    with parley(plan.binary, plan.port, plan.directory, "slow") as server:
        client = server.client()
        conversation = server.new_conversation(client, 1, PAGE)
        _append_one_each(client, [conversation] * PAGE)
        long = server.new_conversation(client, 2, slow.LONG_MESSAGES)
        slow.long_conversation(client, long)
        # One whole long page first: its memory is the server's own way, not the slow clients' doing.
        client.get(f"{long.path}?limit=200", long.token)
        alone = found.add(server.load(plan.seconds).replay("page, alone", [conversation.page()], PAGES_AT))
        _, before = machine.resident_megabytes(server.pid)
        with slow.slow_clients(server.port, long) as attacked:
            beside = found.add(server.load(slow.SECONDS).replay("page, beside slow clients", [conversation.page()], PAGES_AT))
            _, under = machine.resident_megabytes(server.pid)
        time.sleep(slow.QUIET_SECONDS)
        _, after = machine.resident_megabytes(server.pid)
    found.values["slow_p99"] = max(0.0, beside.p99_us - 50_000) / alone.p99_us
    found.values["slow_memory"] = after / before
    found.check(attacked.closed > 0, "No slow connection was closed.")
    found.remarks.append(
        f"Slow clients: {attacked.opened:,} connections opened, {attacked.closed:,} of them closed by the server; "
        f"resident memory {before:.1f} MB before, {under:.1f} MB under, {after:.1f} MB after them."
    )


def measure_chat_beside_deaf_clients(plan: Plan, found: Recorder) -> None:
    """Measure a chat over sockets alone, then among clients that attach and never read, until all those are closed."""
    machine.say(f"A chat, and {live.DEAF} that never read")
    live.allow_sockets()
    with parley(plan.binary, plan.port, plan.directory, "live") as server:
        client = server.client()
        rooms = [server.new_conversation(client, number, 0) for number in range(1, live.ROOMS + 1)]
        chat = live.chat_beside_deaf(server.port, server.pid, rooms)
    for point in (*chat.alone, *chat.beside):
        found.add(point)
    found.values["deaf_p99"] = max(
        beside.p99_us / alone.p99_us for alone, beside in zip(chat.alone, chat.beside, strict=True))
    found.values["deaf_seconds"] = chat.closed_seconds
    found.problems += chat.problems
    alone, beside = chat.others
    found.remarks.append(
        f"A chat beside the deaf: other programs had {alone:.0%} of a core while it was alone, {beside:.0%} beside them.")


def measure_turns(plan: Plan, found: Recorder) -> None:
    """Measure answers that stream at once, and a program that saves and reads beside them."""
    machine.say(f"Turns, {turns.TURNS} at {1_000 // turns.PACE_MILLISECONDS} words a second each")
    live.allow_sockets()
    with parley(plan.binary, plan.port, plan.directory, "turns") as server:
        turns.measure(server, found)


def measure_idle_sockets(plan: Plan, found: Recorder) -> None:
    """Measure the resident memory of sockets that only wait: on a new server each, opened only, and attached."""
    machine.say(f"Idle sockets, {live.IDLE:,} of them")
    live.allow_sockets()
    for attached in (False, True):
        with parley(plan.binary, plan.port, plan.directory, "idle") as server:
            client = server.client()
            users = [server.new_conversation(client, number, 0) for number in range(1, live.IDLE_USERS + 1)]
            time.sleep(live.IDLE_SETTLE_SECONDS)
            _, before = machine.resident_megabytes(server.pid)
            with live.idle_sockets(server.port, users, attached=attached):
                time.sleep(live.IDLE_SETTLE_SECONDS)
                _, under = machine.resident_megabytes(server.pid)
        each = (under - before) * 1_000 / live.IDLE
        found.values["attached_kb" if attached else "idle_kb"] = each
        found.remarks.append(
            f"{live.IDLE:,} {'attached' if attached else 'idle'} sockets: resident memory {before:.1f} MB before, "
            f"{under:.1f} MB with them, {each:.1f} KB each.")


def measure_saves(plan: Plan, found: Recorder) -> None:
    """Measure saves by the former system, over HTTP, and by raw SQLite on a copy of the store's file."""
    machine.say("Saves")
    if "saves" in plan.suites:
        with former_system(plan.directory, plan.seconds) as former:
            former.seed(WRITERS - 1)
            # Judged is the same load as over HTTP: each save into a random conversation. With a conversation a connection,
            # which no two connections wait for, the former system is at its best.
            former_point = found.add(former.save("former store_pam_message, pgbench", SAVES_AT, WRITERS))
            at_best = found.add(former.save("former, own conversation (not judged)", SAVES_AT))
    copy = plan.directory / "raw.sqlite"
    with parley(plan.binary, plan.port, plan.directory, "saves") as server:
        client = server.client()
        writers = [server.new_conversation(client, number, 1) for number in range(1, WRITERS + 1)]
        _append_one_each(client, writers)
        if "raw" in plan.suites:
            statements = raw.learn(server.database, copy, lambda: _append_one_each(client, writers))
        wrk = server.load(plan.seconds)
        points = {c: _save(server, wrk, writers, c, found) for c in CONNECTIONS if "saves" in plan.suites or c == SAVES_AT}
    at_promise = points[SAVES_AT]
    if "saves" in plan.suites:
        found.values["saves"] = at_promise.per_second / former_point.per_second
        found.values["saves_p99"] = at_promise.p99_us / former_point.p99_us
        found.remarks.append(
            f"Against the former system at its best: {at_promise.per_second / at_best.per_second:.2f} times the saves, "
            f"{at_promise.p99_us / at_best.p99_us:.2f} times its p99."
        )
    if "raw" in plan.suites:
        rows = raw.run(copy, statements, WRITERS, plan.seconds)
        found.remarks.append(f"Raw SQLite: {rows:,.0f} rows/s, {WRITERS} a transaction, by these statements:")
        found.remarks += [f"  {statement.sql}" for statement in statements]
        found.values["saves_raw"] = at_promise.per_second / rows


def measure_pages(plan: Plan, found: Recorder) -> None:
    """Measure pages on a full store: against the former system, in a long conversation, and against a store with little in it."""
    scale = plan.scale
    machine.say(f"Pages, {scale.messages:,} messages stored")
    with former_system(plan.directory, plan.seconds) as former:
        former.seed(scale.small, scale.each, scale.big, seeding.RUN)
        if "pages" in plan.suites:
            former_point = found.add(former.history("former get_conversation_history, pgbench", PAGES_AT, 1, scale.small))
        if "cost" in plan.suites:
            in_short, in_long = (
                found.add(former.history(f"former, conversation of {size:,}", 1, user, user, PAIR_SHARE))
                for size, user in ((scale.each, 1), (scale.big, scale.small + 1))
            )
            times = in_long.mean_us / in_short.mean_us
            found.remarks.append(f"The former system's page costs {times:.1f} times as much in the long conversation.")
    with parley(plan.binary, plan.port, plan.directory, "full") as server:
        *others, long = seeding.fill(server, scale.small, scale.each, scale.big)
        _check_stored(server, [long, others[0], others[-1]], scale.messages, found)
        time.sleep(SETTLE_SECONDS)
        wrk = server.load(plan.seconds)
        if "pages" in plan.suites:
            _last_pages(server, wrk, others, former_point, found)
        if "cost" in plan.suites:
            _cost_of_length(wrk, others[0], long, found)
            _cost_of_fullness(plan, wrk, others, found)
        if "pages" in plan.suites:
            # Writes come last: they belong to the load that the memory is measured under.
            _save(server, wrk, others[:WRITERS], SAVES_AT, found, f"saves, {scale.messages:,} stored before")
            peak, present = machine.resident_megabytes(server.pid)
            found.values["memory_mb"] = peak
            found.remarks.append(f"Resident memory: peak {peak:.1f} MB, {present:.1f} MB right after the load.")


def _append_one_each(client: Client, conversations: Sequence[Conversation]) -> None:
    for conversation in conversations:
        stamp = f"learn-{time.monotonic_ns()}"
        client.post(conversation.path, {"role": "user", "content": "a word " * 43, "client_id": stamp}, conversation.token)


def _save(
    server: Parley, wrk: Wrk, writers: Sequence[Conversation], connections: int, found: Recorder, name: str = "saves over HTTP"
) -> Point:
    """Measure saves, and check that every acknowledged one is a row of the store's file."""
    before = server.stored_messages()
    warm_up, measured = wrk.save(name, [(writer.path, writer.token) for writer in writers], connections)
    time.sleep(SETTLE_SECONDS)
    gained = server.stored_messages() - before
    answered = warm_up.requests + measured.requests
    # Each of the two runs may end with a request under way on every connection: stored, but its answer not read.
    found.check(
        answered <= gained <= answered + 2 * connections,
        f"{name}, c={connections}: {answered:,} saves were acknowledged and {gained:,} rows were stored.",
    )
    found.check(warm_up.faults == 0, f"{name}, c={connections}, warm-up: {warm_up.faults} answers were not 201.")
    return found.add(measured)


def _last_pages(server: Parley, wrk: Wrk, conversations: Sequence[Conversation], former: Point, found: Recorder) -> None:
    doors = {
        "pages_native": ("last 20, native", [one.page() for one in conversations]),
        "pages_supabase": ("last 20, Supabase door", [one.history(server.anon_key) for one in conversations]),
    }
    for key, (name, requests) in doors.items():
        points = {c: found.add(wrk.replay(name, requests, c)) for c in CONNECTIONS}
        found.values[key] = points[PAGES_AT].per_second / former.per_second


def _cost_of_length(wrk: Wrk, short: Conversation, long: Conversation, found: Recorder) -> None:
    def newest(one: Conversation) -> list[str]:
        return [one.page()]

    def middle(one: Conversation) -> list[str]:
        dice = random.Random(one.messages)
        return [one.page(f"&around={dice.randint(PAGE, one.messages - PAGE)}") for _ in range(MIDDLES)]

    for key, name, pages in (("long_end", "newest page", newest), ("long_middle", "page in the middle", middle)):
        _pair(
            key,
            lambda: wrk.replay(f"{name}, conversation of {short.messages:,}", pages(short), 1, PAIR_SHARE),
            lambda: wrk.replay(f"{name}, conversation of {long.messages:,}", pages(long), 1, PAIR_SHARE),
            found,
        )


def _cost_of_fullness(plan: Plan, wrk: Wrk, conversations: Sequence[Conversation], found: Recorder) -> None:
    """Compare with a second server on a store with little in it, which idles while the full one is measured."""
    scale = plan.scale
    with parley(plan.binary, plan.port + 1, plan.directory, "few") as other:
        few = seeding.fill(other, scale.few, scale.each)
        time.sleep(SETTLE_SECONDS)
        little = other.load(plan.seconds)
        _pair(
            "stored",
            lambda: little.replay(f"newest page, {scale.few * scale.each:,} stored", [one.page() for one in few], 1, PAIR_SHARE),
            lambda: wrk.replay(f"newest page, {scale.messages:,} stored", [one.page() for one in conversations], 1, PAIR_SHARE),
            found,
        )


def _pair(key: str, base: Callable[[], Point], other: Callable[[], Point], found: Recorder) -> None:
    """Measure base, other, other, base, so that a slow drift of the machine hits both alike, and keep the ratios."""
    order = [found.add(measure()) for measure in (base, other, other, base)]
    bases, others = [order[0], order[3]], order[1:3]
    found.values[key] = fmean(point.mean_us for point in others) / fmean(point.mean_us for point in bases)
    base_cpu = fmean(point.cpu_us for point in bases)
    if base_cpu == 0:
        raise BenchmarkError("The points are too short for the clock that counts processor time: raise --seconds.")
    found.values[f"{key}_cpu"] = fmean(point.cpu_us for point in others) / base_cpu


def _check_stored(server: Parley, samples: Sequence[Conversation], messages: int, found: Recorder) -> None:
    """Check that everything seeded is there and that pages hold what they should."""
    stored = server.stored_messages()
    found.check(stored == messages, f"{messages:,} messages were seeded and {stored:,} are stored.")
    client = server.client()
    for one in samples:
        page = client.get(f"{one.path}?limit={PAGE}", one.token)
        positions, texts = ([message[field] for message in page["data"]] for field in ("position", "content"))
        expected = list(range(one.messages - PAGE + 1, one.messages + 1))
        found.check(positions == expected, f"The newest page of a conversation of {one.messages:,} has positions {positions}.")
        history = [message["content"] for message in client.history(one, server.anon_key)]
        found.check(history == texts[::-1], "The Supabase door and the native door differ on the newest page.")
