"""A TigerTrust server of one's own, in a folder that goes away with it."""

import asyncio
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from .eventually import eventually

# The program that is tested against: by default what `cargo build` leaves.
_BUILT = Path(__file__).parents[4] / "target" / "debug" / "tigertrust"
PROGRAM = os.environ.get("TIGERTRUST_TEST_SERVER", str(_BUILT))

# Limits that no test reaches but those that are about them.
CONFIG = """
[[rate_limit.plans]]
name = "free"
limits = "20000000/1m,50000000/1h"

[[rate_limit.plans]]
name = "pro"
limits = "50000000/1m,50000000/1h"

[[keys.formats]]
id = "acme-live"
prefix = "sk_live_"
length = 28
type = "agent"
digest = "sha256"
"""
SCOPES = "keys:verify,keys:read,keys:write,workspace:read,workspace:write,certificates:*"


class Key(NamedTuple):
    """A key that was made."""

    id: str
    key: str


class Server:
    """Its command line and its API."""

    def __init__(self) -> None:
        self.port = _free_port()
        # An instance key that may verify, follow, and manage keys and workspaces.
        self.instance_key = ""
        # A key of the workspace that may do the same there.
        self.agent_key = ""
        self.workspace_id = ""
        self._folder = Path(tempfile.mkdtemp(prefix="tigertrust-client-"))
        (self._folder / "config.toml").write_text(CONFIG)
        self._process: asyncio.subprocess.Process | None = None
        self._http = httpx.AsyncClient(timeout=30)

    @staticmethod
    async def start() -> "Server":
        """A new server."""
        server = Server()
        first = json.loads(await server._run("quickstart", "--output", "json"))
        server.agent_key, server.workspace_id = first["agentKey"], first["workspaceId"]
        key = await server.cli("key", "create", "--instance", "--name", "tests", "--scope", SCOPES)
        server.instance_key = key["key"]
        return server

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def restart(self) -> None:
        """Starts it again, over the same data."""
        await self._run("serve")

    async def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    async def remove(self) -> None:
        """Ends it and removes its files."""
        await self._http.aclose()
        await self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def cli(self, *words: str) -> dict[str, Any]:
        """A command line, and what it prints."""
        running = await asyncio.create_subprocess_exec(
            *self._command("--output", "json", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, log = await running.communicate()
        assert running.returncode == 0, log.decode()
        answer: dict[str, Any] = json.loads(printed) if printed.strip() else {}
        return answer

    async def api(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """A request of the API with the instance key, in the workspace."""
        headers = {"Authorization": f"Bearer {self.instance_key}", "X-Workspace-ID": self.workspace_id}
        response = await self._http.request(method, self.url + path, json=body, headers=headers)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    async def create_key(self, **more: object) -> Key:
        """A key of the workspace."""
        key = {"name": "a key", "type": "agent", "scopes": ["certificates:read"], **more}
        made = await self.api("POST", "/api/keys", key)
        return Key(made["id"], made["key"])

    async def import_key(self) -> Key:
        """A key that was made elsewhere, and imported by its SHA-256."""
        key = f"sk_live_{secrets.token_hex(10)}"
        digest = hashlib.sha256(key.encode()).hexdigest()
        body = {"keys": [{"hash": digest, "name": "imported", "scopes": ["certificates:read"]}]}
        made = (await self.api("POST", "/api/keys/import", body))["results"][0]
        assert made["status"] == "created", made
        return Key(made["id"], key)

    async def revoke(self, key: Key) -> None:
        """Revokes it."""
        await self.api("POST", f"/api/keys/{key.id}/revoke", {})

    async def exchange(self, key: Key, **asked: object) -> str:
        """A short-lived token for the key."""
        headers = {"X-Agent-API-Key": key.key}
        response = await self._http.post(f"{self.url}/api/tokens", json=asked, headers=headers)
        assert response.status_code == 201, response.text
        token: str = response.json()["token"]
        return token

    def add_signing_key(self) -> None:
        """Gives the server, which must be down, another key to sign with; the old ones stay good."""
        file = self._folder / "keyring.toml"
        entry = f'[[signing_keys]]\nid = "added"\nsecret = "{secrets.token_urlsafe(32)}"\n\n'
        file.write_text(file.read_text().replace("[[signing_keys]]", f"{entry}[[signing_keys]]", 1))

    def _command(self, *words: str) -> list[str]:
        return [PROGRAM, "--config", str(self._folder / "config.toml"), "--data", str(self._folder), *words]

    async def _run(self, command: str, *words: str) -> str:
        """Starts the program, and answers with what it prints until it is ready."""
        printed = self._folder / "printed"
        log = self._folder / "log"
        with printed.open("wb") as output, log.open("wb") as errors:
            self._process = running = await asyncio.create_subprocess_exec(
                *self._command(command, "--listen", f"127.0.0.1:{self.port}", *words), stdout=output, stderr=errors
            )

        async def is_ready() -> bool:
            assert running.returncode is None, f"the server ended: {log.read_text()}"
            try:
                return (await self._http.get(f"{self.url}/readyz")).is_success
            except httpx.TransportError:
                return False

        await eventually("the server is ready", is_ready, within=30)
        return printed.read_text()


def _free_port() -> int:
    """Below the ports that the kernel takes for outgoing connections, and free a moment ago."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
