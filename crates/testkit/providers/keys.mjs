// Keys that are gone with the program.
//
// A key is written down while it is made, and read again. To export the very object that was made can hang Node.js forever: the
// export locks the key, and a garbage collection in the midst of it has the job that made the key lock it once more.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';

const TYPES = {
  RS: ['rsa', { modulusLength: 2048 }],
  PS: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  EdDSA: ['ed25519', {}],
};

/** A new key for an algorithm of RFC 7518: { publicKey, privateKey }, in PEM. */
export function newKey(alg = 'RS256') {
  const [type, options] = TYPES[alg] ?? TYPES[alg.slice(0, 2)];
  return generateKeyPairSync(type, {
    ...options,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

/** A new private key for an algorithm, as RFC 7517 has it, without its use. */
export const newJwk = (alg) => createPrivateKey(newKey(alg).privateKey).export({ format: 'jwk' });
