"""One search as a caller asks for it, validated: how much is wanted, and how it is grouped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search import limits
from search.answer import GROUPINGS, group_hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from configs.settings import SearchSettings
    from search.answer import Group, GroupBy, Mode
    from search.asked import Asked
    from search.hit import Hit
    from search.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a caller asks for, validated."""

    text: str
    """The query, or the symbol of the structure whose neighbours are searched."""
    asked: Asked
    mode: Mode
    limit: int
    """Hits, or groups of hits."""
    group_by: GroupBy | None
    group_size: int
    without: str = ""
    """Id of a structure that is left out."""
    told: Told | None = None
    """What the references tell of it."""

    @classmethod
    def of(
        cls,
        text: str,
        asked: Asked,
        mode: Mode,
        limit: int | None,
        group_by: GroupBy | None,
        group_size: int | None,
        settings: SearchSettings,
    ) -> Request:
        """Return the request; what is None is as in the settings. Raises SearchError."""
        most = limits.ENGINE
        if group_by is not None:
            limits.validate_name("group", group_by, GROUPINGS)
        return cls(
            text=text,
            asked=asked,
            mode=mode,
            limit=limits.within("limit", limit, settings.limit, most.hits),
            group_by=group_by,
            group_size=limits.within("group size", group_size, settings.group_size, most.group),
        )

    @property
    def hits(self) -> int:
        """Hits that the answer needs, as far as that is known."""
        if self.group_by is not None:
            return min(limits.DEPTH, self.limit * self.group_size)
        return self.limit + bool(self.without)

    def choose(self, hits: list[Hit]) -> tuple[list[Hit], list[Group] | None]:
        """Return the hits that are shown, and their groups."""
        if self.group_by is None:
            return hits[: self.limit], None
        return group_hits(hits, self.group_by, self.limit, self.group_size)

    def is_full(self, hits: Sequence[Hit], groups: Sequence[Group] | None) -> bool:
        """Return whether this is as much as was asked for."""
        if groups is not None:
            return len(groups) == self.limit
        return len(hits) == self.limit or self.mode == "merged"
