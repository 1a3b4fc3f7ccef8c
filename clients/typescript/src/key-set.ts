import { type KeyObject, createPublicKey } from "node:crypto";

import type { Api } from "./api.js";

/** A fetched set is used for as long. */
const KEPT_MS = 300_000;
/** From the beginning of one fetch to that of the next, at the least. */
const BETWEEN_MS = 10_000;
/** 32 bytes in base64url. */
const PUBLIC_KEY = /^[\w-]{43}$/;

/** A key that the server signs tokens with. */
export interface SigningKey {
  /** The key itself: the same `kid` is not proof of the same key. */
  x: string;
  key: KeyObject;
}

/** The keys that tokens are verified with (RFC 7517), as the server tells them. */
export class KeySet {
  readonly #api: Api;
  #keys: ReadonlyMap<string, SigningKey> | undefined;
  /** When the keys were asked for, and when a fetch was begun last, on the monotonic clock. */
  #askedAt = -Infinity;
  #begunAt = -Infinity;
  #fetching: Promise<void> | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The key, if it is known. */
  known(kid: string): SigningKey | undefined {
    return performance.now() - this.#askedAt < KEPT_MS ? this.#keys?.get(kid) : undefined;
  }

  /** Fetches the keys, unless that was tried a moment ago. Takes half of the time that is left at the most. */
  async refresh(until: number): Promise<void> {
    const now = performance.now();
    const halfMs = Math.max((until - now) / 2, 0);
    if (!this.#fetching) {
      if (now - this.#begunAt < BETWEEN_MS) return;
      this.#begunAt = now;
      this.#fetching = this.#fetch(now, halfMs).finally(() => (this.#fetching = undefined));
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, halfMs)));
    await Promise.race([this.#fetching, late]);
    clearTimeout(timer);
  }

  async #fetch(askedAt: number, withinMs: number): Promise<void> {
    const keys = readKeySet(await this.#api.keySet(withinMs));
    if (!keys) return;
    this.#keys = keys;
    this.#askedAt = askedAt;
  }
}

/** The keys of a set that count. Others are passed over, as RFC 7517 §5 says. */
function readKeySet(set: unknown): ReadonlyMap<string, SigningKey> | undefined {
  const listed = isObject(set) ? set["keys"] : undefined;
  if (!Array.isArray(listed)) return undefined;
  const keys = new Map<string, SigningKey>();
  for (const entry of listed as unknown[]) {
    if (!isObject(entry)) continue;
    const { kty, crv, alg, use = "sig", kid, x } = entry;
    if (kty !== "OKP" || crv !== "Ed25519" || alg !== "EdDSA" || use !== "sig" || typeof kid !== "string") continue;
    if (typeof x !== "string" || !PUBLIC_KEY.test(x)) continue;
    const key = importKey(x);
    if (key) keys.set(kid, { x, key });
  }
  return keys;
}

/** The key with these bytes; `undefined` on a platform that cannot verify with it. */
function importKey(x: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
