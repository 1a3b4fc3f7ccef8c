import { createHash } from "node:crypto";

import type { components } from "./openapi.js";

/** What a presented key is to fulfil. */
export interface Question {
  /** The type that it must have. */
  type?: components["schemas"]["KeyType"] | undefined;
  /** The scope that it must hold, such as `certificates:read`. */
  scope?: string | undefined;
  /** The workspace that it is to act in, as the client named it; its home by default. */
  workspaceId?: string | undefined;
  /** The address that it was presented from. A key that is bound to networks is refused without it. */
  clientAddress?: string | undefined;
}

/** Names a key and a question, without telling the key. */
export function digestOf(key: string, { type, scope, workspaceId, clientAddress }: Question): string {
  const asked = JSON.stringify([key, type, scope, workspaceId, clientAddress]);
  return createHash("sha256").update(asked).digest("base64");
}
