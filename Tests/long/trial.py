"""One load on one server, and the one checker that every fault is judged by."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from book import Book, load, writers
from harness import Native, poll
from ledger import Entry, judge, send_again
from rig import DRAIN_SECONDS, Rig
from table import Findings, Row

Stored = dict[str, list[dict[str, Any]]]

# What `parley check` says of things that hang on nothing; all else that it finds is corrupt.
ORPHANED = re.compile(r"does not exist|has no parent|there is no such branch")
ROUND = 10
REPEATED = 10


class Trial:
    """Writers with a book of their own; long experiments begin a new one now and then, so that looking stays cheap."""

    def __init__(self, rig: Rig, *, with_tokens: bool = True) -> None:
        """Opens the conversations; the server must be running, and its store be up."""
        self.rig = rig
        self.book = Book()
        self.writers = writers(rig, with_tokens=with_tokens)

    def load(self) -> AbstractContextManager[None]:
        """Lets all writers send while the body runs."""
        return load(self.book, self.writers)

    def stored(self) -> Stored:
        """Returns every message of the writers' conversations, read page by page through the server."""
        with Native(self.rig, self.rig.service_key) as native:
            return {conversation: native.messages(conversation)
                    for conversation in sorted({writer.conversation for writer in self.writers})}

    def settle(self) -> Findings:
        """Waits until the spool is empty, judges, lets the writers send what is unresolved, and judges again.

        The first look is for what the fault did, the second for what clients that send again make of it.
        """
        self.rig.wait_until_well()
        poll(self._reads, DRAIN_SECONDS, "a store that reads")
        findings = self.judged()
        send_again(self.book, self.writers, self.stored())
        assert not self.book.unresolved
        findings.add(self.judged())
        findings.add(self._repeated())
        findings.add(checked(self.rig))
        return findings

    def _repeated(self) -> Findings:
        """Sends some acknowledged entries again: they must be found, under the ids that they have."""
        findings = Findings()
        acknowledged = self.book.acknowledged
        for entry in random.sample(sorted(acknowledged, key=str), min(REPEATED, len(acknowledged))):
            with self.writers[entry.writer].connect() as send:
                again = send(entry)
            if not again.replayed or again.message_id != acknowledged[entry]:
                findings.doubled.add(f"{entry.client_id} of {entry.conversation}, sent again, became {again}")
        return findings

    def _reads(self) -> bool:
        """Tells whether the store itself answers, and not what is remembered of it."""
        with Native(self.rig, self.rig.service_key) as native:
            return all(native.ask("GET", f"/v1/conversations/{writer.conversation}/branches").status == 200
                       for writer in self.writers)

    def judged(self) -> Findings:
        """Holds the book against what the server shows."""
        stored = self.stored()
        findings = Findings()
        self._resolve(stored, findings)
        verdict = judge(self.book, stored)
        # Writers of several trials bear the same numbers.
        findings.lost.update(self._named(verdict.lost))
        findings.doubled.update(self._named(verdict.doubled))
        findings.reordered.update(self._named(verdict.reordered))
        findings.corrupt.update([*(f"{each} was never sent" for each in verdict.never_sent), *verdict.holes])
        return findings

    def forget(self) -> None:
        """Begins anew in other conversations: what was judged by other means is not judged again."""
        done = self.book
        self.book = Book()
        self.book.take_over(done)
        self.writers = writers(self.rig)

    def count(self, row: Row) -> None:
        """Adds the book to a row of the table."""
        row.stored += self.book.count("stored")
        row.spooled += self.book.count("spooled")

    def _named(self, cases: list[str]) -> list[str]:
        return [f"{case} of {self.writers[0].conversation}" for case in cases]

    def _resolve(self, stored: Stored, findings: Findings) -> None:
        """Follows acknowledged ids that stand for others.

        An entry whose first attempt broke may be in the store although nobody was told so; sent again while the
        store was down, it was spooled under a second id. That id must lead to the message for ever.
        """
        rows = {(name, row["client_id"]): row for name, messages in stored.items() for row in messages}
        ids = {row["id"] for row in rows.values()}
        candidates: list[tuple[Entry, str]] = list(self.book.renamed.items())
        candidates += [(entry, id) for entry, id in self.book.acknowledged.items() if id not in ids]
        with Native(self.rig, self.rig.service_key) as native:
            for entry, acknowledged in candidates:
                row = rows.get((entry.conversation, entry.client_id))
                answer = native.ask("GET", f"/v1/messages/{acknowledged}")
                if row is not None and answer.status == 200 and answer.json["message"]["id"] == row["id"]:
                    if entry not in self.book.renamed:
                        self.book.rename(entry, row["id"])
                elif entry in self.book.renamed:
                    findings.lost.add(f"{entry.client_id} of {entry.conversation}, by its acknowledged id")


def checked(rig: Rig) -> Findings:
    """Lets `parley check` look at store and spool, and sorts what it says."""
    findings = Findings()
    code, said = rig.check()
    for finding in said.splitlines() if code != 0 else []:
        (findings.orphaned if ORPHANED.search(finding) else findings.corrupt).add(finding)
    if code != 0 and not findings:
        findings.corrupt.add(f"parley check ended with exit code {code}")
    return findings


def rounds(count: int) -> Iterator[range]:
    """Yields the numbers from 1 to `count` in groups that share a trial."""
    for start in range(1, count + 1, ROUND):
        yield range(start, min(start + ROUND, count + 1))
