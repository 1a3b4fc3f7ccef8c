import { pauseMs, sleep } from "./backoff.js";
import { NotAvailableError, type Reason, type ServerAnswer } from "./errors.js";
import { meaningOf } from "./meaning.js";
import type { Question } from "./question.js";
import type { Checked } from "./settings.js";
import { readVerdict, type Verdict } from "./verdict.js";
import type { Warnings } from "./warnings.js";

/** How often a call is made at the most that gets no answer. */
const TRIES = 3;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;
/** Those who wait for the same second must not meet there. */
const SPREAD_MS = 250;

const LONGEST_KEY_SET = 65_536;

/** The server's API, as far as a client needs it. Times are those of the monotonic clock. */
export class Api {
  readonly #url: string;
  readonly #authorization: string;
  readonly #warnings: Warnings;

  constructor({ url, apiKey }: Checked, warnings: Warnings) {
    this.#url = url;
    this.#authorization = `Bearer ${apiKey}`;
    this.#warnings = warnings;
  }

  /** Asks what a key is worth, for so many uses. */
  async verify(key: string, question: Question, cost: number, until: number): Promise<Verdict> {
    const { type, scope, workspaceId, clientAddress } = question;
    const body = JSON.stringify({ key, type, scope, workspaceId, clientAddress, cost });
    try {
      const verdict = readVerdict(await this.#call("POST", "/api/keys/verify", body, until, scope));
      if (!verdict) throw new NotAvailableError("answer", "the answer is no verdict");
      this.#warnings.past();
      return verdict;
    } catch (error) {
      if (error instanceof NotAvailableError) this.#tellOf(error);
      throw error;
    }
  }

  /** The home of the service's own key; `null` for an instance key. */
  async home(until: number): Promise<string | null> {
    const me = await this.#call("GET", "/api/auth/me", undefined, until);
    const home = typeof me === "object" && me !== null && "homeWorkspaceId" in me ? me.homeWorkspaceId : undefined;
    // No workspace has this name.
    return home === null || typeof home === "string" ? home : "";
  }

  /** The keys that tokens are verified with, as the server tells them to everybody; `undefined` if it does not. */
  async keySet(withinMs: number): Promise<unknown> {
    const signal = AbortSignal.timeout(Math.ceil(withinMs));
    const headers = { accept: "application/json" };
    try {
      const response = await fetch(`${this.#url}/.well-known/jwks.json`, { headers, signal, redirect: "manual" });
      const text = await response.text();
      return response.status === 200 && text.length <= LONGEST_KEY_SET ? parse(text) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Opens the feed of changes, from after the given number on. */
  openFeed(lastId: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { authorization: this.#authorization, accept: "text/event-stream" };
    if (lastId !== undefined) headers["last-event-id"] = lastId;
    // A redirect would take the key to somebody else.
    return fetch(`${this.#url}/api/changes`, { headers, signal, redirect: "manual" });
  }

  /** What is wrong with one question may be right with the next: it comes and goes with them. */
  #tellOf(error: NotAvailableError): void {
    const now = performance.now();
    if (error.status === 400) this.#warnings.once(error.message, now);
    else this.#warnings.present(error.message, now);
  }

  async #call(method: string, path: string, body: string | undefined, until: number, scope?: string): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      const tried = await this.#try(method, path, body, until, scope);
      if ("answer" in tried) return tried.answer;
      const isLast = tried.repeatAfterMs === undefined || attempt + 1 >= TRIES;
      const pause = (tried.repeatAfterMs ?? 0) + tried.spreadMs(attempt);
      if (isLast || performance.now() + pause >= until) {
        throw new NotAvailableError(tried.reason, tried.what, tried.said);
      }
      await sleep(pause);
    }
  }

  async #try(method: string, path: string, body: string | undefined, until: number, scope: string | undefined): Promise<Tried> {
    const left = until - performance.now();
    if (left <= 0) return LATE;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), left);
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers: { authorization: this.#authorization, accept: "application/json", "content-type": "application/json" },
        body: body ?? null,
        signal: controller.signal,
        redirect: "manual",
      });
      const text = await response.text();
      return response.status === 200 ? { answer: parse(text) } : refused(response, text, scope);
    } catch (error) {
      return controller.signal.aborted ? LATE : broken(this.#url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

type Tried = { answer: unknown } | Failed;

/** A call without an answer that is of use. */
interface Failed {
  reason: Reason;
  what: string;
  said: ServerAnswer;
  /** After how long it can be made again; `undefined` if it must not be. */
  repeatAfterMs: number | undefined;
  /** What is added to that. */
  spreadMs: (attempt: number) => number;
}

const LATE: Failed = {
  reason: "deadline",
  what: "no answer within the deadline",
  said: {},
  repeatAfterMs: undefined,
  spreadMs: () => 0,
};

function broken(url: string, error: unknown): Failed {
  return {
    reason: "network",
    what: `no answer from ${url} (${failureOf(error)})`,
    said: {},
    repeatAfterMs: 0,
    spreadMs: (attempt) => pauseMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  };
}

function refused(response: Response, text: string, scope: string | undefined): Failed {
  const said = { ...readProblem(text), status: response.status, retryAfterSeconds: retryAfter(response) };
  const { retryAfterSeconds } = said;
  const isRepeated = response.status === 503 && retryAfterSeconds !== undefined;
  return {
    reason: "refused",
    what: meaningOf(said, scope),
    said,
    repeatAfterMs: isRepeated ? retryAfterSeconds * 1_000 : undefined,
    spreadMs: () => Math.random() * SPREAD_MS,
  };
}

/** What failed, in the word of the platform: a whole error could show more than is good. */
export function failureOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code) ? code : "the connection failed";
}

/** The seconds in `Retry-After`. A date there is none of TigerTrust's. */
export function retryAfter(response: Response): number | undefined {
  const text = response.headers.get("retry-after");
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The parts of a problem that can hold nothing but what they should. */
function readProblem(text: string): { code?: string; requestId?: string; pointers: string[] } {
  const problem = parse(text);
  if (typeof problem !== "object" || problem === null) return { pointers: [] };
  const { code, requestId, errors } = problem as Record<string, unknown>;
  const pointers = (Array.isArray(errors) ? errors : []).map((error: unknown) => (error as { pointer?: unknown } | null)?.pointer);
  return {
    ...(typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) && { code }),
    ...(typeof requestId === "string" && /^req_[0-9a-f]{16,32}$/.test(requestId) && { requestId }),
    pointers: pointers.filter((pointer): pointer is string => POINTERS.has(pointer)).slice(0, 3),
  };
}

const POINTERS = new Set<unknown>(["/key", "/type", "/scope", "/workspaceId", "/clientAddress", "/cost"]);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
