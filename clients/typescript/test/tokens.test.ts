import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";

import type { Question, Settings } from "../src/index.js";
import { eventually } from "./support/eventually.js";
import { Server } from "./support/server.js";
import { Signer } from "./support/signer.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

// The tokens here are signed by the tests: the server knows none of them, so it refuses each that it is asked about. What it issues itself
// is in issued.test.ts.

const ISSUER = "https://auth.example.com";
const LATER = 2 ** 50;

let server: Server;
const signer = new Signer();

before(async () => {
  server = await Server.start();
  // So that there is something before the first number that a client hears of.
  await server.revoke(await server.createKey());
});
after(() => server.remove());

function claims(more: object = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss: ISSUER,
    aud: ISSUER,
    sub: "key_01m86fcna0fx895jfx2prsm665",
    client_id: "key_01m86fcna0fx895jfx2prsm665",
    jti: "tok_01m86fcna0fx895jfx2prsm665",
    iat: now,
    exp: now + 600,
    scope: "certificates:read orders:*",
    workspaceId: server.workspaceId,
    homeWorkspaceId: server.workspaceId,
    keyType: "agent",
    name: "a job",
    plan: "free",
    change: LATER,
    secret: "of no use",
    ...more,
  };
}

async function follower(t: TestContext, settings: Settings = {}) {
  const world = await followerOf(server, t, { issuer: ISSUER, ...settings });
  world.proxy.keySet = Signer.keySetOf(signer);
  // The first one waits for word of what the service's own key hears.
  const first = signer.token(claims());
  await eventually("tokens are verified here", async () => (await world.client.verify(first)).valid);
  return { ...world, asked: () => world.proxy.verifies.length, askedBefore: world.proxy.verifies.length };
}

