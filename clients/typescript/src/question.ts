import { createHash } from "node:crypto";

import { checkMembers, checkTexts } from "./members.js";
import type { components } from "./openapi.js";

/** What a presented key is to fulfil. A part that is there has to have a value: leave out what is not asked for. */
export interface Question {
  /** The type that it must have. */
  type?: components["schemas"]["KeyType"];
  /** The scope that it must hold, such as `certificates:read`. */
  scope?: string;
  /** The workspace that it is to act in, as the client named it; its home by default. */
  workspaceId?: string;
  /** The address that it was presented from. A key that is bound to networks is refused without it. */
  clientAddress?: string | undefined;
}

const WHAT = "the question of verify";
const PARTS = ["type", "scope", "workspaceId", "clientAddress"];
const NEEDED = ["type", "scope", "workspaceId"];

/** Refuses a question that does not ask what was meant. */
export function checkQuestion(question: Question): void {
  if (isGood(question)) return;
  checkMembers(WHAT, question, PARTS);
  checkTexts(WHAT, question, NEEDED);
  // Where it is not known the key has to be good from anywhere.
  if (question.clientAddress !== undefined) checkTexts(WHAT, question, ["clientAddress"]);
}

/** The same for what is usual, without saying what is wrong: many verdicts come from memory, in less time than a look at all that can be. */
function isGood(question: Question): boolean {
  if (typeof question !== "object" || question === null || Object.getPrototypeOf(question) !== Object.prototype) return false;
  for (const part in question) {
    const isKnown = part === "scope" || part === "workspaceId" || part === "type" || part === "clientAddress";
    if (!isKnown || (typeof question[part] !== "string" && (part !== "clientAddress" || question[part] !== undefined))) return false;
  }
  return true;
}

/** Names a key and a question, without telling the key. */
export function digestOf(key: string, { type, scope, workspaceId, clientAddress }: Question): string {
  const asked = JSON.stringify([key, type, scope, workspaceId, clientAddress]);
  return createHash("sha256").update(asked).digest("base64");
}
