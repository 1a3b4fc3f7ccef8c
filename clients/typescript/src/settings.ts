import { isKey } from "./key-format.js";
import { checkMembers } from "./members.js";
import { warnOnStandardError } from "./warnings.js";

/** What a client can be told. All of it may be left out where the environment has `TIGERTRUST_URL` and `TIGERTRUST_API_KEY`. */
export interface Settings {
  /** The address of the server, such as `https://auth.example.com`. */
  url?: string | undefined;
  /** The service's own key: an agent key with `keys:verify`. Better left to the environment than written into code. */
  apiKey?: string | undefined;
  /** How long a call may take; 2000. */
  deadlineMs?: number | undefined;
  /** For how long remembered verdicts are used without a sign of life of the feed; 3000. */
  stalenessMs?: number | undefined;
  /** For how long after a change nothing new is remembered of what it concerns; 1000. More behind a load balancer: see the handbook. */
  settleMs?: number | undefined;
  /** How many questions are remembered; 10,000. */
  cacheSize?: number | undefined;
  /** How many uses are counted at once for a verdict that is remembered; 10. */
  lease?: number | undefined;
  /** How long a verdict is remembered at the most; 60,000. */
  lifeMs?: number | undefined;
  /** Whether short-lived tokens are verified by the client itself, or the server is asked about each, so that limits count; `offline`. */
  tokens?: "offline" | "online" | undefined;
  /** Who issues tokens: the server's `public_url`. By default `TIGERTRUST_ISSUER` of the environment, or else the address of the server. */
  issuer?: string | undefined;
  /** What keys may begin with beside `ak_` and `ck_`: the prefixes of imported ones, an empty one for those that have none; none. */
  keyPrefixes?: readonly string[] | undefined;
  /** Is told of each new state, and why it came about. */
  onState?: ((state: State, why: string) => void) | undefined;
  /** Is told of each change that has come in, once it counts. */
  onChange?: ((change: Change) => void) | undefined;
  /** Is told once of each thing that keeps keys from being checked, or tokens from being verified here; by default it is a warning of the process. */
  onWarning?: ((text: string) => void) | undefined;
}

/** Where a client stands: see the handbook, "The states of a client". */
export type State = "idle" | "connecting" | "catching up" | "following" | "closed";

/** Something that has changed: a key, a person or a workspace; a `reset` has no id. */
export interface Change {
  event: string;
  id: string | undefined;
}

/** Settings with everything that is needed. */
export interface Checked {
  url: string;
  apiKey: string;
  deadlineMs: number;
  stalenessMs: number;
  settleMs: number;
  cacheSize: number;
  lease: number;
  lifeMs: number;
  tokens: "offline" | "online";
  issuer: string;
  keyPrefixes: readonly string[];
  onState: (state: State, why: string) => void;
  onChange: (change: Change) => void;
  onWarning: (text: string) => void;
}

const NAMES = [
  ...["url", "apiKey", "deadlineMs", "stalenessMs", "settleMs", "cacheSize", "lease", "lifeMs"],
  ...["tokens", "issuer", "keyPrefixes", "onState", "onChange", "onWarning"],
];

/** How often a quiet feed gives a sign of life, and by how much one server may be behind another. */
export const SIGN_OF_LIFE_MS = 1_000;
const MOST_LEASED = 1_000_000;

export function check(settings: Settings): Checked {
  checkMembers("the settings of a client", settings, NAMES);
  const environment = globalThis.process?.env ?? {};
  const url = checkUrl(settings.url ?? environment["TIGERTRUST_URL"]);
  return {
    url,
    apiKey: checkKey(settings.apiKey ?? environment["TIGERTRUST_API_KEY"]),
    deadlineMs: number("deadlineMs", settings.deadlineMs ?? 2_000, Number.MIN_VALUE),
    stalenessMs: number("stalenessMs", settings.stalenessMs ?? 3_000, SIGN_OF_LIFE_MS + 1),
    settleMs: number("settleMs", settings.settleMs ?? SIGN_OF_LIFE_MS, SIGN_OF_LIFE_MS),
    cacheSize: whole("cacheSize", settings.cacheSize ?? 10_000, 0),
    lease: whole("lease", settings.lease ?? 10, 1, MOST_LEASED),
    lifeMs: number("lifeMs", settings.lifeMs ?? 60_000, 0),
    tokens: oneOf("tokens", settings.tokens ?? "offline", ["offline", "online"]),
    issuer: checkIssuer(settings.issuer ?? environment["TIGERTRUST_ISSUER"] ?? url),
    keyPrefixes: checkPrefixes(settings.keyPrefixes ?? []),
    onState: harmless(settings.onState),
    onChange: harmless(settings.onChange),
    onWarning: harmless(settings.onWarning ?? warnOnStandardError),
  };
}

/** What a listener does must not end the feed. */
function harmless<A extends unknown[]>(listener: ((...what: A) => void) | undefined): (...what: A) => void {
  return (...what) => {
    try {
      listener?.(...what);
    } catch {
      // Its own business.
    }
  };
}

// What was given is in no message: a key may have been put in the wrong place.
function checkUrl(text: string | undefined): string {
  const wrong = "the address of the server (TIGERTRUST_URL or url) must be https:// or http://, without user, query and fragment";
  if (!text) throw new TypeError("there is no address of the server: set TIGERTRUST_URL");
  if (!URL.canParse(text)) throw new TypeError(wrong);
  const url = new URL(text);
  const isPlain = !url.username && !url.password && !url.search && !url.hash;
  if (!isPlain || !["https:", "http:"].includes(url.protocol)) throw new TypeError(wrong);
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function checkKey(text: string | undefined): string {
  if (!text) throw new TypeError("the service has no key of its own: set TIGERTRUST_API_KEY");
  if (!isKey(text)) throw new TypeError("the service's own key (TIGERTRUST_API_KEY or apiKey) is malformed or cut short");
  return text;
}

function checkIssuer(text: string): string {
  if (typeof text !== "string" || !/^https?:\/\/\S*[^\s/]$/.test(text)) {
    throw new TypeError("the issuer (TIGERTRUST_ISSUER or issuer) must be https:// or http://, without a slash at the end");
  }
  return text;
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw new TypeError(`${name} must be ${allowed.join(" or ")}`);
  return value;
}

/** What begins the server's own keys and tokens, and JWTs. */
const RESERVED = ["ak_", "ck_", "tt_", "eyJ"];

function checkPrefixes(prefixes: readonly string[]): readonly string[] {
  const isGood = (prefix: unknown) =>
    prefix === "" ||
    (typeof prefix === "string" &&
      /^[0-9A-Za-z_-]{2,32}$/.test(prefix) &&
      !RESERVED.some((own) => own.startsWith(prefix) || prefix.startsWith(own)));
  if (!Array.isArray(prefixes) || !prefixes.every(isGood)) {
    throw new TypeError(
      "keyPrefixes must be a list of prefixes as in keys.formats of the server: 2 to 32 letters, digits, - and _, and none of ak_, ck_, tt_ and eyJ; or empty",
    );
  }
  return [...prefixes];
}

function number(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw new RangeError(`${name} must be a number of ${least === Number.MIN_VALUE ? "more than 0" : `${least} or more`}`);
  }
  return value;
}

function whole(name: string, value: number, least: number, most?: number): number {
  if (!Number.isInteger(value)) throw new RangeError(`${name} must be a whole number`);
  return number(name, value, least, most);
}
