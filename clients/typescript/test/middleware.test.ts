import assert from "node:assert/strict";
import { type RequestListener, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, after, before, describe, it } from "node:test";

import { getRequestListener } from "@hono/node-server";
import express from "express";
import { Hono } from "hono";

import { requireKey as forExpress } from "../src/express.js";
import { type Verified, requireKey as forHono } from "../src/hono.js";
import type { Settings, TigerTrust, ValidVerdict } from "../src/index.js";
import { type Key, Server } from "./support/server.js";
import { Signer } from "./support/signer.js";
import { clientOf } from "./support/world.js";

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
}

const NEED = { scope: "certificates:read" } as const;
const told = (verdict: ValidVerdict | undefined) => ({ keyId: verdict?.keyId, workspaceId: verdict?.workspaceId });

const FRAMEWORKS: Record<string, (client: TigerTrust) => RequestListener> = {
  Express: (client) => {
    const app = express();
    app.get("/", forExpress(client, NEED), (request, response) => void response.json(told(request.tigertrust)));
    return app;
  },
  "a handler of Node.js": (client) => {
    const guard = forExpress(client, NEED);
    return (request, response) =>
      guard(request, response, (error) => {
        assert.equal(error, undefined);
        response.end(JSON.stringify(told((request as { tigertrust?: ValidVerdict }).tigertrust)));
      });
  },
  Hono: (client) => {
    const app = new Hono<Verified>();
    app.get("/", forHono(client, NEED), (context) => context.json(told(context.get("tigertrust"))));
    return getRequestListener(app.fetch);
  },
};

let server: Server;
let key: Key;
let other: Key;

before(async () => {
  server = await Server.start();
  [key, other] = await Promise.all([server.createKey(), server.createKey()]);
});
after(() => server.remove());

