"""Searches of a user with many messages among a million of others, and of the same user alone."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from load import contents, request_head
from parley import Conversation
from promises import PAGE

SAMPLES = 200
COMMON = 40
RARE_TEXTS = 3


@dataclass(frozen=True)
class Kind:
    """A kind of search, with the words of some."""

    name: str
    searches: tuple[str, ...]
    is_judged: bool = False

    def requests(self, one: Conversation, query: str = "") -> list[str]:
        """Return the requests of a user."""
        headers = {"Authorization": f"Bearer {one.token}"}
        return [request_head("GET", f"/v1/search?q={quote(words)}&limit={PAGE}{query}", headers) for words in self.searches]


def kinds() -> list[Kind]:
    """Return the kinds of searches; every word is as common among the others' messages as among the user's own."""
    dice = random.Random(11)
    texts = [set(text.rstrip(".").split()) for text in contents()]
    counts = Counter(word for text in texts for word in text)
    common = [word for word, _ in counts.most_common(COMMON)]
    rare = [pair for text in texts if len(pair := sorted(word for word in text if counts[word] <= RARE_TEXTS)) >= 2]
    words = sorted(counts)

    def two_rare() -> str:
        return " ".join(dice.sample(dice.choice(rare), 2))

    def mixed() -> str:
        return f"{dice.choice(common)} {dice.choice(words)}"

    def prefix() -> str:
        return f"{dice.choice([word for word in words if len(word) >= 5])[:3]}*"

    def many(make: Callable[[], str]) -> tuple[str, ...]:
        return tuple(make() for _ in range(SAMPLES))

    return [
        Kind("two common words", many(lambda: " ".join(dice.sample(common, 2))), is_judged=True),
        Kind("two rare words", many(two_rare), is_judged=True),
        Kind("a common word and any", many(mixed), is_judged=True),
        Kind("words that are nowhere", many(lambda: f"{dice.choice(common)} zzzz{dice.randrange(1000)}")),
        Kind("the beginning of a word", many(prefix)),
    ]
