import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { type Settings, TigerTrust, type ValidVerdict, type Verdict } from "../../src/index.js";
import { eventually } from "./eventually.js";
import { Proxy } from "./proxy.js";
import type { Server } from "./server.js";

// So long that a busy machine is not taken for a broken one; tests about these say their own.
const PATIENT = { deadlineMs: 20_000, stalenessMs: 30_000 };

/** A client of a server, with a proxy between them; both go away with the test. */
export async function clientOf(server: Server, t: TestContext, settings: Settings = {}) {
  const proxy = await Proxy.before(server.port);
  const changed = new Set<string>();
  const warnings: string[] = [];
  const client = new TigerTrust({
    url: proxy.url,
    apiKey: server.instanceKey,
    onChange: ({ id }) => id !== undefined && changed.add(id),
    onWarning: (text) => warnings.push(text),
    ...PATIENT,
    ...settings,
  });
  t.after(async () => {
    await client.close();
    await proxy.close();
  });
  return { client, proxy, changed, warnings };
}

/** The same, once the feed is followed. */
export async function followerOf(server: Server, t: TestContext, settings: Settings = {}) {
  const world = await clientOf(server, t, settings);
  world.client.start();
  await eventually("the client follows", () => world.client.state === "following", 30_000);
  return world;
}

export function assertValid(verdict: Verdict): asserts verdict is ValidVerdict {
  assert.equal(verdict.valid, true, JSON.stringify(verdict));
}