for (const [framework, handler] of Object.entries(FRAMEWORKS)) {
  describe(`the middleware for ${framework}`, { concurrency: true }, () => {
    it("lets a valid key in by either header, with its verdict", async (t) => {
      const { get } = await served(t, handler);
      for (const headers of [
        ["X-Agent-API-Key", key.key],
        ["Authorization", `Bearer ${key.key}`],
        ["authorization", `bEaReR  ${key.key}`],
        ["X-Agent-API-Key", key.key, "Authorization", `Bearer ${key.key}`],
        ["X-Agent-API-Key", key.key, "Authorization", "Basic dTpw"],
        ["X-Agent-API-Key", key.key, "Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."],
        ["X-Agent-API-Key", key.key, "X-Workspace-ID", server.workspaceId],
      ]) {
        const { status, body } = await get(headers);
        assert.equal(status, 200, JSON.stringify(body));
        assert.deepEqual(body, { keyId: key.id, workspaceId: server.workspaceId });
      }
    });

    it("takes keys with further prefixes by either header", async (t) => {
      const imported = await server.importKey();
      const { get } = await served(t, handler, { keyPrefixes: ["sk_live_"] });
      for (const headers of [["X-Agent-API-Key", imported.key], ["Authorization", `Bearer ${imported.key}`]]) {
        const { status, body } = await get(headers);
        assert.equal(status, 200, JSON.stringify(body));
        assert.deepEqual(body, { keyId: imported.id, workspaceId: server.workspaceId });
      }
      assertProblem(await get(["Authorization", "Bearer sk_live_short"]), 401, "UNAUTHORIZED");
      const beside = await get(["X-Agent-API-Key", key.key, "Authorization", `Bearer ${imported.key}`]);
      assertProblem(beside, 401, "UNAUTHORIZED");
    });

    it("asks for a key where there is none", async (t) => {
      const { get, proxy } = await served(t, handler);
      for (const headers of [[], ["Authorization", "Basic dTpw"], ["Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."]]) {
        const answer = await get(headers);
        assertProblem(answer, 401, "UNAUTHORIZED");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="tigertrust"');
      }
      assert.deepEqual(proxy.calls, []);
    });

    it("never chooses between two keys", async (t) => {
      const { get, proxy } = await served(t, handler);
      const cut = key.key.slice(0, -1);
      for (const headers of [
        ["X-Agent-API-Key", key.key, "Authorization", `Bearer ${other.key}`],
        ["X-Agent-API-Key", key.key, "X-Agent-API-Key", key.key],
        ["X-Agent-API-Key", key.key, "X-Agent-API-Key", other.key],
        ["Authorization", `Bearer ${key.key}`, "Authorization", `Bearer ${key.key}`],
        ["X-Agent-API-Key", key.key, "Authorization", "Basic dTpw", "Authorization", `Bearer ${other.key}`],
        ["X-Agent-API-Key", key.key, "Authorization", `Bearer ${cut}`],
        ["X-Agent-API-Key", cut],
        ["X-Agent-API-Key", ""],
        ["X-Agent-API-Key", "secret", "Authorization", `Bearer ${key.key}`],
      ]) {
        const answer = await get(headers);
        assertProblem(answer, 401, "UNAUTHORIZED");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="tigertrust", error="invalid_token"');
      }
      assert.deepEqual(proxy.calls, []);
    });

    it("takes a token as a bearer token alone", async (t) => {
      const { get, proxy } = await served(t, handler);
      const token = new Signer().token({});
      // Nobody has signed it whom the server knows.
      assertProblem(await get(["Authorization", `Bearer ${token}`]), 401, "UNAUTHORIZED");
      assert.equal(proxy.verifies.length, 1);
      for (const headers of [
        ["X-Agent-API-Key", token],
        ["X-Agent-API-Key", token, "Authorization", `Bearer ${token}`],
        ["X-Agent-API-Key", key.key, "Authorization", `Bearer ${token}`],
        ["Authorization", `Bearer ${token}`, "Authorization", `Bearer ${token}`],
        ["Authorization", `Bearer ${token.slice(0, -1)}`],
        ["Authorization", `Bearer ${token.slice(0, 64)}`],
      ]) {
        const answer = await get(headers);
        assertProblem(answer, 401, "UNAUTHORIZED");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="tigertrust", error="invalid_token"');
      }
      assert.equal(proxy.verifies.length, 1);
    });

    it("answers a revoked key with 401", async (t) => {
      const { get } = await served(t, handler);
      const revoked = await server.createKey();
      await server.revoke(revoked);
      const answer = await get(["X-Agent-API-Key", revoked.key]);
      assertProblem(answer, 401, "KEY_REVOKED");
      assert.equal(answer.headers["www-authenticate"], 'Bearer realm="tigertrust", error="invalid_token"');
    });

    it("answers a key without the scope with 403", async (t) => {
      const { get } = await served(t, handler);
      const narrow = await server.createKey({ scopes: ["certificates:write"] });
      const answer = await get(["X-Agent-API-Key", narrow.key]);
      assertProblem(answer, 403, "FORBIDDEN");
      assert.equal(answer.headers["www-authenticate"], 'Bearer realm="tigertrust", error="insufficient_scope"');
      assert.match(String(answer.headers["ratelimit-policy"]), /^"minute";q=\d+;w=60, "hour"/);
    });

    it("answers an address that the key may not be used from with 403", async (t) => {
      const { get } = await served(t, handler);
      const [far, near] = await Promise.all([
        server.createKey({ allowedCidrs: ["192.0.2.0/24"] }),
        server.createKey({ allowedCidrs: ["127.0.0.0/8", "::1/128"] }),
      ]);
      const answer = await get(["X-Agent-API-Key", far.key]);
      assertProblem(answer, 403, "FORBIDDEN");
      assert.equal(answer.headers["www-authenticate"], undefined);
      assert.equal((await get(["X-Agent-API-Key", near.key])).status, 200);
    });

    it("answers a workspace that is not the key's with 403", async (t) => {
      const { get } = await served(t, handler);
      const own = ["X-Agent-API-Key", key.key];
      for (const named of [
        ["X-Workspace-ID", "ws_00000000000000000000000000"],
        ["X-Workspace-ID", server.workspaceId, "X-Workspace-ID", server.workspaceId],
      ]) {
        assertProblem(await get([...own, ...named]), 403, "WORKSPACE_ACCESS_DENIED");
      }
    });

    it("answers a key over its limit with 429", async (t) => {
      const { get } = await served(t, handler);
      const busy = await server.createKey({ limits: { minute: 1 } });
      assert.equal((await get(["X-Agent-API-Key", busy.key])).status, 200);
      const answer = await get(["X-Agent-API-Key", busy.key]);
      assertProblem(answer, 429, "RATE_LIMITED");
      assert.deepEqual(answer.body["violatedPolicies"], ["minute"]);
      // It names what is in this answer.
      assert.equal(answer.body["detail"], "The rate limit of the key is reached. Try again after the time in Retry-After.");
      assert.ok(!("retryAfterSeconds" in answer.body));
      assert.match(String(answer.headers["retry-after"]), /^[1-9]\d*$/);
      assert.match(String(answer.headers["ratelimit"]), /^"minute";r=0;t=\d+/);
    });

    it("answers 503 while nobody can say, and whoever runs it is told why", async (t) => {
      const { get, proxy, warnings } = await served(t, handler);
      proxy.goDown();
      const answer = await get(["X-Agent-API-Key", key.key]);
      assertProblem(answer, 503, "SERVICE_UNAVAILABLE");
      assert.equal(answer.headers["retry-after"], "1");
      assert.match(warnings.join("\n"), /^TigerTrust is not available: no answer from http:\/\/127\.0\.0\.1:\d+ \([A-Z_]+\)$/);
    });
  });
}

