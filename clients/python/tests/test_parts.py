"""The parts that need no server."""

import math
from datetime import datetime, timezone
from typing import Any

import pytest

from tigertrust import TigerTrust
from tigertrust._changes import Changes
from tigertrust._event_stream import Block, EventStream
from tigertrust._key_format import claims_to_be_key, is_key
from tigertrust._question import Question, digest_of
from tigertrust._verdict import read_verdict


def test_the_format_of_keys_is_prefix_length_alphabet_and_checksum() -> None:
    good = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32"
    assert is_key(good)
    assert is_key("ak_00000000000000000000000000000000000000000002PL60u")
    for place, character in enumerate(good):
        changed = good[:place] + ("y" if character == "x" else "x") + good[place + 1 :]
        assert not is_key(changed), changed
    others: list[Any] = [
        "",
        good + good,
        f" {good}",
        f"{good}\n",
        good.replace("0", "é"),
        None,
        7,
        [good],
        good.encode(),
    ]
    for value in others:
        assert not is_key(value)


def test_keys_have_further_prefixes_where_somebody_says_so() -> None:
    imported = "sk_live_3ZxAkQ9fGhJk7mNpQrSt"
    jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    assert not is_key(imported) and not claims_to_be_key(imported)
    prefixes = ("sk_live_", "")
    for value in (imported, f"{imported}-._~+/=", "a" * 64):
        assert is_key(value, prefixes), value
    for value in ("sk_live_short", f"{imported} ", f"{imported}\n", "sk_live_" + "é" * 20, "sk_live_" + "a" * 513):
        assert not is_key(value, prefixes) and claims_to_be_key(value, prefixes), value
    # What is TigerTrust's own is told by its checksum, whatever other prefixes there are; and a JWT is no key.
    own: list[Any] = ["ak_" + "0" * 49, jwt, "a" * 19, None]
    for value in own:
        assert not is_key(value, prefixes)
    assert not claims_to_be_key(jwt, prefixes)


def test_prefixes_that_cannot_be_are_refused() -> None:
    def made(*prefixes: str) -> TigerTrust:
        key = "ak_00000000000000000000000000000000000000000002PL60u"
        return TigerTrust(url="http://127.0.0.1:1", api_key=key, key_prefixes=prefixes)

    assert made("sk_live_", "").key_prefixes == ("sk_live_", "")
    for wrong in ("a", "ak_x", "ak", "tt_", "eyJh", "sk.", "s" * 33):
        with pytest.raises(ValueError, match="key_prefixes"):
            made(wrong)


TEXT = (
    "\ufeffid: 41\n: following\n\n"
    'id: 42\r\nevent: key\r\ndata: {"id":\r\ndata:1}\r\n\r\n'
    "id\n\nevent: reset\rdata\r\r:\n\n"
)
BLOCKS = [
    Block("41"),
    Block("42", "key", '{"id":\n1}'),
    Block(""),
    Block(None, "reset"),
    Block(),
]


def test_a_stream_of_events_is_read_the_same_however_it_is_cut() -> None:
    content = TEXT.encode()
    for size in range(1, len(content) + 1):
        stream = EventStream()
        blocks = []
        for start in range(0, len(content), size):
            blocks += stream.push(content[start : start + size])[0]
        assert blocks == BLOCKS, f"pieces of {size}"


def test_a_stream_of_events_tells_how_many_lines_were_whole() -> None:
    stream = EventStream()
    assert stream.push(b"id: 4")[1] == 0
    assert stream.push(b"1\n:\n")[1] == 2


def test_a_stream_of_events_ends_where_a_line_does_not() -> None:
    stream = EventStream()
    with pytest.raises(ValueError, match="too long"):
        for _ in range(100):
            stream.push(b"x" * 1_024)


def test_changes_are_kept_as_long_as_they_matter() -> None:
    changes = Changes(1.0)
    changes.note("key_1", 0.1)
    changes.note("key_2", 0.2)
    assert changes.last(["key_1", "usr_1"]) == 0.1
    assert changes.last(["key_1", "key_2"]) == 0.2
    assert changes.last(["usr_1"]) == -math.inf
    changes.note("key_3", 17 * 60 + 0.15)
    assert changes.last(["key_1"]) == -math.inf
    assert changes.last(["key_2"]) == 0.2
    changes.reset(1_100.0)
    assert changes.last([]) == 1_100.0


def test_changes_count_for_everything_where_there_are_too_many() -> None:
    changes = Changes(1.0)
    for number in range(100_001):
        changes.note(f"key_{number}", 5.0)
    assert changes.last(["usr_1"]) == 5.0


SKEW = 60.0


