"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

Fetch = Callable[[str], "Awaitable[Page[_T]]"]


class Page(Generic[_T]):
    """One page of a list; iterating over it walks all pages from this one on."""

    def __init__(self, items: list[_T], next_cursor: str | None, fetch: Fetch[_T] | None = None) -> None:
        self.items: list[_T] = items
        """The items of this page."""
        self.next_cursor: str | None = next_cursor
        """What to pass as ``cursor`` to get the next page; ``None`` on the last one."""
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[_T]:
        page = self
        while True:
            for item in page.items:
                yield item
            if page.next_cursor is None or page._fetch is None:
                return
            page = await page._fetch(page.next_cursor)

    def __repr__(self) -> str:
        more = "" if self.next_cursor is None else ", and more"
        return f"<Page of {len(self.items)} items{more}>"
