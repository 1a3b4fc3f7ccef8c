import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";

import { type Settings, TigerTrust } from "../src/index.js";
import { Server } from "./support/server.js";
import { clientOf, followerOf } from "./support/world.js";

let server: Server;

describe("secrets", { concurrency: true }, () => {
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("are in no error", async (t) => {
    const { key } = await server.createKey();
    const canaries = [key, server.instanceKey, server.agentKey];
    const failures: unknown[] = [];
    const warnings: string[][] = [];
    const failing = async (settings: Settings, trouble: (world: Awaited<ReturnType<typeof clientOf>>) => unknown) => {
      const world = await clientOf(server, t, settings);
      await trouble(world);
      warnings.push(world.warnings);
      failures.push(await world.client.verify(key, { scope: "no:such" }).then(() => assert.fail(), (error: unknown) => error));
    };
    await failing({}, () => {});
    await failing({}, ({ proxy }) => proxy.goDown());
    await failing({}, ({ proxy }) => proxy.breakCalls(9));
    await failing({ deadlineMs: 100 }, ({ proxy }) => proxy.holdAnswers());
    await failing({}, ({ client }) => client.close());
    await failing({}, ({ proxy }) => proxy.answerNext(`HTTP/1.1 200 OK\r\ncontent-length: ${key.length}\r\n\r\n${key}`));
    const echo = JSON.stringify({ code: key, requestId: key, detail: key, errors: [{ pointer: `/${key}` }] });
    await failing({}, ({ proxy }) =>
      proxy.answerNext(`HTTP/1.1 400 ${key}\r\nx-echo: ${key}\r\ncontent-length: ${echo.length}\r\n\r\n${echo}`),
    );
    const refused = await server.cli("key", "create", "--instance", "--name", "no scope");
    await failing({ apiKey: refused["key"] as string }, () => {});
    assert.equal(failures.length, 8);
    assert.equal(warnings.flat().length, 7);
    for (const error of [...failures, ...warnings]) assertSilent(error, [...canaries, refused["key"] as string]);
  });

  it("are not in what a debugger shows of a client", async (t) => {
    const states: string[] = [];
    const { client } = await followerOf(server, t, { onState: (state, why) => states.push(state, why) });
    const { key } = await server.createKey();
    const verdict = await client.verify(key);
    const token = await server.exchange({ id: "", key });
    const ofToken = await client.verify(token);
    const parts = [token, ...token.split("."), JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()).secret];
    for (const thing of [client, verdict, ofToken, states]) assertSilent(thing, [key, server.instanceKey, ...parts]);
  });

  it("are not repeated where settings are wrong", () => {
    const canary = server.instanceKey;
    for (const settings of [
      { url: canary, apiKey: canary },
      { url: `https://${canary}@example.com`, apiKey: canary },
      { url: `https://example.com/?key=${canary}`, apiKey: canary },
      { url: "ftp://example.com", apiKey: canary },
      { url: "https://example.com", apiKey: canary.slice(0, -1) },
      { url: "https://example.com", apiKey: canary, stalenessMs: 1_000 },
      { url: "https://example.com", apiKey: canary, settleMs: 999 },
      { url: "https://example.com", apiKey: canary, lease: 0 },
      { url: "https://example.com", apiKey: canary, deadlineMs: 0 },
      { url: "https://example.com", apiKey: canary, cacheSize: canary as unknown as number },
      { url: "https://example.com", apiKey: canary, issuer: canary },
      { url: "https://example.com", apiKey: canary, issuer: "https://example.com/" },
      { url: "https://example.com", apiKey: canary, tokens: canary as "online" },
      { url: "https://example.com" },
      { apiKey: canary },
    ]) {
      const made = () => new TigerTrust(settings);
      assert.throws(made);
      try {
        made();
      } catch (error) {
        assertSilent(error, [canary, canary.slice(0, -1)]);
      }
    }
  });

  it("come from the environment", async (t) => {
    const world = await clientOf(server, t);
    process.env["TIGERTRUST_URL"] = `${world.proxy.url}/`;
    process.env["TIGERTRUST_API_KEY"] = server.instanceKey;
    const client = new TigerTrust();
    delete process.env["TIGERTRUST_URL"];
    delete process.env["TIGERTRUST_API_KEY"];
    t.after(() => client.close());
    const { key } = await server.createKey();
    assert.equal((await client.verify(key)).valid, true);
  });
});

/** Nothing that anybody would print of it holds one of the canaries. */
function assertSilent(thing: unknown, canaries: string[]): void {
  const shown = [
    inspect(thing, { depth: Infinity, showHidden: true, getters: true }),
    String(thing),
    JSON.stringify(thing) ?? "",
    thing instanceof Error ? `${thing.stack} ${inspect(thing.cause, { depth: Infinity, showHidden: true })}` : "",
  ].join("\n");
  for (const canary of canaries) assert.ok(!shown.includes(canary), shown.replaceAll(canary, "[CANARY]"));
}
