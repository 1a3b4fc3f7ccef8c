import { Api } from "./api.js";
import { Asker, type Outcome } from "./asker.js";
import { Changes } from "./changes.js";
import { NotAvailableError } from "./errors.js";
import { Feed } from "./feed.js";
import { isKey } from "./key-format.js";
import { type Question, digestOf } from "./question.js";
import { Account, Accounts } from "./remembered.js";
import { type Checked, type Settings, type State, check } from "./settings.js";
import { MALFORMED, type Verdict } from "./verdict.js";

/** Checks API keys with a TigerTrust server. One for each process is enough; close it at the end. */
export class TigerTrust {
  readonly #settings: Checked;
  readonly #asker: Asker;
  readonly #changes: Changes;
  readonly #feed: Feed;
  readonly #accounts: Accounts;
  /** Questions that are being asked. */
  readonly #asking = new Map<string, Promise<Outcome>>();
  #isClosed = false;

  constructor(settings: Settings = {}) {
    const checked = check(settings);
    const { cacheSize, deadlineMs, lifeMs, settleMs } = checked;
    const api = new Api(checked);
    this.#settings = checked;
    this.#changes = new Changes(Math.max(lifeMs, deadlineMs) + settleMs + 1_000);
    this.#feed = new Feed(api, this.#changes, checked);
    this.#asker = new Asker(api, this.#changes, this.#feed, checked);
    this.#accounts = new Accounts(cacheSize);
  }

  /** Where the client stands. */
  get state(): State {
    return this.#feed.state;
  }

  /** What keys may begin with beside `ak_` and `ck_`. */
  get keyPrefixes(): readonly string[] {
    return this.#settings.keyPrefixes;
  }

  /** Opens the feed of changes now, and not with the first `verify`. */
  start(): void {
    const { cacheSize, lease, lifeMs } = this.#settings;
    if (!this.#isClosed && cacheSize > 0 && lease > 1 && lifeMs > 0) this.#feed.start();
  }

  /** Ends the feed. Every `verify` from then on is "not available". */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#feed.close();
  }

  /**
   * Says what a presented key is worth. Let a client in for a valid verdict alone.
   *
   * @throws {NotAvailableError} Nobody can say at the moment.
   */
  async verify(key: string, question: Question = {}): Promise<Verdict> {
    if (!isKey(key, this.#settings.keyPrefixes)) return MALFORMED;
    if (this.#isClosed) throw new NotAvailableError("closed", "the client is closed");
    this.start();
    const until = performance.now() + this.#settings.deadlineMs;
    const digest = digestOf(key, question);
    for (;;) {
      const now = performance.now();
      if (!this.#feed.isFresh(now)) break;
      const verdict = this.#accounts.get(digest)?.take(this.#changes, now);
      if (verdict) return verdict;
      const asking = this.#asking.get(digest);
      if (!asking) return (await this.#ask(digest, key, question, until)).verdict;
      const outcome = await before(until, asking);
      if (!outcome.verdict.valid) return outcome.verdict;
      if (!outcome.isKept) break;
    }
    return (await this.#asker.ask(new Account(), 1, key, question, until)).verdict;
  }

  /** Asks for all who want to know the same. */
  #ask(digest: string, key: string, question: Question, until: number): Promise<Outcome> {
    const account = this.#accounts.get(digest) ?? new Account();
    const asking = this.#asker.ask(account, this.#settings.lease, key, question, until).finally(() => {
      this.#asking.delete(digest);
      // Keys that are no good take no place.
      if (account.inHand > 0) this.#accounts.set(digest, account);
    });
    this.#asking.set(digest, asking);
    return asking;
  }
}

/** Waits for what others have asked, but no longer than until the deadline. */
async function before<T>(until: number, awaited: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new NotAvailableError("deadline", "no answer within the deadline");
    timer = setTimeout(() => reject(error), Math.max(until - performance.now(), 0));
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
