import { isIP } from "node:net";

/** A client's address as the server takes it: none where it is no IP address, such as that of a Unix socket. */
export function clientAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  // Which interface a link-local address is of says nothing elsewhere.
  const address = text.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  return isIP(address) === 0 ? undefined : address;
}
