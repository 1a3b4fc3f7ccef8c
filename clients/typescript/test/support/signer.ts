import { type KeyObject, generateKeyPairSync, sign } from "node:crypto";

/** Signs tokens as a server does, with whatever claims a test needs. */
export class Signer {
  readonly kid: string;
  readonly jwk: Record<string, unknown>;
  readonly #key: KeyObject;

  constructor(kid = "tigertrust-0123456789abcdef") {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.kid = kid;
    this.#key = privateKey;
    const { kty, crv, x } = publicKey.export({ format: "jwk" });
    this.jwk = { kty, crv, use: "sig", alg: "EdDSA", kid, x };
  }

  /** What a server would answer that has these keys. */
  static keySetOf(...signers: Signer[]): string {
    return JSON.stringify({ keys: signers.map(({ jwk }) => jwk) });
  }

  token(claims: object, header = `{"alg":"EdDSA","typ":"at+jwt","kid":"${this.kid}"}`): string {
    const signed = `${encode(header)}.${encode(JSON.stringify(claims))}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`;
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
