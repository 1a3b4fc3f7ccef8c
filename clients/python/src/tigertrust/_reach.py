"""Of which workspaces the service's own key hears."""

import asyncio
from collections.abc import Iterable

from ._api import Api
from ._errors import NotAvailable


class Reach:
    """An instance key hears of all, another of its home."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._is_known = False
        # The home of the service's own key, `None` for an instance key.
        self._home: str | None = None
        self._finding_out: asyncio.Task[None] | None = None

    def is_of_an_instance_key(self) -> None:
        """Something was told that an instance key alone is told."""
        self._is_known, self._home = True, None

    def is_everything(self, until: float) -> bool:
        """Whether it hears of everything. Until that is known: no."""
        self._find_out(until)
        return self._is_known and self._home is None

    def covers(self, workspace_ids: Iterable[str | None], until: float) -> bool:
        """Whether it hears of everything, or these all are its home. Until that is known: no."""
        if self.is_everything(until):
            return True
        return self._is_known and all(id == self._home for id in workspace_ids)

    async def close(self) -> None:
        """Ends the call that finds out."""
        if self._finding_out is not None:
            self._finding_out.cancel()
            await asyncio.gather(self._finding_out, return_exceptions=True)

    def _find_out(self, until: float) -> None:
        if not self._is_known and self._finding_out is None:
            self._finding_out = asyncio.create_task(self._ask(until))

    async def _ask(self, until: float) -> None:
        try:
            home = await self._api.home(until)
            if not self._is_known:
                self._is_known, self._home = True, home
        except NotAvailable:
            pass  # Until it is known, the server is asked each time.
        finally:
            self._finding_out = None
