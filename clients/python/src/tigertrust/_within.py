"""Deadlines."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, call: Coroutine[Any, Any, T]) -> T:
    """Waits for the call, for so long at the most; raises `asyncio.TimeoutError`."""
    if sys.version_info < (3, 11):
        return await asyncio.wait_for(call, seconds)
    # wait_for loses a cancellation that comes together with the result, before Python 3.12.
    async with asyncio.timeout(seconds):
        return await call
