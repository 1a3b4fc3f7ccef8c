import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";

import { NotAvailableError } from "../src/index.js";
import { Server } from "./support/server.js";
import { assertValid, clientOf } from "./support/world.js";

let server: Server;

describe("calls", { concurrency: true }, () => {
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("are not available by the deadline where no answer comes", async (t) => {
    const { client, proxy } = await clientOf(server, t, { deadlineMs: 300 });
    const { key } = await server.createKey();
    proxy.holdAnswers();
    const began = performance.now();
    await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError && error.reason === "deadline");
    const took = performance.now() - began;
    assert.ok(took >= 290 && took < 5_000, `${took} ms`);
  });

  it("are made again where the connection breaks before an answer", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    proxy.breakCalls(2);
    assertValid(await client.verify(key));
    assert.equal(proxy.verifies.length, 3);
  });

  it("are given up after three tries", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    proxy.breakCalls(1_000);
    await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError && error.reason === "network");
    assert.equal(proxy.verifies.length, 3);
  });

  it("are made again after the Retry-After of a 503", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    proxy.answerNext("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n");
    const began = performance.now();
    assertValid(await client.verify(key));
    assert.ok(performance.now() - began >= 990);
    assert.equal(proxy.verifies.length, 2);
  });

  it("are not made again where the deadline leaves no time, or nobody says when", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    for (const retryAfter of ["retry-after: 60\r\n", ""]) {
      const before = proxy.verifies.length;
      proxy.answerNext(`HTTP/1.1 503 Service Unavailable\r\n${retryAfter}content-length: 0\r\n\r\n`);
      await assert.rejects(client.verify(key), (error) => {
        assert.ok(error instanceof NotAvailableError);
        assert.equal(error.status, 503);
        assert.equal(error.retryAfterSeconds, retryAfter ? 60 : 1);
        return true;
      });
      assert.equal(proxy.verifies.length, before + 1);
    }
  });

  it("are not made again where the server refuses them", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    await assert.rejects(client.verify(key, { scope: "no:such" }), (error) => {
      assert.ok(error instanceof NotAvailableError);
      assert.equal(error.status, 400);
      assert.equal(error.code, "VALIDATION_ERROR");
      assert.deepEqual(error.pointers, ["/scope"]);
      assert.match(error.requestId ?? "", /^req_/);
      return true;
    });
    assert.equal(proxy.verifies.length, 1);
  });

  it("do not follow redirects", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    proxy.answerNext(`HTTP/1.1 307 Temporary Redirect\r\nlocation: ${server.url}/api/keys/verify\r\ncontent-length: 0\r\n\r\n`);
    await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError);
    assert.equal(proxy.verifies.length, 1);
  });

  it("take nothing for a verdict that is none", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    for (const body of ["", "{}", '{"valid":true}', '{"valid":"true","code":"VALID"}', '{"valid":true,"code":"VALID"}', "<html>"]) {
      proxy.answerNext(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError && error.reason === "answer");
    }
  });

  it("keep the process alive until they have an outcome", async () => {
    const { key } = await server.createKey();
    const program = `
      import { TigerTrust } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
      const client = new TigerTrust();
      await client.verify(process.env.PRESENTED).catch((error) => console.log(error.reason));
      await client.close();`;
    const environment = { TIGERTRUST_URL: "http://127.0.0.1:1", TIGERTRUST_API_KEY: server.instanceKey, PRESENTED: key };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], { env: environment });
    assert.equal((await run).stdout, "network\n");
  });

  it("fail closed where nobody listens", async (t) => {
    const { client, proxy } = await clientOf(server, t);
    const { key } = await server.createKey();
    proxy.goDown();
    await assert.rejects(client.verify(key), (error) => error instanceof NotAvailableError && error.reason === "network");
  });
});
