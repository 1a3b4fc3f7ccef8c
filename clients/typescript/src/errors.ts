/** Why nobody can say what a key is worth. */
export type Reason =
  /** The client was closed. */
  | "closed"
  /** There was no answer within the deadline. */
  | "deadline"
  /** The server could not be reached, or the connection broke. */
  | "network"
  /** The server refused the client's own request: see `status` and `code`. */
  | "refused"
  /** The answer was none that the client understands. */
  | "answer"
  /** Changes to what the verdict depends on came in faster than it could be asked for. */
  | "changing";

/** What the server said of the client's own request. */
export interface ServerAnswer {
  status?: number | undefined;
  code?: string | undefined;
  requestId?: string | undefined;
  pointers?: readonly string[] | undefined;
  retryAfterSeconds?: number | undefined;
}

/** Nobody can say at the moment what the key is worth: let nobody in. It holds nothing of either key. */
export class NotAvailableError extends Error {
  override readonly name = "NotAvailableError";
  readonly reason: Reason;
  /** The status of the server's answer, if there was one. */
  readonly status: number | undefined;
  /** The code in it, such as `FORBIDDEN`. */
  readonly code: string | undefined;
  /** The id by which the server's log knows the request. */
  readonly requestId: string | undefined;
  /** Where the request was not valid, such as `/scope`. */
  readonly pointers: readonly string[];
  /** After how many seconds it is worth while to try again. */
  readonly retryAfterSeconds: number;

  constructor(reason: Reason, what: string, answer: ServerAnswer = {}) {
    super(`TigerTrust is not available: ${what}`);
    this.reason = reason;
    this.status = answer.status;
    this.code = answer.code;
    this.requestId = answer.requestId;
    this.pointers = answer.pointers ?? [];
    this.retryAfterSeconds = answer.retryAfterSeconds ?? 1;
  }
}
