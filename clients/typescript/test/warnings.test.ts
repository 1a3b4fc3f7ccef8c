import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";

import { NotAvailableError, type Question, type TigerTrust } from "../src/index.js";
import { Warnings } from "../src/warnings.js";
import { type Key, Server } from "./support/server.js";
import { Signer } from "./support/signer.js";
import { assertValid, clientOf, followerOf } from "./support/world.js";

let server: Server;
let key: Key;

before(async () => {
  server = await Server.start();
  key = await server.createKey();
});
after(() => server.remove());

/** Why it is not available. */
async function failure(client: TigerTrust, ...question: [Question?]): Promise<string> {
  const error: unknown = await client.verify(key.key, ...question).then(() => assert.fail("it is available"), (error: unknown) => error);
  assert.ok(error instanceof NotAvailableError);
  return error.message;
}

describe("whoever runs the service is told", { concurrency: true }, () => {
  it("that its own key is not known", async (t) => {
    const apiKey = "ak_00000000000000000000000000000000000000000002PL60u";
    const { client, warnings } = await clientOf(server, t, { apiKey, lease: 1 });
    const why = await failure(client);
    assert.match(why, /the service's own key \(TIGERTRUST_API_KEY or apiKey\) was refused: 401 UNAUTHORIZED; .*revoked/);
    await failure(client);
    assert.deepEqual(warnings, [why]);
  });

  it("that its own key may not verify", async (t) => {
    for (const words of [["--scope", "keys:read"], ["--type", "public", "--scope", "certificates:read"]]) {
      const own = await server.cli("key", "create", "--name", "narrow", "--workspace", server.workspaceId, ...words);
      const { client, warnings } = await clientOf(server, t, { apiKey: own["key"] as string, lease: 1 });
      const why = await failure(client);
      assert.match(why, /the service's own key \(TIGERTRUST_API_KEY or apiKey\) was refused: 403 FORBIDDEN; .*keys:verify/);
      await failure(client);
      assert.deepEqual(warnings, [why]);
    }
  });

  it("that a scope is misspelt, once for each", async (t) => {
    const { client, warnings } = await clientOf(server, t, { lease: 1 });
    const unknown = await failure(client, { scope: "certificates:wirte" });
    assert.match(unknown, /the server does not know what was asked: 400 VALIDATION_ERROR at \/scope: is the scope certificates:wirte in/);
    const malformed = await failure(client, { scope: key.key });
    assert.match(malformed, /does not know what was asked: 400 VALIDATION_ERROR at \/scope: a scope is written as/);
    for (let time = 0; time < 3; time += 1) {
      assertValid(await client.verify(key.key, { scope: "certificates:read" }));
      await failure(client, { scope: "certificates:wirte" });
    }
    assert.deepEqual(warnings, [unknown, malformed]);
  });

  it("that nobody answers, and again when it is something else", async (t) => {
    const { client, proxy, warnings } = await clientOf(server, t, { lease: 1 });
    proxy.answerNext("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    const elsewhere = await failure(client);
    assert.match(elsewhere, /it answered 404; is the address \(TIGERTRUST_URL or url\) that of a TigerTrust server\?/);
    proxy.answerNext("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n");
    const redirected = await failure(client);
    assert.match(redirected, /it answered 302, and is not followed/);
    proxy.answerNext("HTTP/1.1 429 Too Many Requests\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n");
    const tooMuch = await failure(client);
    assert.match(tooMuch, /the service verifies more than its own key may: 429/);
    assertValid(await client.verify(key.key));
    proxy.goDown();
    const down = await failure(client);
    assert.ok(down.includes(`no answer from ${proxy.url} (`));
    assert.deepEqual(warnings, [elsewhere, redirected, tooMuch, down]);
  });

  it("on standard error where nobody else is set to be", async () => {
    const program = `
      import { TigerTrust } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
      const client = new TigerTrust({ lease: 1 });
      for (let time = 0; time < 3; time += 1) await client.verify(process.env.PRESENTED, { scope: "certificates:wirte" }).catch(() => {});
      await client.close();`;
    const environment = { TIGERTRUST_URL: server.url, TIGERTRUST_API_KEY: server.instanceKey, PRESENTED: key.key };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], { env: environment });
    const { stderr } = await run;
    assert.match(stderr, /TigerTrustWarning: TigerTrust is not available: the server does not know what was asked/);
    assert.equal(stderr.match(/certificates:wirte/g)?.length, 1);
  });

  it("whatever the one who is told does", async (t) => {
    const { client, proxy } = await clientOf(server, t, {
      onWarning: () => {
        throw new Error("no");
      },
    });
    proxy.goDown();
    assert.match(await failure(client), /no answer/);
  });

  it("that tokens come from another issuer", async (t) => {
    const signer = new Signer();
    const { client, proxy, warnings } = await followerOf(server, t, { issuer: "https://one.example.com" });
    proxy.keySet = Signer.keySetOf(signer);
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      ...{ iss: "https://other.example.com", aud: "https://other.example.com", iat: now, exp: now + 600 },
      ...{ sub: "key_01m86fcna0fx895jfx2prsm665", client_id: "key_01m86fcna0fx895jfx2prsm665", scope: "certificates:read", keyType: "agent", name: "a job", change: 2 ** 50 },
      ...{ workspaceId: server.workspaceId, homeWorkspaceId: server.workspaceId, secret: "of no use" },
    };
    for (let time = 0; time < 3; time += 1) {
      // The server knows nothing of it.
      assert.equal((await client.verify(signer.token({ ...claims, jti: `tok_${time}` }))).valid, false);
    }
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", /^tokens come from https:\/\/other\.example\.com, this client expects https:\/\/one\.example\.com, .*TIGERTRUST_ISSUER/);
    const good = { ...claims, iss: "https://one.example.com", aud: "https://one.example.com" };
    // Whether it is decided here or by the server, it is of the right issuer.
    await client.verify(signer.token(good));
    assert.equal(warnings.length, 1);
  });
});

describe("a warning", () => {
  it("comes again when its cause has come back, but not within a minute", () => {
    const told: string[] = [];
    const warnings = new Warnings((text) => told.push(text));
    warnings.present("down", 0);
    warnings.present("down", 1e9);
    warnings.past();
    warnings.present("down", 1e9);
    warnings.present("refused", 1e9 + 1);
    warnings.present("down", 1e9 + 2);
    warnings.past();
    warnings.present("down", 1e9 + 59_999);
    warnings.present("refused", 1e9 + 60_001);
    assert.deepEqual(told, ["down", "down", "refused", "refused"]);
    for (let number = 0; number < 1_000; number += 1) {
      warnings.once(`scope ${number}`, 2e9);
      warnings.once(`scope ${number}`, 3e9);
    }
    assert.equal(told.length, 1_004);
  });
});
