/** How short-lived tokens are written: JSON Web Tokens that begin with the same bytes, signed with Ed25519. */

/** What every token begins with: `{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-` in base64url. */
const PREFIX = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpZ2VydHJ1c3Qt";
const WELL_FORMED = /^([\w-]{88})\.([\w-]+)\.([\w-]{86})$/;
const HEADER = /^\{"alg":"EdDSA","typ":"at\+jwt","kid":"(tigertrust-[\w-]{16})"\}$/;
/** More than a token with many scopes needs. */
const LONGEST = 8_192;

/** A token that is well formed. What is in it is nobody's word yet. */
export interface Token {
  /** Which key it says that it is signed with. */
  kid: string;
  /** What the signature is of. */
  signed: string;
  /** The claims, in base64url. */
  payload: string;
  /** In base64url. */
  signature: string;
}

/** Whether the value claims to be a token of TigerTrust's. Other JSON Web Tokens do not. */
export function claimsToBeToken(value: unknown): value is string {
  return typeof value === "string" && value.startsWith(PREFIX);
}

/** Takes a token apart; `undefined` if it is malformed or cut short. */
export function readToken(value: string): Token | undefined {
  if (value.length > LONGEST || !claimsToBeToken(value)) return undefined;
  const [, header, payload, signature] = WELL_FORMED.exec(value) ?? [];
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  const kid = HEADER.exec(Buffer.from(header, "base64url").toString("latin1"))?.[1];
  return kid === undefined ? undefined : { kid, signed: `${header}.${payload}`, payload, signature };
}
