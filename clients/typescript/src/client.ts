import { Api } from "./api.js";
import { Asker, type Outcome } from "./asker.js";
import { Changes } from "./changes.js";
import { NotAvailableError } from "./errors.js";
import { Feed } from "./feed.js";
import { isKey } from "./key-format.js";
import { type Question, checkQuestion, digestOf } from "./question.js";
import { Reach } from "./reach.js";
import { Recent } from "./recent.js";
import { Account } from "./remembered.js";
import { type Checked, type Settings, type State, check } from "./settings.js";
import { claimsToBeToken, readToken } from "./token-format.js";
import { Tokens } from "./tokens.js";
import { MALFORMED, MALFORMED_TOKEN, type Verdict } from "./verdict.js";
import { Warnings } from "./warnings.js";

/** Checks API keys with a TigerTrust server. One for each process is enough; close it at the end. */
export class TigerTrust {
  readonly #settings: Checked;
  readonly #asker: Asker;
  readonly #changes: Changes;
  readonly #feed: Feed;
  readonly #tokens: Tokens;
  readonly #accounts: Recent<Account>;
  /** Questions that are being asked. */
  readonly #asking = new Map<string, Promise<Outcome>>();
  #isClosed = false;

  constructor(settings: Settings = {}) {
    const checked = check(settings);
    const { cacheSize, deadlineMs, lifeMs, settleMs } = checked;
    const warnings = new Warnings(checked.onWarning);
    const api = new Api(checked, warnings);
    this.#settings = checked;
    this.#changes = new Changes(Math.max(lifeMs, deadlineMs) + settleMs + 1_000);
    this.#feed = new Feed(api, this.#changes, checked);
    const reach = new Reach(api);
    this.#asker = new Asker(api, this.#changes, this.#feed, reach, checked);
    this.#tokens = new Tokens(api, this.#changes, this.#feed, reach, warnings, checked);
    this.#accounts = new Recent(cacheSize);
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
    if (!this.#isClosed && this.#remembers) this.#feed.start();
  }

  /** Ends the feed. Every `verify` from then on is "not available". */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#feed.close();
  }

  /**
   * Says what a presented key or short-lived token is worth. Let a client in for a valid verdict alone.
   *
   * @throws {NotAvailableError} Nobody can say at the moment.
   * @throws {TypeError} The question is none, has a part that is not known, or one without a value.
   */
  async verify(key: string, ...asked: [question?: Question]): Promise<Verdict> {
    // One that is there and undefined was meant to ask for something.
    const question = asked.length > 0 ? (asked[0] as Question) : {};
    checkQuestion(question);
    const isToken = claimsToBeToken(key);
    if (isToken ? !readToken(key) : !isKey(key, this.#settings.keyPrefixes)) return isToken ? MALFORMED_TOKEN : MALFORMED;
    if (this.#isClosed) throw new NotAvailableError("closed", "the client is closed");
    this.start();
    const until = performance.now() + this.#settings.deadlineMs;
    if (isToken && this.#settings.tokens === "offline" && this.#remembers) {
      const verdict = await this.#tokens.decide(key, question, until);
      if (verdict) return verdict;
    }
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

  /** Whether anything is to be remembered, for which the feed has to be followed. */
  get #remembers(): boolean {
    const { cacheSize, lease, lifeMs } = this.#settings;
    return cacheSize > 0 && lease > 1 && lifeMs > 0;
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
