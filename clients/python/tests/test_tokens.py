"""Tokens that the tests sign: the server knows none of them, so it refuses each that it is asked about.

What it issues itself is in test_issued.py.
"""

import asyncio
import contextlib
import json
import re
import time
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tigertrust import NotAvailable, ValidVerdict

from .support.eventually import eventually
from .support.server import Server
from .support.signer import Signer, encode, key_set_of
from .support.world import World, Worlds, valid

KEY_ID = "key_01m86fcna0fx895jfx2prsm665"
OTHER_WORKSPACE = "ws_01m86e81hve32sj3vjxvs95yam"
LATER = 2**50
SIGNER = Signer()


def claims(server: Server, **more: object) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": server.url,
        "aud": server.url,
        "sub": KEY_ID,
        "client_id": KEY_ID,
        "jti": "tok_01m86fcna0fx895jfx2prsm665",
        "iat": now,
        "exp": now + 600,
        "scope": "certificates:read orders:*",
        "workspaceId": server.workspace_id,
        "homeWorkspaceId": server.workspace_id,
        "keyType": "agent",
        "name": "a job",
        "plan": "free",
        "change": LATER,
        "secret": "of no use",
    }
    return {name: value for name, value in (usual | more).items() if value is not ...}


@pytest_asyncio.fixture(scope="session", autouse=True)
async def something_before(server: Server) -> None:
    """So that there is a number before the first that a client hears of."""
    await server.revoke(await server.create_key())


async def follower(server: Server, worlds: Worlds, **settings: Any) -> World:
    world = await worlds.follower(**settings)
    world.proxy.key_set = key_set_of(SIGNER)
    first = SIGNER.token(claims(server))

    # The first one waits for word of what the service's own key hears.
    async def is_verified_here() -> bool:
        return (await world.client.verify(first)).valid

    await eventually("tokens are verified here", is_verified_here)
    world.proxy.calls = [call for call in world.proxy.calls if call.path != "/api/keys/verify"]
    return world


def asked(world: World) -> int:
    return len(world.proxy.verifies)


async def is_asked(world: World, token: str, **question: Any) -> bool:
    before = asked(world)
    await world.client.verify(token, **question)
    return asked(world) > before


async def head(server: Server) -> int:
    """The number of the last change."""
    headers = {"Authorization": f"Bearer {server.instance_key}"}
    async with httpx.AsyncClient() as http, http.stream("GET", f"{server.url}/api/changes", headers=headers) as feed:
        async for line in feed.aiter_lines():
            if matched := re.fullmatch(r"id: (\d+)", line):
                return int(matched[1])
    raise AssertionError("the feed did not begin")


