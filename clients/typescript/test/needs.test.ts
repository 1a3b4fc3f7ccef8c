import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { requireKey as forExpress } from "../src/express.js";
import { requireKey as forHono } from "../src/hono.js";
import { type Question, type Settings, TigerTrust } from "../src/index.js";
import { type Key, Server } from "./support/server.js";
import { assertValid, clientOf } from "./support/world.js";

// Programs in JavaScript, and values of type `any`, are held by no types.

const REQUIRE_KEY: Record<string, (...given: unknown[]) => unknown> = {
  Express: (...given) => forExpress(...(given as Parameters<typeof forExpress>)),
  Hono: (...given) => forHono(...(given as Parameters<typeof forHono>)),
};

class Need {
  scope = "certificates:write";
}

/** What asks for nothing, and was meant to ask for something. */
const OF_NO_USE: Record<string, unknown> = {
  "a misspelt member": { scopes: "certificates:write" },
  "a member with a capital letter": { Scope: "certificates:write" },
  "a list of scopes": { scopes: ["certificates:write"] },
  "a list in place of a scope": { scope: ["certificates:write"] },
  "a scope without a value": { scope: undefined },
  "a scope of null": { scope: null },
  "a type without a value": { type: undefined },
  "a text": "certificates:write",
  "a list": ["certificates:write"],
  "a map": new Map([["scope", "certificates:write"]]),
  "an instance of a class": new Need(),
  "a function": () => ({ scope: "certificates:write" }),
  "null": null,
  "undefined": undefined,
};

let server: Server;
let key: Key;

before(async () => {
  server = await Server.start();
  key = await server.createKey({ scopes: ["certificates:read"] });
});
after(() => server.remove());

for (const [framework, requireKey] of Object.entries(REQUIRE_KEY)) {
  describe(`requireKey for ${framework}`, { concurrency: true }, () => {
    for (const [what, options] of Object.entries(OF_NO_USE)) {
      it(`refuses ${what} before a request comes`, async (t) => {
        const { client } = await clientOf(server, t);
        assert.throws(() => requireKey(client, options), TypeError);
      });
    }

    it("refuses what is asked for each request", async (t) => {
      const { client } = await clientOf(server, t);
      assert.throws(() => requireKey(client, { workspaceId: server.workspaceId }), TypeError);
      assert.throws(() => requireKey(client, { clientAddress: "127.0.0.1" }), TypeError);
    });

    it("takes what it knows, and nothing", async (t) => {
      const { client } = await clientOf(server, t);
      requireKey(client);
      requireKey(client, {});
      requireKey(client, Object.assign(Object.create(null), { scope: "certificates:read", type: "agent" }));
      requireKey(client, { scope: "certificates:read", clientAddress: undefined });
      requireKey(client, { clientAddress: () => undefined });
    });
  });
}

describe("the question of verify", { concurrency: true }, () => {
  const more = {
    "a misspelt workspace": { workspaceID: "ws_00000000000000000000000000" },
    "a workspace without a value": { workspaceId: undefined },
    "a workspace of null": { workspaceId: null },
    "an address that is no text": { clientAddress: 7 },
  };
  for (const [what, question] of Object.entries({ ...OF_NO_USE, ...more })) {
    it(`is refused if it is or has ${what}`, async (t) => {
      const { client, proxy } = await clientOf(server, t);
      await assert.rejects(client.verify(key.key, question as Question), TypeError);
      assert.deepEqual(proxy.calls, []);
    });
  }

  it("is refused for what is no key either", async (t) => {
    const { client } = await clientOf(server, t);
    await assert.rejects(client.verify("secret", { scopes: "a:b" } as Question), TypeError);
  });

  it("may be left out, and may have an address that is not known", async (t) => {
    const { client } = await clientOf(server, t);
    assertValid(await client.verify(key.key));
    assertValid(await client.verify(key.key, {}));
    assertValid(await client.verify(key.key, { scope: "certificates:read", clientAddress: undefined }));
    assert.equal((await client.verify(key.key, { scope: "certificates:write" })).valid, false);
  });
});

describe("the settings of a client", () => {
  const url = "http://127.0.0.1:1";

  it("are refused where one is misspelt", () => {
    const good = { url, apiKey: server.instanceKey };
    for (const wrong of [{ apikey: server.instanceKey }, { URL: url }, { lifems: 0 }, { token: "online" }, { lease: 1, leases: 1 }]) {
      assert.throws(() => new TigerTrust({ ...good, ...wrong } as Settings), TypeError);
    }
    for (const wrong of [url, [url], null, new URL(url), () => good]) assert.throws(() => new TigerTrust(wrong as Settings), TypeError);
    // Whether it is one or not: what is undefined here is the environment's to say, or the default.
    assert.throws(() => new TigerTrust({ url: undefined, apikey: "" } as Settings), TypeError);
  });

  it("are told by their names, and a key is not", () => {
    assert.throws(() => new TigerTrust({ apikey: server.instanceKey } as Settings), /"apikey".* url, apiKey, /);
    assert.throws(
      () => new TigerTrust({ [server.instanceKey]: url } as Settings),
      (error) => error instanceof TypeError && !error.message.includes(server.instanceKey),
    );
  });
});
