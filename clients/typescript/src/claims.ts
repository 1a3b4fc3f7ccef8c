/** What a token says, as far as it is asked about here. */
export interface Claims {
  issuer: string;
  audience: string;
  keyId: string;
  /** In seconds since 1970. */
  issuedAt: number;
  /** From when on it is refused, in seconds since 1970. */
  expiresAt: number;
  scopes: readonly string[];
  workspaceId: string | null;
  homeWorkspaceId: string | null;
  ownerId: string | null;
  keyType: "agent" | "public";
  name: string;
  externalId: string | null;
  plan: string | null;
  /** The last change that was known when it was issued. */
  change: number;
  /** Whether the server is to be asked each time. */
  isOnline: boolean;
}

/** Reads the claims of a token whose signature is good; `undefined` if one is missing or not of its type. */
export function readClaims(payload: string): Claims | undefined {
  try {
    const all = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as unknown;
    if (typeof all !== "object" || all === null || Array.isArray(all)) return undefined;
    const claims = all as Record<string, unknown>;
    const scope = text(claims["scope"]);
    text(claims["jti"]);
    text(claims["client_id"]);
    text(claims["secret"]);
    return {
      issuer: text(claims["iss"]),
      audience: text(claims["aud"]),
      keyId: text(claims["sub"]),
      issuedAt: whole(claims["iat"]),
      expiresAt: whole(claims["exp"]),
      scopes: scope === "" ? [] : scope.split(" "),
      workspaceId: textOrAbsent(claims["workspaceId"]),
      homeWorkspaceId: textOrAbsent(claims["homeWorkspaceId"]),
      ownerId: textOrAbsent(claims["ownerId"]),
      keyType: keyType(claims["keyType"]),
      name: text(claims["name"]),
      externalId: textOrAbsent(claims["externalId"]),
      plan: textOrAbsent(claims["plan"]),
      change: whole(claims["change"]),
      isOnline: trueOrAbsent(claims["online"]),
    };
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError();
  return value;
}

function textOrAbsent(value: unknown): string | null {
  return value === undefined ? null : text(value);
}

function whole(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError();
  return value as number;
}

function keyType(value: unknown): "agent" | "public" {
  if (value !== "agent" && value !== "public") throw new TypeError();
  return value;
}

function trueOrAbsent(value: unknown): boolean {
  if (value !== undefined && value !== true) throw new TypeError();
  return value === true;
}