describe("the middleware for Hono without Node.js", { concurrency: true }, () => {
  it("reads the headers that the Fetch API gives", async (t) => {
    const { client } = await clientOf(server, t);
    const app = new Hono<Verified>();
    app.get("/", forHono(client), (context) => context.json(told(context.get("tigertrust"))));
    const statusOf = async (...headers: [string, string][]) => (await app.request("/", { headers })).status;
    assert.equal(await statusOf(["x-agent-api-key", key.key]), 200);
    assert.equal(await statusOf(["x-agent-api-key", key.key], ["x-agent-api-key", key.key]), 401);
    assert.equal(await statusOf(["authorization", `Bearer ${key.key}`], ["authorization", `Bearer ${key.key}`]), 401);
    assert.equal(
      await statusOf(["x-agent-api-key", key.key], ["authorization", "Basic dTpw"], ["authorization", `Bearer ${other.key}`]),
      401,
    );
  });
});

/** An application behind the middleware, and a way to call it with headers as they are. */
async function served(t: TestContext, handler: (client: TigerTrust) => RequestListener, settings: Settings = {}) {
  const world = await clientOf(server, t, { lease: 1, ...settings });
  const listening = createServer(handler(world.client));
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  t.after(() => listening.close());
  const { port } = listening.address() as AddressInfo;
  const get = (headers: string[]) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, agent: false, headers: ["Host", "127.0.0.1", ...headers] }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) as Answer["body"] }),
        );
      });
      sent.on("error", reject).end();
    });
  return { get, proxy: world.proxy, warnings: world.warnings };
}

function assertProblem({ status, headers, body }: Answer, expected: number, code: string): void {
  assert.equal(status, expected, JSON.stringify(body));
  assert.equal(headers["content-type"], "application/problem+json");
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(body["type"], "about:blank");
  assert.equal(body["status"], expected);
  assert.equal(body["code"], code);
  assert.equal(typeof body["title"], "string");
  assert.equal(typeof body["detail"], "string");
}
