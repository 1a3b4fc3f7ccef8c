"""What is raised when nobody can say what a key is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Reason = Literal["closed", "deadline", "network", "refused", "answer", "changing"]
"""Why nobody can say what a key is worth:

- `closed`: the client was closed.
- `deadline`: there was no answer within the deadline.
- `network`: the server could not be reached, or the connection broke.
- `refused`: the server refused the client's own request; see `status` and `code`.
- `answer`: the answer was none that the client understands.
- `changing`: changes to what the verdict depends on came in faster than it could be asked for.
"""


@dataclass(frozen=True)
class ServerAnswer:
    """What the server said of the client's own request."""

    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    pointers: Sequence[str] = ()
    retry_after_seconds: int | None = None


class NotAvailable(Exception):  # noqa: N818 - the name of the handbook
    """Nobody can say at the moment what the key is worth: let nobody in. It holds nothing of either key."""

    def __init__(self, reason: Reason, what: str, answer: ServerAnswer | None = None) -> None:
        super().__init__(f"TigerTrust is not available: {what}")
        said = answer or ServerAnswer()
        self.reason: Reason = reason
        self.status = said.status
        """The status of the server's answer, if there was one."""
        self.code = said.code
        """The code in it, such as `FORBIDDEN`."""
        self.request_id = said.request_id
        """The id by which the server's log knows the request."""
        self.pointers = tuple(said.pointers)
        """Where the request was not valid, such as `/scope`."""
        self.retry_after_seconds = 1 if said.retry_after_seconds is None else said.retry_after_seconds
        """After how many seconds it is worth while to try again."""
