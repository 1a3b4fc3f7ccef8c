/** Checks API keys with a TigerTrust server, remembers the answers, and forgets them when something has changed. */
export { TigerTrust } from "./client.js";
export { NotAvailableError, type Reason } from "./errors.js";
export type { Question } from "./question.js";
export type { Change, Settings, State } from "./settings.js";
export type { RateLimit, RefusedVerdict, ValidVerdict, Verdict } from "./verdict.js";
