import { createHash, verify } from "node:crypto";

import type { Api } from "./api.js";
import type { Changes } from "./changes.js";
import { type Claims, readClaims } from "./claims.js";
import type { Feed } from "./feed.js";
import { KeySet, type SigningKey } from "./key-set.js";
import type { Question } from "./question.js";
import type { Reach } from "./reach.js";
import { Recent } from "./recent.js";
import { grants } from "./scope.js";
import type { Checked } from "./settings.js";
import { type Token, readToken } from "./token-format.js";
import { type RefusedVerdict, type ValidVerdict, type Verdict, MALFORMED_TOKEN, freeze } from "./verdict.js";
import type { Warnings } from "./warnings.js";

/** By how much the clocks of machines may differ. */
const SKEW_SECONDS = 60;
/** No token is issued for longer. */
const LONGEST_LIFE_SECONDS = 900;
const SCOPE = /^(?=.{1,64}$)[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*$/;

const NOT_SIGNED: RefusedVerdict = Object.freeze({
  valid: false,
  code: "UNAUTHORIZED",
  detail: "The token was not issued by this server, or has been tampered with.",
});
const WORKSPACES = "The workspace in X-Workspace-ID does not exist or is not one of the caller's.";

/** A token whose signature was good, and under which key. */
interface Signed {
  x: string;
  /** `undefined` if they are not such as are known here. */
  claims: Claims | undefined;
  verdict: ValidVerdict | undefined;
}

/** Verifies short-lived tokens without asking, where that can be done: see the handbook, "How a token is decided upon". */
export class Tokens {
  readonly #changes: Changes;
  readonly #feed: Feed;
  readonly #reach: Reach;
  readonly #warnings: Warnings;
  readonly #issuer: string;
  readonly #keys: KeySet;
  readonly #signed: Recent<Signed>;

  constructor(api: Api, changes: Changes, feed: Feed, reach: Reach, warnings: Warnings, { issuer, cacheSize }: Checked) {
    this.#changes = changes;
    this.#feed = feed;
    this.#reach = reach;
    this.#warnings = warnings;
    this.#issuer = issuer;
    this.#keys = new KeySet(api);
    this.#signed = new Recent(cacheSize);
  }

  /** What the token is worth; `undefined` where the server has to be asked. */
  async decide(presented: string, question: Question, until: number): Promise<Verdict | undefined> {
    const token = readToken(presented);
    if (!token) return MALFORMED_TOKEN;
    let key = this.#keys.known(token.kid);
    if (!key) {
      await this.#keys.refresh(until);
      key = this.#keys.known(token.kid);
      if (!key) return undefined;
    }
    const signed = this.#signedBy(key, token, presented);
    if (!signed) return NOT_SIGNED;
    // From here on at one moment: nothing can change in between.
    const { claims, verdict } = signed;
    if (claims && claims.issuer !== this.#issuer) this.#tellOfIssuer(claims.issuer);
    const nowMs = Date.now();
    if (!claims || !verdict || !this.#isTimely(claims, nowMs)) return undefined;
    if (claims.expiresAt * 1_000 <= nowMs) return refused(verdict, "TOKEN_EXPIRED", "The API key, or the token of it, is past its expiry.");
    return this.#isKnown(claims, nowMs, until) ? answer(verdict, question) : undefined;
  }

  /** The server has signed it, so that its word about itself can be repeated. */
  #tellOfIssuer(issuer: string): void {
    this.#warnings.once(
      `tokens come from ${issuer}, this client expects ${this.#issuer}, so that the server is asked about each: set TIGERTRUST_ISSUER or issuer`,
      performance.now(),
    );
  }

  #signedBy({ x, key }: SigningKey, token: Token, presented: string): Signed | undefined {
    const digest = createHash("sha256").update(presented).digest("base64");
    const known = this.#signed.get(digest);
    if (known?.x === x) return known;
    if (!verify(null, Buffer.from(token.signed), key, Buffer.from(token.signature, "base64url"))) return undefined;
    const claims = readClaims(token.payload);
    const signed = { x, claims, verdict: claims && verdictOf(claims) };
    this.#signed.set(digest, signed);
    return signed;
  }

  /** Whether this server says that it issued the token, and when that can have been. */
  #isTimely({ issuer, audience, issuedAt, expiresAt }: Claims, nowMs: number): boolean {
    const life = expiresAt - issuedAt;
    const isOurs = issuer === this.#issuer && audience === this.#issuer;
    return isOurs && issuedAt <= nowMs / 1_000 + SKEW_SECONDS && life > 0 && life <= LONGEST_LIFE_SECONDS;
  }

  /** Whether the client knows all that the server would. */
  #isKnown(claims: Claims, nowMs: number, until: number): boolean {
    const { keyId, ownerId, homeWorkspaceId, workspaceId, change, isOnline } = claims;
    const now = performance.now();
    if (isOnline || !this.#feed.isFresh(now)) return false;
    if (!this.#reach.covers([homeWorkspaceId, workspaceId], until)) return false;
    const dependsOn = [keyId, ownerId, homeWorkspaceId, workspaceId].filter((id) => id !== null);
    const ageMs = nowMs - claims.issuedAt * 1_000;
    return this.#changes.haveLeftAlone(dependsOn, change, ageMs, SKEW_SECONDS * 1_000, now);
  }
}

/** What the token is worth for the question; `undefined` where the question is for the server to judge. */
function answer(verdict: ValidVerdict, { type, scope, workspaceId }: Question): Verdict | undefined {
  if (workspaceId != null && verdict.workspaceId === null) return undefined;
  if (scope != null && !SCOPE.test(scope)) return undefined;
  if (type != null && type !== verdict.type) return refused(verdict, "FORBIDDEN", `This needs an API key of type ${type}.`);
  if (workspaceId != null && workspaceId !== verdict.workspaceId) {
    return refused(verdict, "WORKSPACE_ACCESS_DENIED", WORKSPACES);
  }
  if (scope != null && !grants(verdict.scopes, scope)) {
    return refused(verdict, "FORBIDDEN", `This needs the scope ${scope}.`);
  }
  return verdict;
}

function verdictOf(claims: Claims): ValidVerdict {
  const { keyId, keyType, name, externalId, ownerId, homeWorkspaceId, workspaceId, scopes, plan } = claims;
  return freeze({
    valid: true,
    code: "VALID",
    keyId,
    type: keyType,
    name,
    externalId,
    metadata: {},
    ownerId,
    homeWorkspaceId,
    workspaceId,
    scopes: [...scopes],
    expiresAt: new Date(claims.expiresAt * 1_000).toISOString(),
    plan,
    rateLimits: [],
  });
}

function refused(verdict: ValidVerdict, code: string, detail: string): RefusedVerdict {
  const { metadata: _metadata, rateLimits: _rateLimits, ...named } = verdict;
  return freeze({ ...named, valid: false, code, detail, workspaceId: null });
}
