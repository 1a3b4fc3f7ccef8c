/** The same trouble is not told more often, however often it comes and goes. */
const AGAIN_AFTER_MS = 60_000;
/** So many are known to have been told. */
const MOST = 100;

/** Tells whoever runs the service what is wrong: once for each cause, and again when it has come back. Times are those of the monotonic clock. */
export class Warnings {
  readonly #tell: (text: string) => void;
  /** What is wrong now, as far as is known. */
  #present: string | undefined;
  readonly #toldAt = new Map<string, number>();

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** This is wrong now. */
  present(cause: string, now: number): void {
    if (cause === this.#present) return;
    this.#present = cause;
    const toldAt = this.#toldAt.get(cause) ?? -Infinity;
    if (now - toldAt >= AGAIN_AFTER_MS) this.#note(cause, now);
  }

  /** Nothing is. */
  past(): void {
    this.#present = undefined;
  }

  /** This is wrong for as long as the program runs. */
  once(cause: string, now: number): void {
    if (!this.#toldAt.has(cause)) this.#note(cause, now);
  }

  #note(cause: string, now: number): void {
    this.#toldAt.delete(cause);
    this.#toldAt.set(cause, now);
    const [oldest] = this.#toldAt.keys();
    if (this.#toldAt.size > MOST && oldest !== undefined) this.#toldAt.delete(oldest);
    this.#tell(cause);
  }
}

/** Where nobody is set to be told: on standard error, or where the program has warnings go. */
export function warnOnStandardError(text: string): void {
  if (typeof globalThis.process?.emitWarning === "function") process.emitWarning(text, "TigerTrustWarning");
  else console.warn(text);
}
