"""Deadlines, repetitions, and answers that are none."""

import time

import pytest

from tigertrust import NotAvailable

from .support.server import Server
from .support.world import World, Worlds, valid


async def test_are_not_available_by_the_deadline_where_no_answer_comes(server: Server, worlds: Worlds) -> None:
    world = await worlds.client(deadline=0.3)
    key = (await server.create_key()).key
    world.proxy.hold_answers()
    began = time.monotonic()
    assert (await _failure(world, key)).reason == "deadline"
    assert 0.29 <= time.monotonic() - began < 5


async def test_are_made_again_where_the_connection_breaks_before_an_answer(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.break_calls(2)
    valid(await world.client.verify(key))
    assert len(world.proxy.verifies) == 3


async def test_are_given_up_after_three_tries(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.break_calls(1_000)
    assert (await _failure(world, key)).reason == "network"
    assert len(world.proxy.verifies) == 3


async def test_are_made_again_after_the_retry_after_of_a_503(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.answer_next("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n")
    began = time.monotonic()
    valid(await world.client.verify(key))
    assert time.monotonic() - began >= 0.99
    assert len(world.proxy.verifies) == 2


@pytest.mark.parametrize(("header", "seconds"), [("retry-after: 60\r\n", 60), ("", 1)])
async def test_are_not_made_again_where_the_deadline_leaves_no_time_or_nobody_says_when(
    server: Server, worlds: Worlds, header: str, seconds: int
) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.answer_next(f"HTTP/1.1 503 Service Unavailable\r\n{header}content-length: 0\r\n\r\n")
    error = await _failure(world, key)
    assert (error.status, error.retry_after_seconds) == (503, seconds)
    assert len(world.proxy.verifies) == 1


async def test_are_not_made_again_where_the_server_refuses_them(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    with pytest.raises(NotAvailable) as caught:
        await world.client.verify(key, scope="no:such")
    error = caught.value
    assert (error.status, error.code, error.pointers) == (400, "VALIDATION_ERROR", ("/scope",))
    assert (error.request_id or "").startswith("req_")
    assert len(world.proxy.verifies) == 1


async def test_do_not_follow_redirects(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    there = f"{server.url}/api/keys/verify"
    world.proxy.answer_next(f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {there}\r\ncontent-length: 0\r\n\r\n")
    assert (await _failure(world, key)).status == 307
    assert len(world.proxy.verifies) == 1


@pytest.mark.parametrize(
    "body",
    ["", "{}", "[]", '{"valid":true}', '{"valid":"true","code":"VALID"}', '{"valid":true,"code":"VALID"}', "<html>"],
)
async def test_take_nothing_for_a_verdict_that_is_none(server: Server, worlds: Worlds, body: str) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.answer_next(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n{body}")
    assert (await _failure(world, key)).reason == "answer"


async def test_fail_closed_where_nobody_listens(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    world.proxy.go_down()
    assert (await _failure(world, key)).reason == "network"


async def _failure(world: World, key: str) -> NotAvailable:
    with pytest.raises(NotAvailable) as caught:
        await world.client.verify(key)
    return caught.value
