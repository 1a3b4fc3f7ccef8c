import type { Context, MiddlewareHandler } from "hono";

import type { TigerTrust } from "./client.js";
import { type Need, decide, needOf } from "./guard.js";
import { valuesIn } from "./headers.js";
import type { HeaderValues } from "./presented.js";
import type { ValidVerdict } from "./verdict.js";

/** What a route needs of its callers. */
export interface Options extends Need {
  /** Where the client's address is known from; by default that of the connection, where `@hono/node-server` serves. */
  clientAddress?: ((context: Context) => string | undefined) | undefined;
}

/** The variables of a context that was let in: `context.get("tigertrust")`. */
export interface Verified {
  Variables: { tigertrust: ValidVerdict };
}

/**
 * Middleware for Hono: lets callers with a valid key in, with the variable `tigertrust` set, and nobody else.
 *
 * @throws {TypeError} The options are none, have a member that is not known, or one without a value.
 */
export function requireKey(client: TigerTrust, ...given: [options?: Options]): MiddlewareHandler<Verified> {
  const need = needOf(given);
  const addressOf = given[0]?.clientAddress ?? ((context: Context) => incoming(context)?.socket?.remoteAddress);
  return async (context, next) => {
    const raw = incoming(context)?.rawHeaders;
    const values = raw ? valuesIn(raw) : joined(context.req.raw.headers);
    const decision = await decide(client, need, values, addressOf(context));
    if ("problem" in decision) {
      const { status, headers, body } = decision.problem;
      return new Response(body, { status, headers });
    }
    context.set("tigertrust", decision.verdict);
    return next();
  };
}

/** The request of Node.js behind the context, where there is one. */
function incoming(context: Context): { rawHeaders?: string[]; socket?: { remoteAddress?: string } } | undefined {
  return (context.env as { incoming?: object } | undefined)?.incoming;
}

/** Where only the Fetch API is, a header that was there twice is one with a comma, which no key and no bearer token has. */
function joined(headers: Headers): HeaderValues {
  return (name) => {
    const value = headers.get(name);
    if (value === null) return [];
    const isTwice = name === "authorization" && /,\s*bearer\s/i.test(value);
    return isTwice ? [value, value] : [value];
  };
}
