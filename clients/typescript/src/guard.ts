import { clientAddress } from "./address.js";
import type { TigerTrust } from "./client.js";
import { NotAvailableError } from "./errors.js";
import { type HeaderValues, presentedIn } from "./presented.js";
import { type Problem, problemOfError, problemOfRequest, problemOfVerdict } from "./problem.js";
import type { Question } from "./question.js";
import type { ValidVerdict } from "./verdict.js";

/** What callers need: the same for each request. */
export type Need = Pick<Question, "type" | "scope">;

/** What middleware does with a request: lets it in, or answers it. */
export type Decision = { verdict: ValidVerdict } | { problem: Problem };

/** Decides on a request, whatever framework it came by. */
export async function decide(
  client: TigerTrust,
  { type, scope }: Need,
  values: HeaderValues,
  address: string | undefined,
): Promise<Decision> {
  const presented = presentedIn(values, client.keyPrefixes);
  if ("refusal" in presented) return { problem: problemOfRequest(presented.refusal) };
  const { key, workspaceId } = presented;
  const question = { type, scope, workspaceId, clientAddress: clientAddress(address) };
  try {
    const verdict = await client.verify(key, question);
    return verdict.valid ? { verdict } : { problem: problemOfVerdict(verdict, question) };
  } catch (error) {
    if (error instanceof NotAvailableError) return { problem: problemOfError(error) };
    throw error;
  }
}
