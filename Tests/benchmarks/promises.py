"""The promises that this benchmark proves, each with its floor and its goal, in one table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """One figure to hold: not shipped below the floor, and after the goal."""

    key: str
    text: str
    floor: float
    goal: float
    at_most: bool = False

    def verdict(self, value: float) -> str:
        """Return "goal", "pass" (the floor is held) or "miss"."""
        if self._holds(value, self.goal):
            return "goal"
        return "pass" if self._holds(value, self.floor) else "miss"

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound


# fmt: off
PROMISES = (
    #       key                  text                                                               floor    goal
    Promise("saves",             "Saves over HTTP, c=64, against store_pam_message by pgbench",     2.5,     4.0),
    Promise("saves_p99",         "… p99 against pgbench's",                                         1 / 3,   1 / 5, at_most=True),
    Promise("saves_raw",         "… against raw SQLite, same schema, 64 rows a transaction",        0.12,    0.20),
    Promise("pages_native",      "Last 20 of a million, c=16, against get_conversation_history",    1.5,     2.0),
    Promise("pages_supabase",    "… through the Supabase door",                                     1.5,     2.0),
    Promise("long_end",          "Newest page, 100,000 messages against 100: latency",              1.3,     1.1, at_most=True),
    Promise("long_end_cpu",      "… server CPU",                                                    1.3,     1.1, at_most=True),
    Promise("long_middle",       "Page in the middle, 100,000 messages against 100: latency",       1.3,     1.1, at_most=True),
    Promise("long_middle_cpu",   "… server CPU",                                                    1.3,     1.1, at_most=True),
    Promise("stored",            "Newest page, 1,000,000 stored against 10,000: latency",           1.3,     1.2, at_most=True),
    Promise("stored_cpu",        "… server CPU",                                                    1.3,     1.2, at_most=True),
    Promise("search",            "Search, two words, 10,000 of 1,000,000, newest 20: p50, ms",      10,      5,   at_most=True),
    Promise("search_others",     "… with 990,000 messages of others against none: latency",         1.5,     1.2, at_most=True),
    Promise("search_others_cpu", "… server CPU",                                                    1.5,     1.2, at_most=True),
    Promise("slow_p99",          "Page p99 beside 500 slow clients, less 50 ms, against alone",      2.0,     1.0, at_most=True),
    Promise("slow_memory",       "Resident memory after them against before",                       1.1,     1.0, at_most=True),
    Promise("deaf_p99",          "Chat p99 beside 300 sockets that never read, against alone",      2.0,     1.2, at_most=True),
    Promise("deaf_seconds",      "… seconds from their coming to their all being closed",           30,      30,  at_most=True),
    Promise("idle_kb",           "Resident memory of an idle socket, 2,000 of them, KB",            16,      10,  at_most=True),
    Promise("memory_mb",         "Peak resident memory under load, 1,000,000 stored, MB",           120,     76,  at_most=True),
    Promise("dash_first",        "Dashboard: exec to first frame, p95, ms",                         100,     100, at_most=True),
    Promise("dash_data",         "… to first data, 10,000 conversations and 50 live, p95, ms",      300,     300, at_most=True),
    Promise("dash_key_p50",      "Dashboard: key to paint, p50, ms",                                10,      10,  at_most=True),
    Promise("dash_key_p99",      "… p99",                                                           33,      33,  at_most=True),
    Promise("dash_key_stopped_p50", "… the server stopped, p50",                                    10,      10,  at_most=True),
    Promise("dash_key_stopped_p99", "… the server stopped, p99",                                    33,      33,  at_most=True),
    Promise("dash_lost_seconds", "Dashboard: seconds until a lost server is shown",                 3,       3,   at_most=True),
    Promise("dash_healed_seconds", "… seconds from its return until that is over",                  5,       5,   at_most=True),
    Promise("dash_escape",       "Dashboard: Esc to action, p95, ms",                               60,      60,  at_most=True),
    Promise("dash_resize",       "Dashboard: resize to repaint, p95, ms",                           50,      50,  at_most=True),
    Promise("dash_paused",       "Dashboard: CPU paused, % of a core (0 as far as it can be told)",  0.05,    0.05, at_most=True),
    Promise("dash_idle",         "… with a tick a second and 50 live sessions",                     0.5,     0.5, at_most=True),
    Promise("dash_stream_frames", "Dashboard: frames/s at 1,000 changes/s of the open thread",      20,      20,  at_most=True),
    Promise("dash_stream_cpu",   "… CPU, % of a core",                                              15,      15,  at_most=True),
    Promise("dash_bytes",        "Dashboard: bytes of a steady frame, p95",                         2_048,   2_048, at_most=True),
    Promise("dash_clears",       "… full clears after the first frame",                             0,       0,   at_most=True),
    Promise("dash_older",        "Dashboard: load older 50, p95, ms",                               50,      50,  at_most=True),
    Promise("dash_kept",         "… the messages on the screen keep their rows, share of times",    1,       1),
    Promise("dash_memory_mb",    "Dashboard: peak memory, 100,000 messages paged through, MB",      40,      40,  at_most=True),
)
# fmt: on


@dataclass(frozen=True)
class Scale:
    """How much is stored for the pages: `small` conversations of `each` messages and one of `big`.

    The other store of the pair that shows what a full store costs holds `few` conversations of `each`.
    """

    name: str
    small: int
    each: int
    big: int
    few: int
    threads: int
    """Conversations beside the long one, for the dashboard."""
    searched: int
    """Messages of the user who searches, among those of the others."""

    @property
    def messages(self) -> int:
        """Return how many messages are stored in all."""
        return self.small * self.each + self.big


SCALES = {
    "full": Scale("full", small=9_000, each=100, big=100_000, few=100, threads=10_000, searched=10_000),
    "small": Scale("small", small=150, each=100, big=5_000, few=10, threads=500, searched=2_000),
}

CONNECTIONS = (64, 16, 1)
"""The widest point comes first, on tables as fresh as pgbench's."""

WRITERS = 64
"""How many users write at once in the saves: each has one conversation, on both sides."""

SAVES_AT = 64
PAGES_AT = 16
PAGE = 20
