import type { components } from "./openapi.js";

type Schemas = components["schemas"];

/** How one window of a key's limits stood when the verdict was asked for. */
export type RateLimit = Schemas["RateLimit"];

/** The key is good for what was asked. */
export type ValidVerdict = Readonly<
  Required<Schemas["VerifiedKey"]> & { valid: true; code: "VALID"; rateLimits: readonly RateLimit[] }
>;

/** The key is refused. It is named where it is one that the service may know of. */
export type RefusedVerdict = Readonly<
  Partial<Schemas["VerifiedKey"]> & {
    valid: false;
    /** The code that the key would get as a caller, such as `KEY_REVOKED`. */
    code: string;
    /** Why, for people. */
    detail: string;
    /** Absent where the key was refused before its limits were asked. */
    rateLimits?: readonly RateLimit[];
    /** The windows that had no room. */
    violatedPolicies?: readonly string[];
    /** After how many seconds the same use would be within the limits. */
    retryAfterSeconds?: number;
  }
>;

/** What a presented key is worth. */
export type Verdict = ValidVerdict | RefusedVerdict;

/** What is said of a value that cannot be a key. */
export const MALFORMED: RefusedVerdict = Object.freeze({
  valid: false,
  code: "UNAUTHORIZED",
  detail: "The API key is malformed or cut short.",
});

/** What is said of a value that claims to be a token and cannot be one. */
export const MALFORMED_TOKEN: RefusedVerdict = Object.freeze({
  valid: false,
  code: "UNAUTHORIZED",
  detail: "The token is malformed or cut short.",
});

/** Reads the server's answer; `undefined` if it has not the form of one. */
export function readVerdict(answer: unknown): Verdict | undefined {
  if (!isObject(answer) || typeof answer["code"] !== "string") return undefined;
  if (answer["valid"] === true) {
    const isWhole =
      answer["code"] === "VALID" &&
      typeof answer["keyId"] === "string" &&
      isTextOrNull(answer["ownerId"]) &&
      isTextOrNull(answer["homeWorkspaceId"]) &&
      isTextOrNull(answer["workspaceId"]) &&
      isTextOrNull(answer["expiresAt"]) &&
      Array.isArray(answer["scopes"]) &&
      Array.isArray(answer["rateLimits"]);
    return isWhole ? (freeze(answer) as ValidVerdict) : undefined;
  }
  if (answer["valid"] === false && typeof answer["detail"] === "string") {
    return freeze(answer) as unknown as RefusedVerdict;
  }
  return undefined;
}

/** The ids of what the verdict depends on: a change to one of them may turn it. */
export function dependenciesOf(verdict: Verdict): string[] {
  const ids = [verdict.keyId, verdict.ownerId, verdict.homeWorkspaceId, verdict.workspaceId];
  return [...new Set(ids.filter((id) => typeof id === "string"))];
}

/** Whether the server has counted the use that it was asked about. */
export function hasSpent(verdict: Verdict): boolean {
  return verdict.valid || (verdict.rateLimits !== undefined && verdict.code !== "RATE_LIMITED");
}

/** One that is remembered is handed out many times, and nobody may change what the others get. */
export function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
