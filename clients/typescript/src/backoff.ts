import { setTimeout as wait } from "node:timers/promises";

/** A random pause before a repetition, up to a bound that doubles each time: exponential backoff with full jitter. */
export function pauseMs(repetition: number, firstMs: number, mostMs: number): number {
  return Math.random() * Math.min(mostMs, firstMs * 2 ** repetition);
}

/** Waits. */
export async function sleep(milliseconds: number): Promise<void> {
  await wait(milliseconds);
}

/** Waits in the background, unless the signal comes first: that alone keeps no process alive. */
export async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { ref: false, signal }).catch(() => {});
}
