import { NotAvailableError } from "./errors.js";
import type { Refusal } from "./presented.js";
import type { Question } from "./question.js";
import { grants } from "./scope.js";
import type { RateLimit, RefusedVerdict } from "./verdict.js";

/** An answer to a request that is not let in: a problem of RFC 9457. */
export interface Problem {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const TITLES: Record<number, string> = {
  401: "Unauthorized",
  403: "Forbidden",
  429: "Too Many Requests",
  503: "Service Unavailable",
};
const NOT_PRESENTED = 'Bearer realm="tigertrust"';

/** What is said to a request that was refused without a call. */
export function problemOfRequest({ code, detail, isPresented }: Refusal): Problem {
  const status = statusOf(code);
  return problem(status, { code, detail }, status === 401 ? challenge(isPresented ? "invalid_token" : undefined) : {});
}

/** What is said to a request whose key is refused. */
export function problemOfVerdict(verdict: RefusedVerdict, { scope }: Question): Problem {
  const { code, detail, violatedPolicies, retryAfterSeconds, rateLimits } = verdict;
  const status = statusOf(code);
  const lacksScope = code === "FORBIDDEN" && scope !== undefined && !grants(verdict.scopes ?? [], scope);
  // The server tells it to the service, in a member that this answer has not.
  const isForAWhile = status === 429 && retryAfterSeconds !== undefined;
  const why = isForAWhile ? "The rate limit of the key is reached. Try again after the time in Retry-After." : detail;
  return problem(status, { code, detail: why, violatedPolicies }, {
    ...(status === 401 && challenge("invalid_token")),
    ...(lacksScope && challenge("insufficient_scope")),
    ...(isForAWhile && { "retry-after": String(retryAfterSeconds) }),
    ...(rateLimits && rateLimits.length > 0 && limits(rateLimits)),
  });
}

/** What is said while nobody can tell what a key is worth. */
export function problemOfError(error: NotAvailableError): Problem {
  const detail = "Keys cannot be checked at the moment. Try again shortly.";
  return problem(503, { code: "SERVICE_UNAVAILABLE", detail }, { "retry-after": String(error.retryAfterSeconds) });
}

function statusOf(code: string): number {
  if (["UNAUTHORIZED", "TOKEN_EXPIRED", "KEY_REVOKED"].includes(code)) return 401;
  return code === "RATE_LIMITED" ? 429 : 403;
}

function problem(status: number, members: object, headers: Record<string, string>): Problem {
  return {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
    body: JSON.stringify({ type: "about:blank", title: TITLES[status], status, ...members }),
  };
}

/** RFC 6750 §3: no error where nothing was presented. */
function challenge(error: string | undefined): Record<string, string> {
  return { "www-authenticate": error === undefined ? NOT_PRESENTED : `${NOT_PRESENTED}, error="${error}"` };
}

/** draft-ietf-httpapi-ratelimit-headers. */
function limits(windows: readonly RateLimit[]): Record<string, string> {
  const list = (of: (window: RateLimit) => string) =>
    windows.map((window) => `"${window.policy}";${of(window)}`).join(", ");
  return {
    "ratelimit-policy": list(({ limit, windowSeconds }) => `q=${limit};w=${windowSeconds}`),
    ratelimit: list(({ remaining, resetSeconds }) => `r=${remaining};t=${resetSeconds}`),
  };
}
