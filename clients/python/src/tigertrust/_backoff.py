"""Pauses before repetitions."""

import random


def pause(repetition: int, first: float, most: float) -> float:
    """A random pause, up to a bound that doubles each time: exponential backoff with full jitter."""
    return random.random() * min(most, first * 2.0 ** min(repetition, 32))
