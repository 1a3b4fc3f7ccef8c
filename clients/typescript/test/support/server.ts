import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { eventually } from "./eventually.js";

/** The program that is tested against: by default what `cargo build` leaves. Compiled tests are two folders deeper than the sources. */
const PROGRAM =
  process.env["TIGERTRUST_TEST_SERVER"] ??
  fileURLToPath(new URL("../../../../../target/debug/tigertrust", import.meta.url));

/** Limits that no test reaches but those that are about them. */
const CONFIG = `
[[rate_limit.plans]]
name = "free"
limits = "20000000/1m,50000000/1h"

[[rate_limit.plans]]
name = "pro"
limits = "50000000/1m,50000000/1h"

[[keys.formats]]
id = "acme-live"
prefix = "sk_live_"
length = 28
type = "agent"
digest = "sha256"
`;

export interface Key {
  id: string;
  key: string;
}

/** A TigerTrust server of one's own, in a folder that goes away with it. */
export class Server {
  readonly port: number;
  /** An instance key that may verify, follow, and manage keys and workspaces. */
  instanceKey = "";
  /** A key of the workspace that may do the same there. */
  agentKey = "";
  workspaceId = "";
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  static async start(): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "tigertrust-client-"));
    await writeFile(join(folder, "config.toml"), CONFIG);
    const server = new Server(await freePort(), folder);
    const first = JSON.parse(await server.#run("quickstart", "--output", "json")) as Record<string, string>;
    server.agentKey = first["agentKey"] ?? "";
    server.workspaceId = first["workspaceId"] ?? "";
    const scopes = "keys:verify,keys:read,keys:write,workspace:read,workspace:write,certificates:*";
    server.instanceKey = (await server.cli("key", "create", "--instance", "--name", "tests", "--scope", scopes))["key"] as string;
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it again, over the same data. */
  async restart(): Promise<void> {
    await this.#run("serve");
  }

  async kill(): Promise<void> {
    const running = this.#process;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A command line, and what it prints. */
  async cli(...words: string[]): Promise<Record<string, unknown>> {
    const options = ["--config", join(this.#folder, "config.toml"), "--data", this.#folder, "--output", "json"];
    const { stdout } = await promisify(execFile)(PROGRAM, [...options, ...words]);
    return stdout.trim() === "" ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  }

  /** A request of the API with the instance key, in the workspace. */
  async api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.instanceKey}`,
        "x-workspace-id": this.workspaceId,
        "content-type": "application/json",
      },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  async createKey(more: object = {}): Promise<Key> {
    const key = { name: "a key", type: "agent", scopes: ["certificates:read"], ...more };
    const made = await this.api("POST", "/api/keys", key);
    return { id: made["id"] as string, key: made["key"] as string };
  }

  /** A key that was made elsewhere, and imported by its SHA-256. */
  async importKey(): Promise<Key> {
    const key = `sk_live_${randomBytes(10).toString("hex")}`;
    const hash = createHash("sha256").update(key).digest("hex");
    const body = { keys: [{ hash, name: "imported", scopes: ["certificates:read"] }] };
    const [made] = (await this.api("POST", "/api/keys/import", body))["results"] as { status: string; id: string }[];
    assert.equal(made?.status, "created");
    return { id: made.id, key };
  }

  async revoke(key: Key): Promise<void> {
    await this.api("POST", `/api/keys/${key.id}/revoke`, {});
  }

  /** Keeps a copy of the data of the server, which must be down. Answers with what puts it back. */
  async backUp(): Promise<() => Promise<void>> {
    const copy = `${this.#folder}-copy`;
    await cp(this.#folder, copy, { recursive: true });
    return async () => {
      await rm(this.#folder, { recursive: true });
      await rename(copy, this.#folder);
    };
  }

  /** A short-lived token for the key. */
  async exchange(key: Key, asked: object = {}): Promise<string> {
    const response = await fetch(`${this.url}/api/tokens`, {
      method: "POST",
      headers: { "x-agent-api-key": key.key, "content-type": "application/json" },
      body: JSON.stringify(asked),
    });
    const issued = (await response.json()) as { token: string };
    assert.equal(response.status, 201, JSON.stringify(issued));
    return issued.token;
  }

  /** Gives the server, which must be down, another key to sign with; the old ones stay good. */
  async addSigningKey(): Promise<void> {
    const file = join(this.#folder, "keyring.toml");
    const entry = `[[signing_keys]]\nid = "added"\nsecret = "${randomBytes(32).toString("base64url")}"\n\n`;
    await writeFile(file, (await readFile(file, "utf8")).replace("[[signing_keys]]", `${entry}[[signing_keys]]`));
  }

  /** Starts the program, and answers with the first line that it prints. */
  async #run(command: string, ...words: string[]): Promise<string> {
    const options = ["--config", join(this.#folder, "config.toml"), "--data", this.#folder];
    const running = spawn(PROGRAM, [...options, command, "--listen", `127.0.0.1:${this.port}`, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = running;
    process.once("exit", () => running.kill("SIGKILL"));
    let printed = "";
    let log = "";
    running.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    running.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    running.once("error", (error) => (log += error.message));
    await eventually("the server is ready", async () => {
      assert.equal(running.exitCode, null, `the server ended: ${log}`);
      return fetch(`${this.url}/readyz`).then((response) => response.ok, () => false);
    }, 30_000);
    return printed;
  }
}

/** Below the ports that the kernel takes for outgoing connections, and free a moment ago. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