describe("a token", { concurrency: true }, () => {
  it("is verified without a call", async (t) => {
    const { client, proxy, asked, askedBefore } = await follower(t);
    const { exp, ...more } = claims({ externalId: "customer-42", ownerId: "usr_01m86e81hvfe1863dw5f5bmcn9" });
    const token = signer.token({ ...more, exp });
    const verdict = await client.verify(token, { type: "agent", scope: "certificates:read", workspaceId: server.workspaceId });
    assertValid(verdict);
    assert.deepEqual(verdict, {
      valid: true,
      code: "VALID",
      keyId: "key_01m86fcna0fx895jfx2prsm665",
      type: "agent",
      name: "a job",
      externalId: "customer-42",
      metadata: {},
      ownerId: "usr_01m86e81hvfe1863dw5f5bmcn9",
      homeWorkspaceId: server.workspaceId,
      workspaceId: server.workspaceId,
      scopes: ["certificates:read", "orders:*"],
      expiresAt: new Date((exp as number) * 1_000).toISOString(),
      plan: "free",
      rateLimits: [],
    });
    for (let use = 0; use < 20; use += 1) assertValid(await client.verify(token));
    assert.equal(asked(), askedBefore);
    assert.equal(proxy.keySetFetches, 1);
    assert.throws(() => (verdict.scopes as string[]).push("certificates:write"), TypeError);
  });

  it("of an instance key may name no workspace", async (t) => {
    const { client, asked, askedBefore } = await follower(t);
    const { workspaceId: _workspaceId, homeWorkspaceId: _home, plan: _plan, ...none } = claims({ scope: "" });
    const verdict = await client.verify(signer.token(none));
    assertValid(verdict);
    assert.deepEqual([verdict.homeWorkspaceId, verdict.workspaceId, verdict.plan], [null, null, null]);
    assert.deepEqual(verdict.scopes, []);
    assert.equal(asked(), askedBefore);
    // Whether it may act there is the server's to say.
    await client.verify(signer.token(none), { workspaceId: server.workspaceId });
    assert.equal(asked(), askedBefore + 1);
  });

  it("is refused for what it is not good for, in the order of the server", async (t) => {
    const { client, asked, askedBefore } = await follower(t);
    const token = signer.token(claims());
    const another = { type: "public", workspaceId: "ws_00000000000000000000000000", scope: "certificates:write" } as const;
    const said = async (question: Question) => {
      const verdict = await client.verify(token, question);
      assert.ok(!verdict.valid);
      assert.equal(verdict.keyId, "key_01m86fcna0fx895jfx2prsm665");
      assert.equal(verdict.workspaceId, null);
      assert.ok(!("rateLimits" in verdict) && !("metadata" in verdict));
      return `${verdict.code}: ${verdict.detail}`;
    };
    assert.equal(await said(another), "FORBIDDEN: This needs an API key of type public.");
    assert.match(await said({ ...another, type: "agent" }), /^WORKSPACE_ACCESS_DENIED: /);
    assert.equal(await said({ scope: "certificates:write" }), "FORBIDDEN: This needs the scope certificates:write.");
    assert.match(await said({ scope: "certificate:read" }), /^FORBIDDEN: /);
    assertValid(await client.verify(token, { scope: "orders:write" }));
    assert.equal(asked(), askedBefore);
  });

  it("is refused without a call if it is malformed, forged or expired", async (t) => {
    const { client, proxy, asked, askedBefore } = await follower(t);
    const good = signer.token(claims());
    const [header, payload, signature] = good.split(".") as [string, string, string];
    const codeOf = async (token: string) => {
      const verdict = await client.verify(token);
      assert.ok(!verdict.valid);
      return `${verdict.code} ${verdict.detail}`;
    };
    const head = (text: string) => Buffer.from(text).toString("base64url");
    for (const malformed of [
      header,
      `${header}.${payload}`,
      `${header}..${signature}`,
      `${header}.${payload}.${signature}A`,
      `${header}.${payload}.${signature.slice(1)}`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}=.${signature}`,
      `${good}\n`,
      `${header}.${payload}.${signature.slice(1)} `,
      `${header}A.${payload}.${signature}`,
      `${header}.${"A".repeat(8_192)}.${signature}`,
      `${head(`{"alg":"EdDSA","typ":"at+jwt","kid":"${signer.kid}","alg":"none"}`)}.${payload}.${signature}`,
      `${head(`{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-short"}`)}.${payload}.${signature}`,
    ]) {
      assert.equal(await codeOf(malformed), "UNAUTHORIZED The token is malformed or cut short.", malformed);
    }
    const other = head(JSON.stringify(claims({ scope: "certificates:*" })));
    const forged = new Signer(signer.kid).token(claims());
    for (const token of [`${header}.${other}.${signature}`, forged, `${header}.${payload}.${"A".repeat(86)}`]) {
      assert.equal(await codeOf(token), "UNAUTHORIZED The token was not issued by this server, or has been tampered with.");
    }
    const now = Math.floor(Date.now() / 1_000);
    for (const exp of [now - 300, now - 1, now]) {
      const expired = signer.token(claims({ iat: exp - 600, exp, online: true, change: 0 }));
      assert.match(await codeOf(expired), /^TOKEN_EXPIRED /);
    }
    assert.equal(asked(), askedBefore);
    assert.equal(proxy.keySetFetches, 1);
  });

  it("is asked about where the client cannot know enough", async (t) => {
    const { client, asked } = await follower(t);
    const now = Math.floor(Date.now() / 1_000);
    const wrong: Record<string, unknown>[] = [
      { online: true },
      { online: false },
      { change: 0 },
      { change: "1" },
      { change: 1.5 },
      { change: -1 },
      { iss: "https://other.example.com" },
      { aud: [ISSUER] },
      { iat: now + 90, exp: now + 600 },
      { iat: now, exp: now + 901 },
      { iat: now, exp: now },
      { iat: `${now}` },
      { exp: undefined },
      { sub: undefined },
      { jti: 7 },
      { scope: null },
      { scope: ["certificates:read"] },
      { name: undefined },
      { keyType: "other" },
      { workspaceId: null },
      { ownerId: null },
    ];
    for (const more of wrong) {
      const before = asked();
      const verdict = await client.verify(signer.token(claims(more)));
      assert.equal(verdict.code, "UNAUTHORIZED", JSON.stringify(more));
      assert.equal(asked(), before + 1, JSON.stringify(more));
    }
    for (const payload of [[], "text"]) {
      const before = asked();
      await client.verify(signer.token(payload as object));
      assert.equal(asked(), before + 1);
    }
  });

  it("is asked about where a question is for the server to judge", async (t) => {
    const { client, asked } = await follower(t);
    const token = signer.token(claims());
    for (const scope of ["certificates:*", "certificates", "Certificates:read", `a:${"b".repeat(63)}`, ""]) {
      const before = asked();
      await client.verify(token, { scope }).catch(() => {});
      assert.equal(asked(), before + 1, scope);
    }
  });

  it("is asked about as a key is, if the settings say so or nothing is followed", async (t) => {
    for (const settings of [{ tokens: "online" }, { lease: 1 }, { cacheSize: 0 }, { lifeMs: 0 }] as const) {
      const { client, proxy } = await clientOf(server, t, { issuer: ISSUER, ...settings });
      proxy.keySet = Signer.keySetOf(signer);
      assert.equal((await client.verify(signer.token(claims()))).code, "UNAUTHORIZED");
      assert.equal(proxy.verifies.length, 1);
      assert.equal(proxy.keySetFetches, 0);
    }
  });

  it("is asked about while the feed is not followed, and not after that", async (t) => {
    const { client, proxy, asked } = await follower(t);
    const token = signer.token(claims({ change: 1 + (await head()) }));
    proxy.cutFeed();
    await eventually("the client has noticed", () => client.state === "connecting");
    let before = asked();
    assert.equal((await client.verify(token)).code, "UNAUTHORIZED");
    assert.equal(asked(), before + 1);
    proxy.restoreFeed();
    await eventually("the client follows again", () => client.state === "following", 20_000);
    assert.match(proxy.feeds.at(-1) ?? "", /^\d+$/);
    before = asked();
    // The history has no gap.
    assertValid(await client.verify(token));
    assert.equal(asked(), before);
  });

  it("is asked about once something that it depends on has changed", async (t) => {
    const { client, changed, asked } = await follower(t);
    const made = await server.cli("workspace", "create", "of tokens", "--owner", "owner@example.com");
    const workspaceId = made["id"] as string;
    const person = await server.cli("user", "create", "tokens@example.com");
    await server.cli("member", "add", "--role", "admin", server.workspaceId, "tokens@example.com");
    const key = await server.createKey();
    const untouched = signer.token(claims());
    await eventually("the changes until now came in", () => changed.has(person["id"] as string));
    const change = await head();
    const tokens = {
      key: signer.token(claims({ sub: key.id, change })),
      person: signer.token(claims({ ownerId: person["id"], change })),
      workspace: signer.token(claims({ workspaceId, change })),
      home: signer.token(claims({ homeWorkspaceId: workspaceId, change })),
    };
    const isAsked = async (token: string) => {
      const before = asked();
      await client.verify(token);
      return asked() > before;
    };
    changed.clear();
    for (const [name, token] of Object.entries(tokens)) assert.equal(await isAsked(token), false, name);
    await server.revoke(key);
    await eventually("the change came in", () => changed.has(key.id));
    assert.equal(await isAsked(tokens.key), true);
    await server.cli("member", "set-role", server.workspaceId, "tokens@example.com", "viewer");
    await eventually("the change came in", () => changed.has(person["id"] as string));
    assert.equal(await isAsked(tokens.person), true);
    await server.cli("workspace", "set-plan", workspaceId, "pro");
    await eventually("the change came in", () => changed.has(workspaceId));
    assert.equal(await isAsked(tokens.workspace), true);
    assert.equal(await isAsked(tokens.home), true);
    assert.equal(await isAsked(untouched), false);
  });

  it("is asked about if it may be older than a reset", async (t) => {
    const { client, proxy, asked } = await follower(t);
    const now = Math.floor(Date.now() / 1_000);
    const isAsked = async (more: object) => {
      const before = asked();
      await client.verify(signer.token(claims(more)));
      return asked() > before;
    };
    for (const event of ["event: reset\ndata: {}", "event: tenant\ndata: {}", "event: key\ndata: {"]) {
      proxy.sayOnFeed(`id: 7\n${event}\n\n`);
      await eventually("it counts", () => isAsked({}));
    }
    assert.equal(await isAsked({ iat: now + 50, exp: now + 600 }), true);
  });

  it("is verified by a workspace's key if it is all of that workspace", async (t) => {
    const { client, asked } = await follower(t, { apiKey: server.agentKey });
    const other = "ws_01m86e81hve32sj3vjxvs95yam";
    const { workspaceId: _workspaceId, ...nowhere } = claims();
    for (const payload of [claims({ workspaceId: other }), claims({ homeWorkspaceId: other }), nowhere]) {
      const before = asked();
      await client.verify(signer.token(payload));
      assert.equal(asked(), before + 1);
    }
    const before = asked();
    assertValid(await client.verify(signer.token(claims())));
    assert.equal(asked(), before);
  });
});

describe("the signing keys", { concurrency: true }, () => {
  it("are fetched once for all who wait, without the service's key", async (t) => {
    const { client, proxy } = await followerOf(server, t, { issuer: ISSUER });
    proxy.keySet = Signer.keySetOf(signer);
    await Promise.all(Array.from({ length: 20 }, (_, number) => client.verify(signer.token(claims({ name: `${number}` })))));
    assert.equal(proxy.keySetFetches, 1);
  });

  it("are not fetched again at once for a key that is not among them", async (t) => {
    const { client, proxy, asked } = await follower(t);
    const stranger = new Signer("tigertrust-fedcba9876543210");
    for (let use = 1; use <= 3; use += 1) {
      const before = asked();
      assert.equal((await client.verify(stranger.token(claims({ use })))).code, "UNAUTHORIZED");
      assert.equal(asked(), before + 1);
    }
    assert.equal(proxy.keySetFetches, 1);
  });

  it("are asked about where there are none", async (t) => {
    const { kty, crv, alg, kid, x } = signer.jwk;
    for (const keySet of [
      "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
      "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
      "no JSON",
      "[]",
      "{}",
      JSON.stringify({ keys: [null, 7, { kty, crv, kid, x }, { kty, crv, alg, kid, x, use: "enc" }, { kty, crv, alg, kid, x: "AAAA" }] }),
      JSON.stringify({ keys: [signer.jwk], padding: "x".repeat(65_536) }),
    ]) {
      const { client, proxy } = await followerOf(server, t, { issuer: ISSUER });
      proxy.keySet = keySet;
      for (let use = 1; use <= 2; use += 1) {
        assert.equal((await client.verify(signer.token(claims()))).code, "UNAUTHORIZED");
        assert.equal(proxy.verifies.length, use);
      }
      assert.equal(proxy.keySetFetches, 1, keySet);
    }
  });

  it("take half of the deadline at the most", async (t) => {
    const { client, proxy } = await followerOf(server, t, { issuer: ISSUER, deadlineMs: 2_000, stalenessMs: 30_000 });
    proxy.keySet = Signer.keySetOf(signer);
    proxy.holdAnswers();
    const verdict = client.verify(signer.token(claims()));
    await eventually("the server is asked", () => proxy.verifies.length === 1);
    proxy.releaseAnswers();
    assert.equal((await verdict).code, "UNAUTHORIZED");
  });
});

/** The number of the last change. */
async function head(): Promise<number> {
  const response = await fetch(`${server.url}/api/changes`, { headers: { authorization: `Bearer ${server.instanceKey}` } });
  const reader = response.body?.getReader();
  const first = Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  return Number(/^id: (\d+)/.exec(first)?.[1] ?? assert.fail("the feed did not begin"));
}
