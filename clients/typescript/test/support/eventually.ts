import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

/**
 * Waits until the condition holds, for so long at the most. Answers with what the condition did. It is longer than a client waits before it
 * asks for the key set again, which on a busy machine may not have come in time.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  withinMs = 30_000,
): Promise<Exclude<T, false | undefined>> {
  const until = performance.now() + withinMs;
  for (;;) {
    const holds = await condition();
    if (holds) return holds as Exclude<T, false | undefined>;
    assert.ok(performance.now() < until, `not within ${withinMs} ms: ${what}`);
    await pause(5);
  }
}
