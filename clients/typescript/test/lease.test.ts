import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { eventually } from "./support/eventually.js";
import { Server } from "./support/server.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

let server: Server;

describe("the lease", { concurrency: true }, () => {
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("spends the limit of the key", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey({ limits: { minute: 25 } });
    for (let use = 0; use < 25; use += 1) assertValid(await client.verify(key));
    const verdict = await client.verify(key);
    assert.ok(!verdict.valid);
    assert.equal(verdict.code, "RATE_LIMITED");
    assert.deepEqual(verdict.violatedPolicies, ["minute"]);
    assert.ok((verdict.retryAfterSeconds ?? 0) > 0);
    // Two whole leases; then there is no room for a third, and each use is asked for.
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [10, 10, ...Array<number[]>(6).fill([10, 1]).flat()]);
  });

  it("counts no more than one lease early", async (t) => {
    const { client } = await followerOf(server, t);
    const { key } = await server.createKey({ limits: { minute: 100 } });
    for (let use = 1; use <= 25; use += 1) {
      await client.verify(key);
      const spent = 100 - (await remaining(key));
      assert.ok(spent >= use && spent <= use + 9, `${spent} spent after ${use} uses`);
    }
  });

  it("keeps the uses in hand when a verdict is dropped", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey();
    await client.verify(key.key);
    await server.api("PATCH", `/api/keys/${key.id}`, { name: "another name" });
    await eventually("the change came in", () => changed.has(key.id));
    await client.verify(key.key);
    await client.verify(key.key);
    assert.equal(proxy.verifies[0]?.cost, 10);
    assert.deepEqual(new Set(proxy.verifies.slice(1).map(({ cost }) => cost)), new Set([1]));
  });

  it("takes one use for each refusal that costs", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey();
    for (let use = 0; use < 3; use += 1) {
      assert.equal((await client.verify(key, { scope: "certificates:write" })).code, "FORBIDDEN");
    }
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [10, 1, 1]);
  });

  it("is one use where the feed is not followed", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    proxy.cutFeed();
    const { key } = await server.createKey();
    for (let use = 0; use < 3; use += 1) assertValid(await client.verify(key));
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [1, 1, 1]);
  });

  it("serves what is in hand even when the limit is spent", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey({ limits: { minute: 10 } });
    await client.verify(key.key);
    await server.api("PATCH", `/api/keys/${key.id}`, { name: "another name" });
    await eventually("the change came in", () => changed.has(key.id));
    for (let use = 0; use < 9; use += 1) assertValid(await client.verify(key.key));
    assert.equal((await client.verify(key.key)).code, "RATE_LIMITED");
    assert.deepEqual(proxy.verifies.slice(0, 3).map(({ cost }) => cost), [10, 1, 0]);
  });
});

/** What the server has left of the key's minute. */
async function remaining(key: string): Promise<number> {
  const verdict = await server.api("POST", "/api/keys/verify", { key, cost: 0 });
  const [minute] = verdict["rateLimits"] as { remaining: number }[];
  return minute?.remaining ?? assert.fail("the verdict has no limits");
}
