/**
 * Refuses what nobody would read. A need that is misspelt, stands in the wrong place or has no value is none, and would let callers in
 * who are not to be let in.
 */
export function checkMembers(what: string, given: unknown, known: readonly string[]): void {
  if (!isPlain(given)) throw new TypeError(`${what} must be an object such as { ${known[0]}: … }, with no other members than ${list(known)}`);
  for (const member of Reflect.ownKeys(given)) {
    if (typeof member === "string" && known.includes(member)) continue;
    throw new TypeError(`${what} must have no member ${shown(member)}: it would not count. There are ${list(known)}`);
  }
}

/** Refuses members that are there and are no text: whoever writes them means to ask for something. */
export function checkTexts(what: string, given: object, names: readonly string[]): void {
  for (const name of names) {
    if (!Object.hasOwn(given, name)) continue;
    const value = (given as Record<string, unknown>)[name];
    if (typeof value === "string") continue;
    const is = value === undefined ? "is undefined" : "is none";
    throw new TypeError(`${name} in ${what} must be a text, and ${is}: leave it out where nothing is to be asked for`);
  }
}

/** Of this realm or another; no list, map or instance of a class, whose content would not be seen. */
function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A key that was put in the wrong place is in no message: none is as short. */
function shown(member: string | symbol): string {
  return typeof member === "string" && /^\w{1,20}$/.test(member) ? `"${member}"` : "of that name";
}

function list(known: readonly string[]): string {
  return known.join(", ");
}
