// Writes src/openapi.ts from a server's openapi.json: what the client sends and gets, and nothing of the rest, so that it
// changes only when that does.
//
//   npm run types                       # of the server in TIGERTRUST_URL
//   npm run types -- path/or/address    # of a file, or of another address

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import openapi, { astToString } from "openapi-typescript";

const USED = ["VerifyKey", "VerifiedKey", "RateLimit"];

const HEADER = `// Made by \`npm run types\` from the server's openapi.json: do not edit.

`;

/** The module for a document, as text. */
export async function typesOf(document) {
  const all = document.components.schemas;
  const schemas = {};
  const take = (name) => {
    if (name in schemas) return;
    schemas[name] = all[name];
    const text = JSON.stringify(all[name]);
    for (const [, other] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) take(other);
  };
  USED.forEach(take);
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([one], [other]) => (one < other ? -1 : 1)));
  const { openapi: version, info } = document;
  const used = { openapi: version, info, paths: {}, components: { schemas: sorted } };
  return HEADER + astToString(await openapi(used, { emptyObjectsUnknown: true }));
}

async function read(from) {
  if (!/^https?:/.test(from)) return JSON.parse(await readFile(from, "utf8"));
  const address = from.endsWith("/openapi.json") ? from : `${from.replace(/\/$/, "")}/openapi.json`;
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  return response.json();
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  const from = process.argv[2] ?? process.env.TIGERTRUST_URL;
  if (!from) throw new Error("say where the document is, or set TIGERTRUST_URL");
  const target = new URL("../src/openapi.ts", import.meta.url);
  await writeFile(target, await typesOf(await read(from)));
}
