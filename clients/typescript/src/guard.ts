import { clientAddress } from "./address.js";
import type { TigerTrust } from "./client.js";
import { NotAvailableError } from "./errors.js";
import { checkMembers, checkTexts } from "./members.js";
import { type HeaderValues, presentedIn } from "./presented.js";
import { type Problem, problemOfError, problemOfRequest, problemOfVerdict } from "./problem.js";
import type { Question } from "./question.js";
import type { ValidVerdict } from "./verdict.js";

/** What callers need: the same for each request. */
export type Need = Pick<Question, "type" | "scope">;

const WHAT = "the options of requireKey";

/** What is to be asked of all requests. Refuses options that do not ask what was meant, before a request comes. */
export function needOf(given: [options?: Need & { clientAddress?: unknown }]): Need {
  if (given.length === 0) return {};
  // What is there and undefined was meant to ask for something.
  const options = given[0] as Need & { clientAddress?: unknown };
  checkMembers(WHAT, options, ["scope", "type", "clientAddress"]);
  checkTexts(WHAT, options, ["scope", "type"]);
  const { type, scope, clientAddress } = options;
  if (clientAddress !== undefined && typeof clientAddress !== "function") {
    throw new TypeError(`clientAddress in ${WHAT} must be a function that finds the address in a request`);
  }
  return { ...(type !== undefined && { type }), ...(scope !== undefined && { scope }) };
}

/** What middleware does with a request: lets it in, or answers it. */
export type Decision = { verdict: ValidVerdict } | { problem: Problem };

/** Decides on a request, whatever framework it came by. */
export async function decide(
  client: TigerTrust,
  need: Need,
  values: HeaderValues,
  address: string | undefined,
): Promise<Decision> {
  const presented = presentedIn(values, client.keyPrefixes);
  if ("refusal" in presented) return { problem: problemOfRequest(presented.refusal) };
  const { key, workspaceId } = presented;
  const question = { ...need, ...(workspaceId !== undefined && { workspaceId }), clientAddress: clientAddress(address) };
  try {
    const verdict = await client.verify(key, question);
    return verdict.valid ? { verdict } : { problem: problemOfVerdict(verdict, question) };
  } catch (error) {
    if (error instanceof NotAvailableError) return { problem: problemOfError(error) };
    throw error;
  }
}
