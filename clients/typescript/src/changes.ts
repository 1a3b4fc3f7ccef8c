/** More changes than this within the time that they are kept, and all counts as changed. */
const MOST = 100_000;

/** When what has last changed, on the monotonic clock: what was asked for before says no more than how things stood then. */
export class Changes {
  readonly #keptMs: number;
  readonly #at = new Map<string, number>();
  #resetAt = -Infinity;
  #beganAt = -Infinity;

  /** Changes are kept as long as anything may be in use that was asked for before them. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** A key, a person or a workspace has changed. */
  note(id: string, now: number): void {
    // Moved to the end, so that the oldest come first.
    this.#at.delete(id);
    this.#at.set(id, now);
    for (const [oldest, at] of this.#at) {
      if (now - at <= this.#keptMs) break;
      this.#at.delete(oldest);
    }
    if (this.#at.size > MOST) this.reset(now);
  }

  /** Anything may have changed. */
  reset(now: number): void {
    this.#at.clear();
    this.#resetAt = now;
  }

  /** From now on changes are told; of those before nothing is known. */
  begin(now: number): void {
    this.#beganAt = now;
  }

  /** When the latest change to one of these came in. */
  last(dependsOn: readonly string[]): number {
    let last = this.#resetAt;
    for (const id of dependsOn) {
      const at = this.#at.get(id);
      if (at !== undefined && at > last) last = at;
    }
    return last;
  }

  /** Whether one of these may have changed since then without the client's knowing better. */
  mayHaveChanged(dependsOn: readonly string[], since: number): boolean {
    return this.#beganAt > since || this.last(dependsOn) >= since;
  }
}
