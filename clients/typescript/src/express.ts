import type { IncomingMessage, ServerResponse } from "node:http";

import type { TigerTrust } from "./client.js";
import { type Need, decide, needOf } from "./guard.js";
import { valuesIn } from "./headers.js";
import type { ValidVerdict } from "./verdict.js";

declare global {
  namespace Express {
    interface Request {
      /** What the caller's key is worth; set by `tigertrust/express`. */
      tigertrust?: ValidVerdict;
    }
  }
}

/** A request of Express or of a framework that calls handlers as it does. */
export interface Request extends IncomingMessage {
  /** The client's address as Express knows it: see its `trust proxy`. */
  ip?: string | undefined;
  tigertrust?: ValidVerdict;
}

/** What a route needs of its callers. */
export interface Options<R extends Request = Request> extends Need {
  /** Where the client's address is known from; by default what Express makes of it, or the connection's. */
  clientAddress?: ((request: R) => string | undefined) | undefined;
}

/**
 * A handler for Express and its likes: lets callers with a valid key in, with `request.tigertrust` set, and nobody else.
 *
 * @throws {TypeError} The options are none, have a member that is not known, or one without a value.
 */
export function requireKey<R extends Request = Request>(
  client: TigerTrust,
  ...given: [options?: Options<R>]
): (request: R, response: ServerResponse, next: (error?: unknown) => void) => void {
  const need = needOf(given);
  const addressOf = given[0]?.clientAddress ?? ((request: R) => request.ip ?? request.socket.remoteAddress);
  return (request, response, next) => {
    const decided = async () => decide(client, need, valuesIn(request.rawHeaders), addressOf(request));
    decided().then((decision) => {
      if ("verdict" in decision) {
        request.tigertrust = decision.verdict;
        next();
      } else if (!response.headersSent) {
        const { status, headers, body } = decision.problem;
        response.writeHead(status, headers).end(body);
      }
    }, next);
  };
}
