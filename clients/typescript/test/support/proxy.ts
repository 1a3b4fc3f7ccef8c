import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";

/** A call that passed, as far as the tests ask about it. */
export interface Call {
  path: string;
  cost: number | undefined;
}

/** The first block of a feed, to the end of its chunk. */
const GREETING = ": following\n\n\r\n";

const KEY_SET = "/.well-known/jwks.json";

interface Pair {
  client: Socket;
  upstream: Socket;
  isFeed: boolean;
  held: (Buffer | string)[];
}

/** Stands between a client and the server, counts what passes, and makes trouble when it is told to. */
export class Proxy {
  readonly calls: Call[] = [];
  /** How often the feed was opened, and with which number. */
  readonly feeds: (string | undefined)[] = [];
  /** What is answered in the server's place to who asks for its signing keys: a body, or a whole response; the server's by default. */
  keySet: string | undefined;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #holdsAnswers = false;
  #silencesFeed = false;
  #refusesFeed = false;
  #isDown = false;
  #breaks = 0;
  #answers: string[] = [];

  private constructor(port: number) {
    this.#server = createServer((client) => this.#accept(client, port));
  }

  static async before(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The calls that asked what a key is worth. */
  get verifies(): Call[] {
    return this.calls.filter(({ path }) => path === "/api/keys/verify");
  }

  /** How often the signing keys were asked for. */
  get keySetFetches(): number {
    return this.calls.filter(({ path }) => path === KEY_SET).length;
  }

  get heldAnswers(): number {
    return [...this.#pairs].filter(({ isFeed, held }) => !isFeed && held.length > 0).length;
  }

  /** Keeps back what the server answers to calls. */
  holdAnswers(): void {
    this.#holdsAnswers = true;
  }

  releaseAnswers(): void {
    this.#holdsAnswers = false;
    for (const pair of this.#pairs) this.#flush(pair);
  }

  /** Lets nothing of the feed through, and keeps it open. */
  silenceFeed(): void {
    this.#silencesFeed = true;
  }

  /** Lets a feed begin, and tells nothing after that. */
  restoreBeginningOfFeed(): void {
    this.#silencesFeed = true;
    this.#refusesFeed = false;
  }

  /** Ends the feed, and lets none begin. */
  cutFeed(): void {
    this.#refusesFeed = true;
    for (const pair of this.#pairs) if (pair.isFeed) this.#drop(pair);
  }

  restoreFeed(): void {
    this.#refusesFeed = false;
    this.#silencesFeed = false;
    for (const pair of this.#pairs) if (pair.isFeed) this.#flush(pair);
  }

  /** Says something in the server's place. */
  sayOnFeed(text: string): void {
    const chunk = Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    for (const pair of this.#pairs) if (pair.isFeed) pair.client.write(chunk);
  }

  /** Breaks the connection of so many calls before they get an answer. */
  breakCalls(count: number): void {
    this.#breaks = count;
  }

  /** Answers the next call in the server's place. */
  answerNext(response: string): void {
    this.#answers.push(response);
  }

  /** Is gone: ends all connections and takes none. */
  goDown(): void {
    this.#isDown = true;
    for (const pair of this.#pairs) this.#drop(pair);
  }

  async close(): Promise<void> {
    this.goDown();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket, port: number): void {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const pair: Pair = { client, upstream: connect(port, "127.0.0.1"), isFeed: false, held: [] };
    this.#pairs.add(pair);
    client.on("data", (data) => this.#fromClient(pair, data));
    pair.upstream.on("data", (data) => this.#fromServer(pair, data));
    for (const socket of [client, pair.upstream]) {
      socket.on("error", () => this.#drop(pair));
      socket.on("close", () => this.#drop(pair));
    }
  }

  #fromClient(pair: Pair, data: Buffer): void {
    const text = data.toString("latin1");
    const path = /^(?:GET|POST) (\S+) HTTP/.exec(text)?.[1];
    if (path !== undefined) {
      pair.isFeed = path === "/api/changes";
      if (pair.isFeed) this.feeds.push(/^last-event-id: (\d+)/im.exec(text)?.[1]);
      else this.calls.push({ path, cost: undefined });
      if (pair.isFeed && this.#refusesFeed) return this.#drop(pair);
    }
    const cost = /"cost": ?(\d+)/.exec(text)?.[1];
    const call = this.calls.at(-1);
    if (cost !== undefined && call) call.cost = Number(cost);
    if (!pair.isFeed && this.#breaks > 0) {
      this.#breaks -= 1;
      return this.#drop(pair);
    }
    if (path === KEY_SET && this.keySet !== undefined) {
      const isWhole = this.keySet.startsWith("HTTP/");
      const length = Buffer.byteLength(this.keySet);
      this.#holdBack(pair, isWhole ? this.keySet : `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${this.keySet}`);
      return undefined;
    }
    const answer = pair.isFeed || !text.includes("cost") ? undefined : this.#answers.shift();
    if (answer !== undefined) {
      pair.client.write(answer);
      return undefined;
    }
    pair.upstream.write(data);
    return undefined;
  }

  #fromServer(pair: Pair, data: Buffer): void {
    // What a feed begins with is let through always.
    const begun = pair.isFeed ? data.indexOf(GREETING) : -1;
    if (begun >= 0) {
      pair.client.write(data.subarray(0, begun + GREETING.length));
      data = data.subarray(begun + GREETING.length);
    }
    this.#holdBack(pair, data);
  }

  #holdBack(pair: Pair, data: Buffer | string): void {
    pair.held.push(data);
    const isHeld = pair.isFeed ? this.#silencesFeed : this.#holdsAnswers;
    if (!isHeld) this.#flush(pair);
  }

  #flush(pair: Pair): void {
    for (const data of pair.held.splice(0)) pair.client.write(data);
  }

  #drop(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.upstream.destroy();
  }
}
