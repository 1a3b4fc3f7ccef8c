// An OpenID provider that does as it is told, and so wrong: oauth2-mock-server, with what a test wants otherwise. It signs in at
// once, and everybody is called `johndoe`.
//
// Settings: { host, time (milliseconds since the epoch) }
//
// POST /_test/otherwise takes, for all that follows, {
//   header, claims: put over those of ID tokens (null takes a member away),
//   sign: 'none' | 'HS256' | 'another key' | 'not at all',
//   metadata, userinfo: put over the provider's metadata, and over what its userinfo endpoint says,
//   paths: { path: { status, headers, size } | 'silence' }: answers in place of the provider's own
// }
// /_test/token signs { header, claims, sign }, /_test/roll has all that follows signed by a new key, of { alg } if that is
// given, and /_test/requests tells how often each path was asked for.

import { createHmac, randomUUID } from 'node:crypto';
import { CompactSign, importJWK } from 'jose';
import { OAuth2Server } from 'oauth2-mock-server';

import { newJwk } from './keys.mjs';
import { serve, setTime, settings } from './program.mjs';

let origin;
let service;
let key;
let otherwise = {};
const requests = {};

function put(object, changes = {}) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete object[name];
    else object[name] = value;
  }
}

/** A compact JWS, signed in one of the ways that `sign` above names. */
async function signed(header, claims, how) {
  const full = { alg: key.alg, kid: key.kid, typ: 'JWT' };
  if (how === 'none' || how === 'HS256') full.alg = how;
  put(full, header);
  if (how === undefined || how === 'another key') {
    const private_ = await importJWK(how === undefined ? key : newJwk(key.alg), key.alg);
    const jws = new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ ...full, alg: key.alg });
    return jws.sign(private_);
  }
  const input = [full, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  // As whoever takes the client's secret for a key that only the provider has.
  const signature = how === 'HS256' ? createHmac('sha256', 'secret').update(input).digest('base64url') : '';
  return `${input}.${signature}`;
}

async function begin(alg) {
  const server = new OAuth2Server();
  server.issuer.url = origin;
  key = await server.issuer.keys.add({ ...newJwk(alg), alg, kid: randomUUID() });
  service = server.service;
  // Access tokens are signed by the same event, but name no audience.
  service.on('beforeTokenSigning', ({ header, payload }) => {
    if (!('aud' in payload)) return;
    put(header, otherwise.header);
    put(payload, otherwise.claims);
  });
  service.on('beforeUserinfo', ({ body }) => put(body, otherwise.userinfo));
}

/** The provider's own answer with something put over it. */
async function changed(request, response, change) {
  const own = await fetch(`${origin}${request.url}`, {
    method: request.method,
    headers: { ...request.headers, 'x-own': 'yes' },
    body: request.method === 'POST' ? request : undefined,
    duplex: 'half',
  });
  const body = await own.json();
  await change(body);
  response.writeHead(own.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

const controls = {
  time: setTime,
  otherwise(changes) {
    otherwise = changes ?? {};
  },
  requests: () => requests,
  token: ({ header, claims, sign }) => signed(header, claims, sign),
  roll: ({ alg = 'RS256' }) => begin(alg),
};

await serve(controls, async (own) => {
  origin = own;
  await begin('RS256');
  return (request, response) => {
    if (request.headers['x-own']) return service.requestHandler(request, response);
    const [path] = request.url.split('?');
    requests[path] = (requests[path] ?? 0) + 1;

    const other = otherwise.paths?.[path];
    if (other === 'silence') return undefined;
    if (other) {
      response.writeHead(other.status ?? 200, other.headers);
      return response.end(' '.repeat(other.size ?? 0));
    }
    if (path === '/.well-known/openid-configuration' && otherwise.metadata) {
      return changed(request, response, (metadata) => put(metadata, otherwise.metadata));
    }
    if (path === '/token' && otherwise.sign) {
      return changed(request, response, async (answer) => {
        const claims = JSON.parse(Buffer.from(answer.id_token.split('.')[1], 'base64url'));
        answer.id_token = await signed(otherwise.header, claims, otherwise.sign);
      });
    }
    return service.requestHandler(request, response);
  };
});
