import { type Api, failureOf, retryAfter } from "./api.js";
import { pauseMs, rest } from "./backoff.js";
import type { Changes } from "./changes.js";
import { type Block, EventStream } from "./event-stream.js";
import type { Checked, State } from "./settings.js";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Follows the server's changes, and knows whether it has heard of all of them. */
export class Feed {
  readonly #api: Api;
  readonly #changes: Changes;
  readonly #settings: Checked;
  readonly #closing = new AbortController();
  #connection: AbortController | undefined;
  #state: State = "idle";
  #why = "";
  #done: Promise<void> | undefined;
  #lastId: string | undefined;
  /** When the last line was read, on the monotonic clock. */
  #heardAt = -Infinity;
  /** From when on nothing can be remembered that another server, a moment behind, knew no better. */
  #followsFrom = -Infinity;
  /** How often the feed was tried since it last did. */
  #attempts = 0;

  constructor(api: Api, changes: Changes, settings: Checked) {
    this.#api = api;
    this.#changes = changes;
    this.#settings = settings;
  }

  get state(): State {
    const now = performance.now();
    if (this.#state !== "following" || this.isFresh(now)) return this.#state;
    return now < this.#followsFrom ? "catching up" : "connecting";
  }

  /** Whether all changes are known, up to the staleness bound. */
  isFresh(now: number): boolean {
    const isHeard = now - this.#heardAt <= this.#settings.stalenessMs;
    return this.#state === "following" && isHeard && now >= this.#followsFrom;
  }

  start(): void {
    this.#done ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#connection?.abort();
    this.#become("closed", "the client was closed");
    await this.#done;
  }

  async #run(): Promise<void> {
    this.#become("connecting", "the feed is being opened");
    while (!this.#closing.signal.aborted) {
      let atLeastMs = 0;
      try {
        atLeastMs = await this.#follow();
      } catch (error) {
        this.#become("connecting", `the feed broke (${failureOf(error)})`);
      }
      const pause = pauseMs(this.#attempts, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      this.#attempts += 1;
      await rest(atLeastMs + pause, this.#closing.signal);
    }
  }

  /** One connection, to its end. Tells how long to wait at the least before the next. */
  async #follow(): Promise<number> {
    const { deadlineMs, stalenessMs } = this.#settings;
    const connection = new AbortController();
    this.#connection = connection;
    let timer = setTimeout(() => connection.abort(), deadlineMs);
    try {
      const resumes = this.#lastId !== undefined;
      const response = await this.#api.openFeed(this.#lastId, connection.signal);
      clearTimeout(timer);
      if (response.status !== 200 || !response.body) {
        return await this.#refused(response);
      }
      // From here on a silence is what ends it.
      timer = setTimeout(() => connection.abort(), stalenessMs);
      this.#become("catching up", "the feed has begun");
      this.#heardAt = performance.now();
      const reading = new Reading(resumes);
      for await (const piece of response.body) {
        const now = performance.now();
        // Who has not read for so long cannot know how old this is.
        if (now - this.#heardAt > stalenessMs) break;
        const { blocks, lines } = reading.push(piece);
        if (lines > 0) {
          this.#heardAt = now;
          timer.refresh();
        }
        for (const block of blocks) this.#take(block, reading, now);
      }
      this.#become("connecting", "the feed has ended");
      return 0;
    } finally {
      clearTimeout(timer);
      connection.abort();
    }
  }

  #take(block: Block, reading: Reading, now: number): void {
    const number = numberOf(block.id);
    if (block.event === undefined && block.data === "") {
      if (block.id === undefined) return;
      reading.signs += 1;
      // The first block tells where the feed begins; the next sign of life, that all until then has been told.
      if (reading.signs === 1 && !reading.resumes) {
        this.#changes.begin(now, number);
        this.#followsFrom = now + this.#settings.settleMs;
      } else {
        this.#changes.areKnownUpTo(number);
      }
      if (reading.signs === 2) {
        this.#attempts = 0;
        this.#become("following", "all changes are known");
      }
    } else {
      const id = ["key", "user", "workspace"].includes(block.event ?? "") ? idIn(block.data) : undefined;
      if (id === undefined) this.#changes.reset(now, number);
      else this.#changes.note(id, now, number);
      this.#settings.onChange({ event: block.event ?? "", id });
    }
    // Only now: what was not taken in has to be told again.
    if (block.id !== undefined && /^\d{1,20}$/.test(block.id)) this.#lastId = block.id;
  }

  async #refused(response: Response): Promise<number> {
    await response.body?.cancel();
    if ([400, 401, 403].includes(response.status)) {
      this.#changes.reset(performance.now());
      this.#lastId = undefined;
    }
    this.#become("connecting", `the feed was refused with ${response.status}`);
    return (retryAfter(response) ?? 0) * 1_000;
  }

  #become(state: State, why: string): void {
    if ((this.#state === state && this.#why === why) || this.#state === "closed") return;
    this.#state = state;
    this.#why = why;
    this.#settings.onState(state, why);
  }
}

/** What is known of one connection. */
class Reading {
  readonly resumes: boolean;
  signs = 0;
  readonly #decoder = new TextDecoder();
  readonly #stream = new EventStream();

  constructor(resumes: boolean) {
    this.resumes = resumes;
  }

  push(piece: Uint8Array) {
    return this.#stream.push(this.#decoder.decode(piece, { stream: true }));
  }
}

/** The number of a block; `Infinity` for none, which is after all that are known. */
function numberOf(id: string | undefined): number {
  const number = id !== undefined && /^\d{1,20}$/.test(id) ? Number(id) : Infinity;
  return Number.isSafeInteger(number) ? number : Infinity;
}

function idIn(data: string): string | undefined {
  try {
    const id: unknown = JSON.parse(data)?.id;
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch {
    return undefined;
  }
}
