import type { ServerAnswer } from "./errors.js";

/** A scope that may stand in a message: no key looks like one. */
const SCOPE = /^(?=.{1,64}$)[a-z][a-z0-9_-]*:[a-z0-9_*-]+$/;

/** What an answer means that is none, and what to look at. Nothing of it but the status, the code and the pointers is the server's text. */
export function meaningOf({ status = 0, code, pointers = [] }: ServerAnswer, scope: string | undefined): string {
  const answer = code === undefined ? String(status) : `${status} ${code}`;
  const own = `the service's own key (TIGERTRUST_API_KEY or apiKey) was refused: ${answer}`;
  if (status === 401) return `${own}; is it a key of this server, and neither revoked nor expired?`;
  if (status === 403) return `${own}; is it an agent key, and does it hold keys:verify?`;
  if (status === 400) return `the server does not know what was asked: ${answer}${wrongIn(pointers, scope)}`;
  if (status === 404) return `it answered ${answer}; is the address (TIGERTRUST_URL or url) that of a TigerTrust server?`;
  if (status === 429) return `the service verifies more than its own key may: ${answer}`;
  if (status >= 300 && status < 400) return `it answered ${answer}, and is not followed elsewhere; is the address (TIGERTRUST_URL or url) right?`;
  return `it answered ${answer}`;
}

function wrongIn(pointers: readonly string[], scope: string | undefined): string {
  if (pointers.length === 0) return "";
  const where = ` at ${pointers.join(", ")}`;
  if (!pointers.includes("/scope") || scope === undefined) return where;
  return SCOPE.test(scope) ? `${where}: is the scope ${scope} in its catalogue?` : `${where}: a scope is written as certificates:read is`;
}
