import type { Changes } from "./changes.js";
import type { ValidVerdict } from "./verdict.js";

/** A verdict, and for how long it may be used. Times are those of the monotonic clock, but for `expiresAtMs`. */
export interface Kept {
  verdict: ValidVerdict;
  dependsOn: readonly string[];
  askedAt: number;
  goodUntil: number;
  /** In milliseconds since 1970; `Infinity` for never. */
  expiresAtMs: number;
}

/** What is known of a question. */
export class Account {
  /** Uses that the server has counted and that were not served yet. They outlive the verdict. */
  inHand = 0;
  kept: Kept | undefined;

  /** Takes one use of the verdict, if it may be used. */
  take(changes: Changes, now: number): ValidVerdict | undefined {
    const { kept } = this;
    if (!kept || this.inHand < 1 || now >= kept.goodUntil || Date.now() >= kept.expiresAtMs) return undefined;
    if (changes.mayHaveChanged(kept.dependsOn, kept.askedAt)) return undefined;
    this.inHand -= 1;
    return kept.verdict;
  }
}
