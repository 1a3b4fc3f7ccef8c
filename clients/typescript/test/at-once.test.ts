import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { NotAvailableError } from "../src/index.js";
import { eventually } from "./support/eventually.js";
import { Server } from "./support/server.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

let server: Server;

describe("many calls at once", { concurrency: true }, () => {
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("make one call with the same question", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey();
    const verdicts = await Promise.all(Array.from({ length: 10 }, () => client.verify(key)));
    verdicts.forEach((verdict) => assertValid(verdict));
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [10]);
  });

  it("share no more uses than were counted", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const { key } = await server.createKey();
    await Promise.all(Array.from({ length: 25 }, () => client.verify(key)));
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [10, 10, 10]);
  });

  it("share a refusal", async (t) => {
    const { client, proxy } = await followerOf(server, t);
    const key = await server.createKey();
    await server.revoke(key);
    const verdicts = await Promise.all(Array.from({ length: 25 }, () => client.verify(key.key)));
    assert.deepEqual(new Set(verdicts.map(({ code }) => code)), new Set(["KEY_REVOKED"]));
    assert.ok(proxy.verifies.length < 25);
  });

  it("are each counted where nothing is remembered", async (t) => {
    const { client, proxy } = await clientOf(server, t, { lease: 1 });
    const { key } = await server.createKey({ limits: { minute: 20 } });
    const verdicts = await Promise.all(Array.from({ length: 25 }, () => client.verify(key)));
    assert.equal(verdicts.filter(({ valid }) => valid).length, 20);
    assert.equal(proxy.verifies.length, 25);
  });

  it("let in no more than the limit", async (t) => {
    const { client } = await followerOf(server, t);
    const { key } = await server.createKey({ limits: { minute: 47 } });
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => client.verify(key)));
    assert.equal(verdicts.filter(({ valid }) => valid).length, 47);
  });

  it("wait no longer than each one's deadline", async (t) => {
    const { client, proxy } = await followerOf(server, t, { deadlineMs: 500 });
    const { key } = await server.createKey();
    proxy.holdAnswers();
    const began = performance.now();
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => client.verify(key)));
    assert.ok(performance.now() - began < 5_000);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof NotAvailableError);
      assert.equal(outcome.reason.reason, "deadline");
    }
  });

  it("do not serve a look-up that a change has overtaken", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey();
    proxy.holdAnswers();
    const asked = client.verify(key.key);
    await eventually("the server has answered", () => proxy.heldAnswers === 1);
    await server.revoke(key);
    await eventually("the change came in", () => changed.has(key.id));
    proxy.releaseAnswers();
    assert.equal((await asked).code, "KEY_REVOKED");
    assert.equal(proxy.verifies.length, 2);
  });

  it("are not available where changes overtake every look-up", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey();
    proxy.holdAnswers();
    const asked = client.verify(key.key).catch((error: unknown) => error);
    for (let ask = 1; ask <= 3; ask += 1) {
      await eventually("the server has answered", () => proxy.verifies.length === ask && proxy.heldAnswers === 1);
      changed.clear();
      await server.api("PATCH", `/api/keys/${key.id}`, { name: `name ${ask}` });
      await eventually("the change came in", () => changed.has(key.id));
      proxy.releaseAnswers();
      proxy.holdAnswers();
    }
    const error = await asked;
    assert.ok(error instanceof NotAvailableError);
    assert.equal(error.reason, "changing");
    // What is asked again was paid for.
    assert.deepEqual(proxy.verifies.map(({ cost }) => cost), [10, 0, 0]);
  });

  it("do not remember an answer that was asked for within a second of a change", async (t) => {
    const { client, proxy, changed } = await followerOf(server, t);
    const key = await server.createKey();
    await eventually("two calls were made within the second", async () => {
      changed.clear();
      const edited = performance.now();
      await server.api("PATCH", `/api/keys/${key.id}`, { name: "another name" });
      await eventually("the change came in", () => changed.has(key.id));
      const before = proxy.verifies.length;
      assertValid(await client.verify(key.key));
      assertValid(await client.verify(key.key));
      if (performance.now() - edited > 1_000) return false;
      assert.equal(proxy.verifies.length, before + 2);
      return true;
    });
  });
});
