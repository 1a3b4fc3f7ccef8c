"""Whoever runs the service is told why keys cannot be checked, once for each cause."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from tigertrust import NotAvailable, TigerTrust
from tigertrust._warnings import Warnings

from .support.server import Key, Server
from .support.signer import Signer, key_set_of
from .support.world import Worlds, valid

SOURCES = Path(__file__).parents[1] / "src"
NOBODYS_KEY = "ak_00000000000000000000000000000000000000000002PL60u"


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    own = [record for record in caplog.records if record.name == "tigertrust"]
    return [record.getMessage() for record in own if record.levelname == "WARNING"]


async def _failure(client: TigerTrust, key: Key, scope: str | None = None) -> str:
    with pytest.raises(NotAvailable) as caught:
        await client.verify(key.key, scope=scope)
    return str(caught.value)


async def test_that_its_own_key_is_not_known(server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture) -> None:
    client = (await worlds.client(api_key=NOBODYS_KEY, lease=1)).client
    key = await server.create_key()
    why = await _failure(client, key)
    assert "the service's own key (TIGERTRUST_API_KEY or api_key) was refused: 401 UNAUTHORIZED; " in why
    assert "revoked" in why
    await _failure(client, key)
    assert _warnings(caplog) == [why]


@pytest.mark.parametrize(
    "words", [("--scope", "keys:read"), ("--type", "public", "--scope", "certificates:read")], ids=["scope", "type"]
)
async def test_that_its_own_key_may_not_verify(
    server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture, words: tuple[str, ...]
) -> None:
    own = await server.cli("key", "create", "--name", "narrow", "--workspace", server.workspace_id, *words)
    client = (await worlds.client(api_key=own["key"], lease=1)).client
    key = await server.create_key()
    why = await _failure(client, key)
    assert "the service's own key (TIGERTRUST_API_KEY or api_key) was refused: 403 FORBIDDEN; " in why
    assert "keys:verify" in why
    await _failure(client, key)
    assert _warnings(caplog) == [why]


async def test_that_a_scope_is_misspelt_once_for_each(
    server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    client = (await worlds.client(lease=1)).client
    key = await server.create_key()
    unknown = await _failure(client, key, "certificates:wirte")
    asked = "the server does not know what was asked: 400 VALIDATION_ERROR at /scope: "
    assert f"{asked}is the scope certificates:wirte in its catalogue?" in unknown
    malformed = await _failure(client, key, key.key)
    assert f"{asked}a scope is written as certificates:read is" in malformed
    for _ in range(3):
        valid(await client.verify(key.key, scope="certificates:read"))
        await _failure(client, key, "certificates:wirte")
    assert _warnings(caplog) == [unknown, malformed]


async def test_that_nobody_answers_and_again_when_it_is_something_else(
    server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    world = await worlds.client(lease=1)
    key = await server.create_key()
    expected = {
        "404 Not Found": "it answered 404; is the address (TIGERTRUST_URL or url) that of a TigerTrust server?",
        "302 Found": "it answered 302, and is not followed elsewhere",
        "429 Too Many Requests": "the service verifies more than its own key may: 429",
    }
    told = []
    for answer, meaning in expected.items():
        world.proxy.answer_next(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n")
        told.append(await _failure(world.client, key))
        assert meaning in told[-1]
    valid(await world.client.verify(key.key))
    world.proxy.go_down()
    told.append(await _failure(world.client, key))
    assert f"no answer from {world.proxy.url} (" in told[-1]
    assert _warnings(caplog) == told


async def test_on_standard_error_where_logging_is_not_set_up(server: Server) -> None:
    key = (await server.create_key()).key
    program = """
import asyncio, contextlib, os
from tigertrust import NotAvailable, TigerTrust

async def main():
    async with TigerTrust(lease=1) as client:
        for _ in range(3):
            with contextlib.suppress(NotAvailable):
                await client.verify(os.environ["PRESENTED"], scope="certificates:wirte")

asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PRESENTED": key}
    environment |= {"TIGERTRUST_URL": server.url, "TIGERTRUST_API_KEY": server.instance_key}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE, env=environment
    )
    _, errors = await running.communicate()
    assert errors.decode().startswith("TigerTrust is not available: the server does not know what was asked")
    assert errors.decode().count("certificates:wirte") == 1


async def test_that_tokens_come_from_another_issuer(
    server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = "https://one.example.com", "https://other.example.com"
    world = await worlds.follower(issuer=one)
    signer, now = Signer(), int(time.time())
    world.proxy.key_set = key_set_of(signer)

    def token(issuer: str, number: int) -> str:
        id = "key_01m86fcna0fx895jfx2prsm665"
        claims = {"iss": issuer, "aud": issuer, "sub": id, "client_id": id, "jti": f"tok_{number}", "iat": now}
        claims |= {"exp": now + 600, "scope": "certificates:read", "keyType": "agent", "name": "a job"}
        claims |= {"workspaceId": server.workspace_id, "homeWorkspaceId": server.workspace_id}
        claims |= {"change": 2**50, "secret": "of no use"}
        return signer.token(claims)

    for number in range(3):
        # The server knows nothing of it.
        assert not (await world.client.verify(token(other, number))).valid
    told = _warnings(caplog)
    assert len(told) == 1, told
    assert told[0].startswith(f"tokens come from {other}, this client expects {one}, ")
    assert "TIGERTRUST_ISSUER" in told[0]

    # Whether it is decided here or by the server, it is of the right issuer.
    await world.client.verify(token(one, 9))
    assert _warnings(caplog) == told


def test_a_warning_comes_again_when_its_cause_has_come_back_but_not_within_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warnings = Warnings()
    warnings.present("down", 0)
    warnings.present("down", 1e6)
    warnings.past()
    warnings.present("down", 1e6)
    warnings.present("refused", 1e6 + 1)
    warnings.present("down", 1e6 + 2)
    warnings.past()
    warnings.present("down", 1e6 + 59.9)
    warnings.present("refused", 1e6 + 61)
    assert _warnings(caplog) == ["down", "down", "refused", "refused"]
    for number in range(1_000):
        warnings.once(f"scope {number}", 2e6)
        warnings.once(f"scope {number}", 3e6)
    assert len(_warnings(caplog)) == 1_004
