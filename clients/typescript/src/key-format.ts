/** How keys are written: `ak_` or `ck_`, 43 random characters, and a CRC-32 of all before it in 6 characters of base 62. */

const WELL_FORMED = /^[ac]k_[0-9A-Za-z]{49}$/;
const CHECKSUM_AT = 46;
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The table of CRC-32/ISO-HDLC, the checksum of gzip: a step for each value of a byte. */
const STEPS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return rest;
});

/** What follows the prefix of a key that was imported; its exact length is the server's to know. */
const IMPORTED = /^[0-9A-Za-z\-._~+/=]{20,512}$/;
/** A key without a prefix has letters and digits alone, as at the server. */
const BARE = /^[0-9A-Za-z]{20,512}$/;

/** Whether the value can be a key, TigerTrust's or with one of the further prefixes: no look-up is worth while for one that cannot. */
export function isKey(value: unknown, prefixes: readonly string[] = []): value is string {
  if (typeof value !== "string") return false;
  if (hasOwnPrefix(value)) {
    return WELL_FORMED.test(value) && checksumOf(value.slice(0, CHECKSUM_AT)) === value.slice(CHECKSUM_AT);
  }
  return prefixes.some((prefix) =>
    prefix === "" ? BARE.test(value) : value.startsWith(prefix) && IMPORTED.test(value.slice(prefix.length)),
  );
}

/** Whether the value claims to be a key: by its prefix, or by its whole form where keys may have none. */
export function claimsToBeKey(value: string, prefixes: readonly string[] = []): boolean {
  return hasOwnPrefix(value) || prefixes.some((prefix) => (prefix === "" ? BARE.test(value) : value.startsWith(prefix)));
}

function hasOwnPrefix(value: string): boolean {
  return value.startsWith("ak_") || value.startsWith("ck_");
}

function checksumOf(content: string): string {
  let crc = 0xffffffff;
  for (let place = 0; place < content.length; place += 1) {
    crc = (crc >>> 8) ^ (STEPS[(crc ^ content.charCodeAt(place)) & 0xff] ?? 0);
  }
  let rest = ~crc >>> 0;
  let digits = "";
  for (let place = 0; place < 6; place += 1) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