async def test_is_verified_without_a_call(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    said = claims(server, externalId="customer-42", ownerId="usr_01m86e81hvfe1863dw5f5bmcn9")
    token = SIGNER.token(said)
    verdict = await world.client.verify(
        token, type="agent", scope="certificates:read", workspace_id=server.workspace_id
    )
    assert verdict == ValidVerdict(
        key_id=KEY_ID,
        type="agent",
        name="a job",
        external_id="customer-42",
        owner_id="usr_01m86e81hvfe1863dw5f5bmcn9",
        home_workspace_id=server.workspace_id,
        workspace_id=server.workspace_id,
        scopes=("certificates:read", "orders:*"),
        expires_at=datetime.fromtimestamp(said["exp"], timezone.utc),
        plan="free",
        rate_limits=(),
        metadata_json="{}",
    )
    assert verdict.metadata == {}
    for _ in range(20):
        valid(await world.client.verify(token))
    assert asked(world) == 0
    assert world.proxy.key_set_fetches == 1


async def test_of_an_instance_key_may_name_no_workspace(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    token = SIGNER.token(claims(server, workspaceId=..., homeWorkspaceId=..., plan=..., scope=""))
    verdict = valid(await world.client.verify(token))
    assert (verdict.home_workspace_id, verdict.workspace_id, verdict.plan, verdict.scopes) == (None, None, None, ())
    assert asked(world) == 0
    # Whether it may act there is the server's to say.
    assert await is_asked(world, token, workspace_id=server.workspace_id)


async def test_is_refused_for_what_it_is_not_good_for_in_the_order_of_the_server(
    server: Server, worlds: Worlds
) -> None:
    world = await follower(server, worlds)
    token = SIGNER.token(claims(server))

    async def said(**question: Any) -> str:
        verdict = await world.client.verify(token, **question)
        assert not verdict.valid
        assert (verdict.key_id, verdict.scopes) == (KEY_ID, ("certificates:read", "orders:*"))
        return f"{verdict.code}: {verdict.detail}"

    another = {"workspace_id": "ws_00000000000000000000000000", "scope": "certificates:write"}
    assert await said(type="public", **another) == "FORBIDDEN: This needs an API key of type public."
    assert (await said(type="agent", **another)).startswith("WORKSPACE_ACCESS_DENIED: ")
    assert await said(scope="certificates:write") == "FORBIDDEN: This needs the scope certificates:write."
    assert (await said(scope="certificate:read")).startswith("FORBIDDEN: ")
    valid(await world.client.verify(token, scope="orders:write"))
    assert asked(world) == 0


async def test_is_refused_without_a_call_if_it_is_malformed_forged_or_expired(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    good = SIGNER.token(claims(server))
    header, payload, signature = good.split(".")

    async def said(token: str) -> str:
        verdict = await world.client.verify(token)
        assert not verdict.valid
        return f"{verdict.code} {verdict.detail}"

    double = f'{{"alg":"EdDSA","typ":"at+jwt","kid":"{SIGNER.kid}","alg":"none"}}'
    short = '{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-short"}'
    for malformed in (
        header,
        f"{header}.{payload}",
        f"{header}..{signature}",
        f"{header}.{payload}.{signature}A",
        f"{header}.{payload}.{signature[1:]}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}=.{signature}",
        f"{good}\n",
        f"{header}.{payload}.{signature[1:]} ",
        f"{header}A.{payload}.{signature}",
        f"{header}.{'A' * 8_192}.{signature}",
        f"{header}.{payload}é.{signature}",
        f"{encode(double.encode())}.{payload}.{signature}",
        f"{encode(short.encode())}.{payload}.{signature}",
    ):
        assert await said(malformed) == "UNAUTHORIZED The token is malformed or cut short.", malformed
    other = encode(json.dumps(claims(server, scope="certificates:*")).encode())
    forged = Signer(SIGNER.kid).token(claims(server))
    for token in (f"{header}.{other}.{signature}", forged, f"{header}.{payload}.{'A' * 86}", f"{header}.A.{signature}"):
        assert await said(token) == "UNAUTHORIZED The token was not issued by this server, or has been tampered with."
    now = int(time.time())
    for exp in (now - 300, now - 1, now):
        expired = SIGNER.token(claims(server, iat=exp - 600, exp=exp, online=True, change=0))
        assert (await said(expired)).startswith("TOKEN_EXPIRED ")
    assert asked(world) == 0
    assert world.proxy.key_set_fetches == 1


async def test_is_asked_about_where_the_client_cannot_know_enough(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    now = int(time.time())
    wrong: list[dict[str, Any]] = [
        {"online": True},
        {"online": False},
        {"change": 0},
        {"change": "1"},
        {"change": 1.5},
        {"change": True},
        {"change": -1},
        {"change": 2**53},
        {"iss": "https://other.example.com"},
        {"aud": [server.url]},
        {"iat": now + 90, "exp": now + 600},
        {"iat": now, "exp": now + 901},
        {"iat": now, "exp": now},
        {"iat": str(now)},
        {"exp": ...},
        {"sub": ...},
        {"jti": 7},
        {"scope": None},
        {"scope": ["certificates:read"]},
        {"name": ...},
        {"keyType": "other"},
        {"keyType": ["agent"]},
        {"workspaceId": None},
        {"ownerId": None},
    ]
    payloads: list[object] = [claims(server, **more) for more in wrong]
    for payload in [*payloads, [], "text", None]:
        before = asked(world)
        verdict = await world.client.verify(SIGNER.token(payload))
        assert verdict.code == "UNAUTHORIZED", payload
        assert asked(world) == before + 1, payload


async def test_is_asked_about_where_a_question_is_for_the_server_to_judge(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    token = SIGNER.token(claims(server))
    for number, scope in enumerate(
        ("certificates:*", "certificates", "Certificates:read", f"a:{'b' * 63}", "a:b\n"), 1
    ):
        with contextlib.suppress(NotAvailable):
            await world.client.verify(token, scope=scope)
        assert asked(world) == number, scope


@pytest.mark.parametrize("settings", [{"tokens": "online"}, {"lease": 1}, {"cache_size": 0}, {"life": 0}])
async def test_is_asked_about_as_a_key_is_if_the_settings_say_so_or_nothing_is_followed(
    server: Server, worlds: Worlds, settings: dict[str, Any]
) -> None:
    world = await worlds.client(**settings)
    world.proxy.key_set = key_set_of(SIGNER)
    assert (await world.client.verify(SIGNER.token(claims(server)))).code == "UNAUTHORIZED"
    assert asked(world) == 1
    assert world.proxy.key_set_fetches == 0


async def test_is_asked_about_where_nothing_can_verify_it(
    server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tigertrust._tokens.CAN_VERIFY", False)
    # One of its own, and none of those that are made ahead.
    world = await worlds.follower(lease=10)
    world.proxy.key_set = key_set_of(SIGNER)
    assert (await world.client.verify(SIGNER.token(claims(server)))).code == "UNAUTHORIZED"
    assert asked(world) == 1
    assert world.proxy.key_set_fetches == 0


async def test_is_asked_about_while_the_feed_is_not_followed_and_not_after_that(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    token = SIGNER.token(claims(server, change=await head(server)))
    world.proxy.cut_feed()
    await eventually("the client has noticed", lambda: world.client.state == "connecting")
    assert await is_asked(world, token)
    world.proxy.restore_feed()
    await eventually("the client follows again", lambda: world.client.state == "following", within=20)
    assert world.proxy.feeds[-1] is not None
    # The history has no gap.
    assert not await is_asked(world, token)


async def test_is_asked_about_once_something_that_it_depends_on_has_changed(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    made = await server.cli("workspace", "create", "of tokens", "--owner", "owner@example.com")
    workspace_id = made["id"]
    person = await server.cli("user", "create", "tokens@example.com")
    await server.cli("member", "add", "--role", "admin", server.workspace_id, "tokens@example.com")
    key = await server.create_key()
    await eventually("the changes until now came in", lambda: person["id"] in world.changed)
    change = await head(server)
    untouched = SIGNER.token(claims(server))
    of_key = SIGNER.token(claims(server, sub=key.id, change=change))
    of_person = SIGNER.token(claims(server, ownerId=person["id"], change=change))
    there = SIGNER.token(claims(server, workspaceId=workspace_id, change=change))
    at_home = SIGNER.token(claims(server, homeWorkspaceId=workspace_id, change=change))
    for token in (untouched, of_key, of_person, there, at_home):
        assert not await is_asked(world, token)
    world.changed.clear()
    await server.revoke(key)
    await eventually("the change came in", lambda: key.id in world.changed)
    assert await is_asked(world, of_key)
    await server.cli("member", "set-role", server.workspace_id, "tokens@example.com", "viewer")
    await eventually("the change came in", lambda: person["id"] in world.changed)
    assert await is_asked(world, of_person)
    await server.cli("workspace", "set-plan", workspace_id, "pro")
    await eventually("the change came in", lambda: workspace_id in world.changed)
    assert await is_asked(world, there)
    assert await is_asked(world, at_home)
    assert not await is_asked(world, untouched)


@pytest.mark.parametrize("event", ["event: reset\ndata: {}", "event: tenant\ndata: {}", "event: key\ndata: {"])
async def test_is_asked_about_if_it_may_be_older_than_a_reset(server: Server, worlds: Worlds, event: str) -> None:
    world = await follower(server, worlds)
    world.proxy.say_on_feed(f"id: 7\n{event}\n\n")

    async def counts() -> bool:
        return await is_asked(world, SIGNER.token(claims(server)))

    await eventually("it counts", counts)
    now = int(time.time())
    assert await is_asked(world, SIGNER.token(claims(server, iat=now + 50, exp=now + 600)))


async def test_is_verified_by_a_workspaces_key_if_it_is_all_of_that_workspace(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds, api_key=server.agent_key)
    assert await is_asked(world, SIGNER.token(claims(server, workspaceId=OTHER_WORKSPACE)))
    assert await is_asked(world, SIGNER.token(claims(server, homeWorkspaceId=OTHER_WORKSPACE)))
    assert await is_asked(world, SIGNER.token(claims(server, workspaceId=...)))
    assert not await is_asked(world, SIGNER.token(claims(server)))


async def test_the_signing_keys_are_fetched_once_for_all_who_wait(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    world.proxy.key_set = key_set_of(SIGNER)
    tokens = [SIGNER.token(claims(server, name=str(number))) for number in range(20)]
    await asyncio.gather(*(world.client.verify(token) for token in tokens))
    assert world.proxy.key_set_fetches == 1


async def test_the_signing_keys_are_not_fetched_again_at_once_for_a_key_that_is_not_among_them(
    server: Server, worlds: Worlds
) -> None:
    world = await follower(server, worlds)
    stranger = Signer("tigertrust-fedcba9876543210")
    for use in range(3):
        assert await is_asked(world, stranger.token(claims(server, use=use)))
    assert world.proxy.key_set_fetches == 1


KEY = SIGNER.jwk


@pytest.mark.parametrize(
    "key_set",
    [
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "no JSON",
        "[]",
        "{}",
        json.dumps({"keys": [None, 7, KEY | {"alg": "RS256"}, KEY | {"use": "enc"}, KEY | {"x": "AAAA"}]}),
        json.dumps({"keys": [KEY], "padding": "x" * 65_536}),
    ],
)
async def test_the_server_is_asked_where_there_are_no_signing_keys(
    server: Server, worlds: Worlds, key_set: str
) -> None:
    world = await worlds.follower()
    world.proxy.key_set = key_set
    for _ in range(2):
        assert await is_asked(world, SIGNER.token(claims(server)))
    assert world.proxy.key_set_fetches == 1


async def test_the_signing_keys_take_half_of_the_deadline_at_the_most(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower(deadline=2.0)
    world.proxy.key_set = key_set_of(SIGNER)
    world.proxy.hold_answers()
    verdict = asyncio.create_task(world.client.verify(SIGNER.token(claims(server))))
    await eventually("the server is asked", lambda: asked(world) == 1)
    world.proxy.release_answers()
    assert (await verdict).code == "UNAUTHORIZED"


async def test_withdrawn_signing_keys_are_good_for_five_minutes_at_the_most(
    server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await follower(server, worlds, deadline=1_000.0)
    ahead = 0.0
    # For the signing keys alone: the feed would take it for a silence.
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead)
    monkeypatch.setattr("tigertrust._key_set.time", later)
    # Another key under the same name.
    successor = Signer(SIGNER.kid)
    world.proxy.key_set = key_set_of(successor)
    old, new = SIGNER.token(claims(server)), successor.token(claims(server))
    valid(await world.client.verify(old))
    assert not (await world.client.verify(new)).valid
    ahead = 301.0
    assert not (await world.client.verify(old)).valid
    assert world.proxy.key_set_fetches == 2
