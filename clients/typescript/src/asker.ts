import type { Api } from "./api.js";
import type { Changes } from "./changes.js";
import { NotAvailableError } from "./errors.js";
import type { Feed } from "./feed.js";
import type { Question } from "./question.js";
import type { Reach } from "./reach.js";
import type { Account, Kept } from "./remembered.js";
import type { Checked } from "./settings.js";
import { type ValidVerdict, type Verdict, dependenciesOf, hasSpent } from "./verdict.js";

/** How often a question is asked whose answers are overtaken by changes. */
const ASKS = 3;

/** What came of a question. */
export interface Outcome {
  verdict: Verdict;
  /** Whether the account can serve others with it. */
  isKept: boolean;
}

/** Asks the server, and keeps the accounts of what it has counted. */
export class Asker {
  readonly #api: Api;
  readonly #changes: Changes;
  readonly #feed: Feed;
  readonly #settings: Checked;
  readonly #reach: Reach;

  constructor(api: Api, changes: Changes, feed: Feed, reach: Reach, settings: Checked) {
    this.#api = api;
    this.#changes = changes;
    this.#feed = feed;
    this.#reach = reach;
    this.#settings = settings;
  }

  /** Asks for one use, and so many in hand. With a lease of 1 nothing is kept. */
  async ask(account: Account, lease: number, key: string, question: Question, until: number): Promise<Outcome> {
    account.kept = undefined;
    for (let ask = 0; ask < ASKS; ask += 1) {
      // What this one call lacks.
      const least = account.inHand > 0 ? 0 : 1;
      let cost = Math.max(lease - account.inHand, 0);
      let askedAt = performance.now();
      let verdict = await this.#api.verify(key, question, cost, until);
      if (verdict.code === "RATE_LIMITED" && cost > least) {
        cost = least;
        askedAt = performance.now();
        verdict = await this.#api.verify(key, question, cost, until);
      }
      const spent = hasSpent(verdict);
      if (spent) account.inHand += cost;
      const dependsOn = dependenciesOf(verdict);
      // Overtaken: it may tell how things stood before.
      if (this.#changes.last(dependsOn) >= askedAt) continue;

      if (spent) account.inHand -= 1;
      if (verdict.valid && lease > 1) account.kept = this.#kept(verdict, dependsOn, askedAt, until);
      return { verdict, isKept: account.kept !== undefined };
    }
    throw new NotAvailableError("changing", "what the key depends on keeps changing");
  }

  #kept(verdict: ValidVerdict, dependsOn: string[], askedAt: number, until: number): Kept | undefined {
    const now = performance.now();
    // Another server than the one that is followed may have answered, and be a moment behind.
    const since = askedAt - this.#settings.settleMs;
    if (!this.#feed.isFresh(now) || this.#changes.mayHaveChanged(dependsOn, since)) return undefined;
    if (!this.#isToldOf(verdict, until)) return undefined;
    const expiresAtMs = verdict.expiresAt == null ? Infinity : Date.parse(verdict.expiresAt);
    // Not by the wall clock alone, which may be set back.
    const goodUntil = Math.min(askedAt + this.#settings.lifeMs, now + expiresAtMs - Date.now());
    return goodUntil > now ? { verdict, dependsOn, askedAt, goodUntil, expiresAtMs } : undefined;
  }

  /** Whether the feed would tell of a change in the workspace that the verdict is for. */
  #isToldOf({ homeWorkspaceId, workspaceId }: ValidVerdict, until: number): boolean {
    // Only an instance key learns of an instance key.
    if (homeWorkspaceId === null) this.#reach.isOfAnInstanceKey();
    return workspaceId === homeWorkspaceId || this.#reach.isEverything(until);
  }
}
