"""Waiting for what comes about by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(what: str, condition: Callable[[], bool], within: float = ...) -> bool: ...
@overload
async def eventually(what: str, condition: Callable[[], Coroutine[Any, Any, T | None]], within: float = ...) -> T: ...
async def eventually(what: str, condition: Callable[[], Any], within: float = 30.0) -> Any:
    """Waits until the condition holds, for so many seconds at the most. Answers with what the condition did.

    Without a number, that is longer than a client waits before it asks for the key set again, which may not have come
    in time on a busy machine.
    """
    until = time.monotonic() + within
    while True:
        value = condition()
        holds = await value if isinstance(value, Awaitable) else value
        if holds:
            return holds
        assert time.monotonic() < until, f"not within {within} s: {what}"
        await asyncio.sleep(0.005)
