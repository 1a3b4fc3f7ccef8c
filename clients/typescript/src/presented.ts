import { claimsToBeKey, isKey } from "./key-format.js";
import { claimsToBeToken, readToken } from "./token-format.js";

/** The values of a header, each for itself. */
export type HeaderValues = (name: string) => readonly string[];

/** What a request presents. */
export type Presented = { key: string; workspaceId: string | undefined } | { refusal: Refusal };

/** Why a request is refused without a call. */
export interface Refusal {
  code: "UNAUTHORIZED" | "WORKSPACE_ACCESS_DENIED";
  detail: string;
  isPresented: boolean;
}

const NOTHING: Refusal = {
  code: "UNAUTHORIZED",
  detail: "No credential was presented. Send an API key as X-Agent-API-Key or as Authorization: Bearer.",
  isPresented: false,
};
const MALFORMED: Refusal = {
  code: "UNAUTHORIZED",
  detail: "The credential is malformed or cut short, or more than one was presented: send one key.",
  isPresented: true,
};
const WORKSPACES: Refusal = {
  code: "WORKSPACE_ACCESS_DENIED",
  detail: "The workspace in X-Workspace-ID does not exist or is not one of the caller's.",
  isPresented: true,
};

/** Reads the key of a request by the rules of the server: never a choice between two. */
export function presentedIn(values: HeaderValues, prefixes: readonly string[] = []): Presented {
  const readings = [ownHeader(values("x-agent-api-key"), prefixes), bearer(values("authorization"), prefixes)];
  const keys = new Set(readings.filter((reading) => reading !== "absent"));
  const [key] = keys;
  if (key === undefined) return { refusal: NOTHING };
  if (keys.size > 1 || key === "malformed") return { refusal: MALFORMED };
  const workspaces = values("x-workspace-id");
  return workspaces.length > 1 ? { refusal: WORKSPACES } : { key, workspaceId: workspaces[0] };
}

/** The header is TigerTrust's alone: whatever stands in it must be a key. */
function ownHeader(values: readonly string[], prefixes: readonly string[]): string {
  if (values.length === 0) return "absent";
  return values.length === 1 && isKey(values[0], prefixes) ? values[0] : "malformed";
}

/** Another scheme, or a token that is none of TigerTrust's, belongs to the application. */
function bearer(values: readonly string[], prefixes: readonly string[]): string {
  const [value] = values;
  if (value === undefined) return "absent";
  if (values.length > 1) return "malformed";
  const token = /^bearer (.*)$/is.exec(value)?.[1]?.trim();
  if (token === undefined) return "absent";
  if (claimsToBeToken(token)) return readToken(token) ? token : "malformed";
  if (!claimsToBeKey(token, prefixes)) return "absent";
  return isKey(token, prefixes) ? token : "malformed";
}
