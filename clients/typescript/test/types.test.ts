import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";

import { Server } from "./support/server.js";

describe("the types", () => {
  let server: Server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.remove());

  it("are those of the server: npm run types", async () => {
    const folder = new URL("../../", import.meta.url);
    const { typesOf } = (await import(new URL("scripts/types.mjs", folder).href)) as {
      typesOf: (document: unknown) => Promise<string>;
    };
    const document: unknown = await (await fetch(`${server.url}/openapi.json`)).json();
    assert.equal(await typesOf(document), await readFile(new URL("src/openapi.ts", folder), "utf8"));
  });
});
