import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { NotAvailableError, type TigerTrust } from "../src/index.js";
import { eventually } from "./support/eventually.js";
import { Server } from "./support/server.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

let server: Server;

describe("verify", { concurrency: true }, () => {
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("tells what a valid key is worth", async (t) => {
    const { client } = await clientOf(server, t);
    const key = await server.createKey({ name: "web", externalId: "customer-42", metadata: { team: { name: "web" } } });
    const verdict = await client.verify(key.key, { type: "agent", scope: "certificates:read", clientAddress: "192.0.2.7" });
    assertValid(verdict);
    assert.equal(verdict.keyId, key.id);
    assert.equal(verdict.name, "web");
    assert.equal(verdict.externalId, "customer-42");
    assert.deepEqual(verdict.metadata, { team: { name: "web" } });
    assert.equal(verdict.workspaceId, server.workspaceId);
    assert.deepEqual(verdict.scopes, ["certificates:read"]);
    assert.equal(verdict.expiresAt, null);
    assert.equal(verdict.rateLimits[0]?.policy, "minute");
  });

  it("tells why a key is refused", async (t) => {
    const { client } = await clientOf(server, t);
    const [revoked, off, bound, known] = await Promise.all([
      server.createKey(),
      server.createKey(),
      server.createKey({ allowedCidrs: ["192.0.2.0/24"] }),
      server.createKey(),
    ]);
    await server.revoke(revoked);
    await server.api("PATCH", `/api/keys/${off.id}`, { active: false });
    const codeOf = async (...question: Parameters<typeof client.verify>) => (await client.verify(...question)).code;
    assert.equal(await codeOf(revoked.key), "KEY_REVOKED");
    assert.equal(await codeOf(off.key), "UNAUTHORIZED");
    assert.equal(await codeOf(bound.key), "FORBIDDEN");
    assert.equal(await codeOf(bound.key, { clientAddress: "192.0.2.1" }), "VALID");
    assert.equal(await codeOf(known.key, { type: "public" }), "FORBIDDEN");
    assert.equal(await codeOf(known.key, { workspaceId: "ws_00000000000000000000000000" }), "WORKSPACE_ACCESS_DENIED");
    assert.equal(await codeOf("ak_00000000000000000000000000000000000000000002PL60u"), "UNAUTHORIZED");
  });

  it("refuses a scope that the key does not hold", async (t) => {
    const { client } = await clientOf(server, t);
    const { key, id } = await server.createKey();
    const verdict = await client.verify(key, { scope: "certificates:write" });
    assert.ok(!verdict.valid);
    assert.equal(verdict.code, "FORBIDDEN");
    assert.equal(verdict.keyId, id);
    assert.match(verdict.detail, /certificates:write/);
  });

  it("refuses what cannot be a key without a call", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    const swapped = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
    for (const value of ["", "ak_", "secret", swapped, key.slice(0, -1), `${key}0`, `${key}\n`, key.replace("ak_", "xk_")]) {
      const verdict = await client.verify(value);
      assert.equal(verdict.code, "UNAUTHORIZED");
    }
    assert.deepEqual(proxy.calls, []);
  });

  it("asks for keys with further prefixes where somebody says so", async (t) => {
    const { key, id } = await server.importKey();
    const plain = await clientOf(server, t);
    assert.equal((await plain.client.verify(key)).code, "UNAUTHORIZED");
    assert.deepEqual(plain.proxy.calls, []);
    const { client, proxy } = await followerOf(server, t, { keyPrefixes: ["sk_live_"] });
    const asked = proxy.calls.length;
    for (const value of ["sk_live_short", "sk_test_3ZxAkQ9fGhJk7mNpQrSt", "ak_short"]) {
      assert.equal((await client.verify(value)).code, "UNAUTHORIZED");
    }
    assert.equal(proxy.calls.length, asked);
    const verdict = await client.verify(key, { scope: "certificates:read" });
    assertValid(verdict);
    assert.equal(verdict.keyId, id);
    await server.revoke({ id, key });
    await eventually("the key is refused", async () => (await client.verify(key, { scope: "certificates:read" })).code === "KEY_REVOKED");
  });

  it("serves a remembered verdict without a call", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey();
    const first = await client.verify(key, { scope: "certificates:read" });
    for (let use = 0; use < 5; use += 1) {
      assert.equal(await client.verify(key, { scope: "certificates:read" }), first);
    }
    assert.equal(proxy.verifies.length, 1);
  });

  it("asks another question about the same key for itself", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey();
    assertValid(await client.verify(key));
    assert.equal((await client.verify(key, { scope: "certificates:write" })).valid, false);
    assert.equal((await client.verify(key, { type: "public" })).valid, false);
    assertValid(await client.verify(key, { clientAddress: "192.0.2.1" }));
    assert.equal(proxy.verifies.length, 4);
  });

  it("does not remember refusals", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey();
    await server.revoke(key);
    await eventually("the change came in", () => changed.has(key.id));
    for (let calls = 1; calls <= 3; calls += 1) {
      assert.equal((await client.verify(key.key)).code, "KEY_REVOKED");
      assert.equal(proxy.verifies.length, calls);
    }
  });

  it("compares the expiry with the time at each use", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key, expiresAt } = await expiringKey(client);
    const verdict = await eventually("the key expires", async () => {
      const began = Date.now();
      const verdict = await client.verify(key);
      assert.ok(!verdict.valid || began < expiresAt.getTime());
      return !verdict.valid && verdict;
    }, 40_000);
    assert.equal(verdict.code, "TOKEN_EXPIRED");
    assert.ok(proxy.verifies.length >= 2);
  });

  it("asks again once a verdict is past its life", async (t) => {
    const { client, proxy } = await followerOf(server, t, { lifeMs: 100 });
    const { key } = await server.createKey();
    await client.verify(key);
    await eventually("the life is over", async () => {
      await client.verify(key);
      return proxy.verifies.length > 1;
    });
  });

  it("forgets the questions that were used least recently", async (t) => {
    const { client, proxy } = await followerOf(server, t, { cacheSize: 2 });
    const [one, two, three] = await Promise.all([server.createKey(), server.createKey(), server.createKey()]);
    for (const { key } of [one, two, one, three, one]) await client.verify(key);
    assert.equal(proxy.verifies.length, 3);
    await client.verify(two.key);
    assert.equal(proxy.verifies.length, 4);
  });

  it("cannot be changed by those who are handed a verdict", async (t) => {
    const { client } = await followerOf(server, t);
    const { key } = await server.createKey({ metadata: { plan: { seats: 1 } } });
    const verdict = await client.verify(key);
    assertValid(verdict);
    assert.throws(() => (verdict.scopes as string[]).push("certificates:write"), TypeError);
    assert.throws(() => Object.assign(verdict.metadata["plan"] as object, { seats: 99 }), TypeError);
  });

  it("remembers verdicts for other workspaces only where it hears of them", async (t) => {
    const made = await server.api("POST", "/api/workspaces", { name: "another", owner: await ownerOf() });
    const workspaceId = made["id"] as string;
    const key = await server.cli("key", "create", "--name", "wide", "--scope", "certificates:read", "--workspace",
      server.workspaceId, "--also-in", workspaceId);
    const presented = key["key"] as string;
    const byInstance = await followerOf(server, t);
    await eventually("it is remembered", async () => {
      const before = byInstance.proxy.verifies.length;
      assertValid(await byInstance.client.verify(presented, { workspaceId }));
      return byInstance.proxy.verifies.length === before;
    });
    const byWorkspace = await followerOf(server, t, { apiKey: server.agentKey });
    await eventually("it has found out", async () => {
      assertValid(await byWorkspace.client.verify(presented, { workspaceId }));
      return byWorkspace.proxy.calls.some(({ path }) => path === "/api/auth/me");
    });
    const before = byWorkspace.proxy.verifies.length;
    for (let use = 0; use < 5; use += 1) assertValid(await byWorkspace.client.verify(presented, { workspaceId }));
    assert.equal(byWorkspace.proxy.verifies.length, before + 5);
    // At home it is told of everything.
    for (let use = 0; use < 5; use += 1) assertValid(await byWorkspace.client.verify(presented));
    assert.equal(byWorkspace.proxy.verifies.length, before + 6);
  });

  it("is not available once it is closed", async (t) => {
    const { client } = await followerOf(server, t);
    const { key } = await server.createKey();
    assertValid(await client.verify(key));
    await client.close();
    assert.equal(client.state, "closed");
    await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError && error.reason === "closed");
  });
});

/** A key that was valid a moment ago, and soon expires: later on a machine that takes its time. */
async function expiringKey(client: TigerTrust): Promise<{ key: string; expiresAt: Date }> {
  for (const life of [500, 2_000, 8_000, 32_000]) {
    const expiresAt = new Date(Date.now() + life);
    const { key } = await server.createKey({ expiresAt: expiresAt.toISOString() });
    if ((await client.verify(key)).valid) return { key, expiresAt };
  }
  return assert.fail("no key lived long enough to be verified");
}

async function ownerOf(): Promise<string> {
  const people = (await server.cli("user", "list"))["items"] as { id: string }[];
  assert.ok(people[0]);
  return people[0].id;
}
