// The figures in docs/src/clients.md: `npm run figures`.

import { setImmediate as turn } from "node:timers/promises";

import { TigerTrust, type Verdict } from "../src/index.js";
import { eventually } from "./support/eventually.js";
import { Server } from "./support/server.js";

const ROUNDS = 5;
const ROUND_MS = 2_000;
const REVOCATIONS = 300;

const server = await Server.start();
const clients: TigerTrust[] = [];
try {
  console.log(`verifies a second, one key, lease 1,000,000: ${await rate(1_000_000)}`);
  console.log(`verifies a second, one token: ${await tokenRate()}`);
  console.log(`verifies a second, each token once: ${await firstTokenRate()}`);
  console.log(`verifies a second, one key, lease 10: ${await rate(10)}`);
  console.log(`verifies a second, nothing remembered: ${await rate(1)}`);
  console.log(`from a revocation's answer to the first refusal, of ${REVOCATIONS}: ${await revocations()}`);
} finally {
  await Promise.all(clients.map((client) => client.close()));
  await server.remove();
}

async function follower(lease: number): Promise<TigerTrust> {
  const client = new TigerTrust({ url: server.url, apiKey: server.instanceKey, lease, stalenessMs: 10_000 });
  clients.push(client);
  client.start();
  await eventually("the client follows", () => lease === 1 || client.state === "following");
  return client;
}

/** The median of some rounds, one call after the other. */
async function rate(lease: number): Promise<string> {
  const client = await follower(lease);
  const { key } = await server.createKey();
  return measured(() => client.verify(key, { scope: "certificates:read" }));
}

/** A token that the client verifies itself, time after time. */
async function tokenRate(): Promise<string> {
  const client = await follower(10);
  const token = await server.exchange(await server.createKey());
  await eventually("tokens are verified here", async () => (await client.verify(token)).rateLimits?.length === 0);
  return measured(() => client.verify(token, { scope: "certificates:read" }));
}

/** Tokens that the client sees for the first time, and checks the signature of. */
async function firstTokenRate(): Promise<string> {
  const client = new TigerTrust({ url: server.url, apiKey: server.instanceKey, cacheSize: 1, stalenessMs: 10_000 });
  clients.push(client);
  client.start();
  const key = await server.createKey();
  const tokens = [await server.exchange(key), await server.exchange(key)] as const;
  await eventually("tokens are verified here", async () => (await client.verify(tokens[0])).rateLimits?.length === 0);
  let turns = 0;
  // One is remembered: of two by turns none is.
  return measured(() => client.verify(tokens[(turns += 1) & 1] ?? "", { scope: "certificates:read" }));
}

async function measured(verify: () => Promise<Verdict>): Promise<string> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    let calls = 0;
    while (performance.now() - began < ROUND_MS) {
      // A server would read its sockets as often.
      await turn();
      for (let call = 0; call < 100; call += 1) if (!(await verify()).valid) throw new Error();
      calls += 100;
    }
    rates.push((calls * 1_000) / (performance.now() - began));
  }
  rates.sort((one, other) => one - other);
  return `${Math.round(rates[ROUNDS >> 1] ?? 0)} (${rates.map(Math.round).join(", ")})`;
}

async function revocations(): Promise<string> {
  const client = await follower(1_000_000);
  const took: number[] = [];
  for (let number = 0; number < REVOCATIONS; number += 1) {
    const key = await server.createKey();
    await client.verify(key.key);
    await server.revoke(key);
    const answered = performance.now();
    while ((await client.verify(key.key)).valid) await turn();
    took.push(performance.now() - answered);
  }
  took.sort((one, other) => one - other);
  const at = (share: number) => `${(took[Math.ceil(share * REVOCATIONS) - 1] ?? 0).toFixed(1)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`;
}
