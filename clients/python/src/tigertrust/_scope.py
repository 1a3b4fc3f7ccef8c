"""What scopes permit."""

from collections.abc import Iterable


def grants(scopes: Iterable[str], asked: str) -> bool:
    """Whether one of the scopes is the one that was asked for, or all of its family."""
    return bool({asked, f"{asked.partition(':')[0]}:*"} & set(scopes))