def test_the_history_begins_with_a_number_and_tells_what_has_changed_after_another() -> None:
    changes = Changes(1.0)

    def is_left_alone(number: int, ids: tuple[str, ...] = ("key_1", "ws_1")) -> bool:
        return changes.have_left_alone(ids, number, 0.0, SKEW, 1.0)

    assert not is_left_alone(1_000), "nothing has begun"
    changes.begin(0.0, 40)
    assert not is_left_alone(39)
    assert is_left_alone(40)
    changes.note("key_1", 0.1, 41)
    changes.note("ws_2", 0.2, 42)
    assert not is_left_alone(40)
    assert is_left_alone(41)
    assert is_left_alone(40, ("key_2",))
    changes.note("ws_1", 0.3)
    assert not is_left_alone(1_000), "a change without a number is after all"


def test_the_history_begins_anew_with_a_reset_and_only_for_what_was_issued_clearly_after_it() -> None:
    changes = Changes(1.0)
    changes.begin(0.0, 40)
    changes.reset(100.0, 20)

    def is_left_alone(number: int, issued_at: float) -> bool:
        return changes.have_left_alone(["key_1"], number, 170.0 - issued_at, SKEW, 170.0)

    assert not is_left_alone(50, 99.0)
    assert not is_left_alone(50, 159.0)
    assert is_left_alone(50, 160.0)
    assert not is_left_alone(19, 160.0)


def test_the_history_begins_with_the_next_sign_of_life_where_a_reset_has_no_number() -> None:
    changes = Changes(1.0)
    changes.begin(0.0, 40)
    changes.reset(0.0)
    assert not changes.have_left_alone(["key_1"], 60, 0.0, SKEW, 100.0)
    changes.are_known_up_to(50)
    assert changes.have_left_alone(["key_1"], 60, 0.0, SKEW, 100.0)
    changes.are_known_up_to(70)
    assert changes.have_left_alone(["key_1"], 60, 0.0, SKEW, 100.0)


def test_the_history_counts_what_came_in_clearly_after_the_issue_whatever_its_number() -> None:
    changes = Changes(1.0)
    changes.begin(0.0, 10)
    changes.note("key_1", 100.0, 20)
    assert changes.have_left_alone(["key_1"], 1_000, 160.0, SKEW, 200.0)
    assert not changes.have_left_alone(["key_1"], 1_000, 160.5, SKEW, 200.0)


def test_the_history_begins_no_earlier_than_with_what_it_has_dropped() -> None:
    changes = Changes(1.0)
    changes.begin(0.0, 0)
    changes.note("key_1", 0.0, 7)
    changes.note("key_2", 1_021.0, 8)
    assert not changes.have_left_alone(["key_3"], 6, 0.0, SKEW, 1_100.0)
    assert changes.have_left_alone(["key_3"], 7, 0.0, SKEW, 1_100.0)
    for number in range(9, 100_009):
        changes.note(f"key_{number}", 1_023.0, number)
    assert not changes.have_left_alone(["key_3"], 7, 0.0, SKEW, 1_100.0)
    assert changes.have_left_alone(["key_3"], 8, 0.0, SKEW, 1_100.0)
    assert changes.last(["key_3"]) == -math.inf, "remembered verdicts need what was dropped no more"
    assert changes.last(["key_100008"]) > 0


def test_a_question_is_told_apart_from_every_other() -> None:
    questions = [
        Question(),
        Question(scope="a:b"),
        Question(type="agent"),
        Question(workspace_id="a:b"),
        Question(client_address="a:b"),
        Question(scope="a:b", workspace_id="a:b"),
        Question(scope='","'),
        Question(workspace_id=""),
    ]
    digests = {digest_of(key, question) for question in questions for key in ("one", "two")}
    assert len(digests) == 2 * len(questions)


def test_a_time_is_read_with_any_number_of_digits() -> None:
    answer: dict[str, Any] = {
        "valid": True,
        "code": "VALID",
        "keyId": "key_1",
        "type": "agent",
        "name": "a key",
        "externalId": None,
        "metadata": {},
        "ownerId": None,
        "homeWorkspaceId": None,
        "workspaceId": None,
        "scopes": [],
        "plan": None,
        "rateLimits": [],
    }
    times = {"59Z": 0, "59.5Z": 500_000, "59.123456789Z": 123_456}
    for seconds, micros in times.items():
        verdict = read_verdict(answer | {"expiresAt": f"2030-12-31T23:59:{seconds}"})
        assert verdict is not None
        assert verdict.valid
        assert verdict.expires_at == datetime(2030, 12, 31, 23, 59, 59, micros, tzinfo=timezone.utc)
    for wrong in ("soon", "2030-12-31", "2030-12-31T23:59:59+01:00", 7):
        assert read_verdict(answer | {"expiresAt": wrong}) is None
