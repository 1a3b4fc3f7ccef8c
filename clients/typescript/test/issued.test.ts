import assert from "node:assert/strict";
import { type TestContext, after, before, describe, it } from "node:test";

import { NotAvailableError, type Question, type Settings } from "../src/index.js";
import { eventually } from "./support/eventually.js";
import { type Key, Server } from "./support/server.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

// Tokens as the server issues them.

let server: Server;

before(async () => {
  server = await Server.start();
});
after(() => server.remove());

let asked = 0;
/** A question that nobody has asked before, so that no remembered verdict answers it. */
const anew = (): Question => ({ clientAddress: `2001:db8::${(asked += 1).toString(16)}` });

/** A client that verifies tokens itself, and what it has asked since. */
async function follower(t: TestContext, of = server, settings: Settings = {}) {
  const world = await followerOf(of, t, { issuer: of.url, ...settings });
  const first = await of.exchange(await of.createKey());
  await eventually("tokens are verified here", async () => {
    const before = world.proxy.verifies.length;
    assertValid(await world.client.verify(first, anew()));
    return world.proxy.verifies.length === before;
  });
  const before = world.proxy.verifies.length;
  return { ...world, asked: () => world.proxy.verifies.length - before };
}

describe("a token that was issued", { concurrency: true }, () => {
  it("is verified without a call, with the server's verdict", async (t) => {
    const { client, asked } = await follower(t);
    const online = (await clientOf(server, t, { tokens: "online" })).client;
    const key = await server.createKey({ name: "web", externalId: "customer-42", scopes: ["certificates:*", "keys:read"] });
    const token = await server.exchange(key, { scopes: ["certificates:*"], expiresInSeconds: 300 });
    const verdict = await client.verify(token, { type: "agent", scope: "certificates:read", workspaceId: server.workspaceId });
    assertValid(verdict);
    assert.equal(asked(), 0);
    const said = await online.verify(token);
    assertValid(said);
    assert.deepEqual(
      { ...verdict, expiresAt: Date.parse(verdict.expiresAt ?? ""), rateLimits: [] },
      { ...said, expiresAt: Date.parse(said.expiresAt ?? ""), rateLimits: [] },
    );
    assert.deepEqual(verdict.scopes, ["certificates:*"]);
  });

  it("is verified without a call by a key of its workspace", async (t) => {
    const { client, asked } = await follower(t, server, { apiKey: server.agentKey });
    for (let use = 0; use < 3; use += 1) {
      assertValid(await client.verify(await server.exchange(await server.createKey())));
    }
    assert.equal(asked(), 0);
  });

  it("of an instance key is verified without a call", async (t) => {
    const { client, asked } = await follower(t);
    const verdict = await client.verify(await server.exchange({ id: "", key: server.instanceKey }));
    assertValid(verdict);
    assert.deepEqual([verdict.homeWorkspaceId, verdict.workspaceId], [null, null]);
    assert.equal(asked(), 0);
  });

  it("is refused once its key is revoked", async (t) => {
    const { client, changed, asked } = await follower(t);
    const key = await server.createKey();
    const token = await server.exchange(key);
    assertValid(await client.verify(token));
    await server.revoke(key);
    await eventually("the change came in", () => changed.has(key.id), 5_000);
    assert.equal((await client.verify(token)).code, "KEY_REVOKED");
    assert.equal(asked(), 1);
  });

  it("is refused as the server refuses it", async (t) => {
    const { client, asked } = await follower(t);
    const online = (await clientOf(server, t, { tokens: "online" })).client;
    const token = await server.exchange(await server.createKey());
    const elsewhere = "ws_00000000000000000000000000";
    const questions: Question[] = [
      { type: "public" },
      { workspaceId: elsewhere },
      { workspaceId: "" },
      { scope: "certificates:write" },
      { scope: "keys:read" },
      { type: "public", workspaceId: elsewhere, scope: "certificates:write" },
      { workspaceId: elsewhere, scope: "certificates:write" },
    ];
    for (const question of questions) {
      const [own, said] = [await client.verify(token, question), await online.verify(token, question)];
      assert.ok(!own.valid && !said.valid);
      const { rateLimits: _rateLimits, metadata: _metadata, expiresAt, ...more } = said;
      const { expiresAt: ownExpiresAt, ...ownMore } = own;
      assert.deepEqual(ownMore, more, JSON.stringify(question));
      assert.equal(Date.parse(ownExpiresAt ?? ""), Date.parse(expiresAt ?? ""));
    }
    assert.equal(asked(), 0);
  });

  it("is asked about if its key is bound to networks", async (t) => {
    const { client, asked } = await follower(t);
    const bound = await server.createKey({ allowedCidrs: ["127.0.0.0/8", "192.0.2.0/24"] });
    const token = await server.exchange(bound);
    assertValid(await client.verify(token, { clientAddress: "192.0.2.1" }));
    assert.equal((await client.verify(token, { clientAddress: "198.51.100.1" })).code, "FORBIDDEN");
    assert.equal(asked(), 2);
    // And remembered, as a key is.
    await eventually("it is remembered", async () => {
      const before = asked();
      assertValid(await client.verify(token, { clientAddress: "192.0.2.1" }));
      return asked() === before;
    });
  });

  it("is good under each key of a ring that was rotated", async (t) => {
    const own = await Server.start();
    t.after(() => own.remove());
    const { client, asked } = await follower(t, own);
    const key = await own.createKey();
    const old = await own.exchange(key);
    assertValid(await client.verify(old));
    await own.kill();
    await own.addSigningKey();
    await eventually("the client has noticed", () => client.state !== "following");
    await assert.rejects(client.verify(old), (error) => error instanceof NotAvailableError && error.reason === "network");
    await own.restart();
    await eventually("the client follows again", () => client.state === "following", 30_000);
    let fresh = old;
    // The server that was killed counts as one that runs for ten seconds, and does not know the new key.
    await eventually("tokens are signed with the new key", async () => {
      fresh = await own.exchange(key);
      return fresh.split(".")[0] !== old.split(".")[0];
    }, 30_000);
    // At first the new key may be unknown for ten seconds, and the server says that it is good.
    await eventually("the new key is known", async () => {
      const before = asked();
      assertValid(await client.verify(fresh));
      return asked() === before;
    }, 20_000);
    const before = asked();
    assertValid(await client.verify(old));
    assert.equal(asked(), before);
  });

  it("is asked about once the database was restored, where the numbers of changes come again", async (t) => {
    const own = await Server.start();
    t.after(() => own.remove());
    const { client, changed, asked } = await follower(t, own);
    const isAsked = async (token: string) => {
      const before = asked();
      const verdict = await client.verify(token);
      return { code: verdict.code, isAsked: asked() > before };
    };
    const key = await own.createKey();
    const restart = async () => {
      await own.restart();
      await eventually("the client follows again", () => client.state === "following", 30_000);
    };
    await own.kill();
    const restore = await own.backUp();
    await restart();
    const others = await Promise.all(Array.from({ length: 5 }, () => own.createKey()));
    for (const other of others) await own.revoke(other);
    const token = await own.exchange(key);
    await eventually("the changes came in", () => others.every(({ id }) => changed.has(id)));
    assert.deepEqual(await isAsked(token), { code: "VALID", isAsked: false });
    await own.kill();
    await eventually("the client has noticed", () => client.state !== "following");
    await restore();
    await restart();
    assert.deepEqual(await isAsked(token), { code: "VALID", isAsked: true });
    // With a number that the token says was known when it was issued.
    await own.revoke(key);
    await eventually("the change came in", () => changed.has(key.id));
    assert.deepEqual(await isAsked(token), { code: "KEY_REVOKED", isAsked: true });
  });

  it("is asked about where the issuer is another, which the environment can say", async (t) => {
    const token = await server.exchange(await server.createKey());
    const isAsked = async ({ client, proxy }: Awaited<ReturnType<typeof followerOf>>, question: Question) => {
      const before = proxy.verifies.length;
      assertValid(await client.verify(token, question));
      return proxy.verifies.length > before;
    };
    const unset = await followerOf(server, t);
    for (const question of [{}, { type: "agent" }] as const) assert.equal(await isAsked(unset, question), true);
    process.env["TIGERTRUST_ISSUER"] = server.url;
    const set = await clientOf(server, t);
    delete process.env["TIGERTRUST_ISSUER"];
    set.client.start();
    await eventually("the client follows", () => set.client.state === "following");
    await eventually("it is verified here", async () => !(await isAsked(set, { ...anew(), workspaceId: server.workspaceId })));
    assert.equal(await isAsked(set, { scope: "certificates:read" }), false);
  });
});

// For itself, since it sets the clock for all that runs beside it.
describe("a token that was issued a while ago", () => {
  it("is refused once it is past its time, without a call", async (t) => {
    const { client, asked } = await follower(t);
    const key: Key = await server.createKey();
    const token = await server.exchange(key, { expiresInSeconds: 300 });
    assertValid(await client.verify(token));
    const now = Date.now;
    t.mock.method(Date, "now", () => now() + 301_000);
    const verdict = await client.verify(token);
    assert.equal(verdict.code, "TOKEN_EXPIRED");
    assert.equal(verdict.keyId, key.id);
    assert.equal(asked(), 0);
  });
});
