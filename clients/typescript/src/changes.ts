/** So many things that have changed are known; of more, those that changed longest ago are forgotten. */
const MOST = 100_000;
/** How long what has changed is of use to a token: its life, and the difference of two clocks. */
const OF_USE_TO_TOKENS_MS = 17 * 60_000;

/** The last change to something. */
interface Noted {
  /** When it came in, on the monotonic clock. */
  at: number;
  /** Its number in the feed; `Infinity` if it had none. */
  number: number;
}

/** What has last changed when, on the monotonic clock: what was asked for before says no more than how things stood then. */
export class Changes {
  readonly #keptMs: number;
  readonly #noted = new Map<string, Noted>();
  #resetAt = -Infinity;
  #beganAt = -Infinity;
  /** All changes after this one are known; `Infinity` while that can be said of none. */
  #beganWith = Infinity;

  /** Changes are kept as long as any verdict may be in use that was asked for before them, or any token that was issued before them. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** A key, a person or a workspace has changed. */
  note(id: string, now: number, number = Infinity): void {
    // Moved to the end, so that the oldest come first.
    this.#noted.delete(id);
    this.#noted.set(id, { at: now, number });
    const longest = Math.max(this.#keptMs, OF_USE_TO_TOKENS_MS);
    for (const [oldest, noted] of this.#noted) {
      const age = now - noted.at;
      if (age <= longest && this.#noted.size <= MOST) break;
      this.#noted.delete(oldest);
      this.#beganWith = Math.max(this.#beganWith, noted.number);
      if (age <= this.#keptMs) return this.reset(now, number);
    }
  }

  /** Anything may have changed, up to this number. */
  reset(now: number, number = Infinity): void {
    this.#noted.clear();
    this.#resetAt = now;
    this.#beganWith = number;
  }

  /** From now on changes are told, from after this number on; of those before nothing is known. */
  begin(now: number, number = Infinity): void {
    this.#beganAt = now;
    this.#beganWith = number;
  }

  /** All up to this number have been told. */
  areKnownUpTo(number: number): void {
    if (this.#beganWith === Infinity) this.#beganWith = number;
  }

  /** When the latest change to one of these came in. */
  last(dependsOn: readonly string[]): number {
    let last = this.#resetAt;
    for (const id of dependsOn) {
      const at = this.#noted.get(id)?.at;
      if (at !== undefined && at > last) last = at;
    }
    return last;
  }

  /** Whether one of these may have changed since then without the client's knowing better. */
  mayHaveChanged(dependsOn: readonly string[], since: number): boolean {
    return this.#beganAt > since || this.last(dependsOn) >= since;
  }

  /**
   * Whether none of these has changed after the change of that number, which was the last when something was issued so long ago, by clocks
   * that may differ by the skew. The numbers alone do not tell: those of a database that was restored come again.
   */
  haveLeftAlone(dependsOn: readonly string[], number: number, ageMs: number, skewMs: number, now: number): boolean {
    const cameAfter = (at: number, byMs: number) => ageMs - (now - at) > byMs;
    if (number < this.#beganWith || cameAfter(this.#resetAt, -skewMs)) return false;
    return dependsOn.every((id) => {
      const noted = this.#noted.get(id);
      return !noted || (noted.number <= number && !cameAfter(noted.at, skewMs));
    });
  }
}
