"""A candidate for the repair of a conflict: an edit to try."""

from __future__ import annotations

from fractions import Fraction

from convlint.analysis.diagnosis import Vote
from convlint.ir import Edit, Site
from convlint.repairs.written_number import WrittenNumber
from convlint.support.dataclass import dataclass


@dataclass(frozen=True)
class Candidate:
    """One edit to try: the number of the graph that it is to correct, and its right value.

    ``cost`` orders candidates: the smallest first. Candidates of the same ``rank`` differ in nothing that makes one of
    them more likely; their order is a convention.
    ``vote`` is None for an argument that its layer does not accept. Where nothing is written yet, ``number`` is None,
    ``call`` the call to which the edit adds an argument, and ``words`` describe it. ``also`` are edits of other places
    that write the same number. ``generality`` is positive for a change inside a class or helper that may be right for
    other arguments too, and larger for an expression that is written there already. ``followed`` if static analysis
    verified the edit too, which knows other calls and other arguments than those of a run. A ``doubtful`` edit, of a
    call in ``forward``, is only a repair if nothing fails after it that worked before: it may make any tensor fit. One
    that is ``only_better`` is tried where another repair leaves conflicts.
    """

    edit: Edit
    number: WrittenNumber | None
    vote: Vote | None
    right: Fraction
    cost: tuple[int, ...]
    rank: tuple[int, ...]
    call: Site | None = None
    words: str = ""
    also: tuple[Edit, ...] = ()
    generality: int = 0
    followed: bool = False
    doubtful: bool = False
    only_better: bool = False

    def is_equal_to(self, other: Candidate) -> bool:
        """Return whether this repair is as likely as another, of the other end of a conflict."""
        if self.vote is None or other.vote is None:
            return False
        same_end = (self.vote.label, self.vote.frames) == (other.vote.label, other.vote.frames)
        return (
            (self.rank, self.followed) == (other.rank, other.followed)
            and not same_end
            and self.edit.site != other.edit.site
        )

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits, which are made together."""
        return (self.edit, *self.also)

    @property
    def place(self) -> Site:
        """The call in which the number is an argument, else the number itself."""
        if self.number is None:
            return self.call or self.edit.site
        return self.number.frame if self.number.is_in_the_call else self.number.site

    @property
    def title(self) -> str:
        """The edit in words."""
        if self.number is None or self.words:
            return self.words
        return f"replace `{self.number.text}` with `{self.edit.text}`"
