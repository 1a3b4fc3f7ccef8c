// An OpenID provider with a login form: any login name that has an account signs in with any password.
//
// Settings: {
//   host, time (milliseconds since the epoch),
//   issuers: [{ path, tenants, thin }]
//     tenants: as Azure's `common`: the metadata has a template, and tokens are of the tenant in the account's `tid`;
//     thin: what belongs to scopes other than `openid` is told by the userinfo endpoint alone
//   accounts: { login: { claim: value } }, `sub` is the login name unless it is given
//   clients: as of RFC 7591
// }

import { createPrivateKey } from 'node:crypto';
import { CompactSign, decodeJwt, decodeProtectedHeader } from 'jose';

import { newJwk } from './keys.mjs';
import { bodyOf, escaped, serve, setTime, settings } from './program.mjs';

// It warns of much that is as it should be in a test.
console.info = () => {};
console.warn = () => {};
const { Provider } = await import('oidc-provider');

const accounts = new Map(Object.entries(settings.accounts ?? {}));
const key = { ...newJwk('RS256'), kid: 'first', use: 'sig', alg: 'RS256' };

const CLAIMS = {
  openid: ['sub', 'amr', 'groups', 'hd', 'oid', 'roles', 'tid', 'xms_edov'],
  email: ['email', 'email_verified'],
  profile: ['name', 'preferred_username'],
};

const accountOf = (subject) =>
  [...accounts].map(([login, claims]) => ({ sub: login, ...claims })).find((claims) => claims.sub === subject);

function provider(origin, { path = '', tenants = false, thin = false }) {
  const provider = new Provider(`${origin}${path}`, {
    clients: settings.clients,
    claims: CLAIMS,
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    conformIdTokenClaims: thin,
    cookies: { keys: ['of a test'] },
    jwks: { keys: [key] },
    pkce: { required: () => true },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
    },
    // Its own would not speak with this machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount(_, subject) {
      const claims = accountOf(subject);
      return claims && { accountId: subject, claims: () => claims };
    },
    interactions: { url: (_, { uid }) => `${path}/interaction/${uid}` },
    // Nobody is asked whether the client may know what it asks for.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope([...oidc.requestParamScopes].join(' '));
      await grant.save();
      return grant;
    },
    renderError(ctx, { error, error_description: description }) {
      ctx.type = 'text';
      ctx.body = `${error}: ${description}`;
    },
  });
  if (tenants) provider.use((ctx, next) => forTenants(origin, ctx, next));
  return provider;
}

/** Answers as Azure does for many tenants at once. */
async function forTenants(origin, ctx, next) {
  await next();
  if (ctx.oidc?.route === 'discovery') {
    ctx.body.issuer = `${origin}/{tenantid}/v2.0`;
    ctx.body.authorization_response_iss_parameter_supported = undefined;
  } else if (ctx.body?.id_token) {
    ctx.body.id_token = await signedAgain(ctx.body.id_token, ({ tid }) => ({ iss: `${origin}/${tid}/v2.0` }));
  } else if (ctx.response.get('location')) {
    const location = new URL(ctx.response.get('location'), origin);
    location.searchParams.delete('iss');
    ctx.set('location', location.href);
  }
}

async function signedAgain(token, change) {
  const claims = decodeJwt(token);
  const changed = JSON.stringify({ ...claims, ...change(claims) });
  return new CompactSign(Buffer.from(changed))
    .setProtectedHeader(decodeProtectedHeader(token))
    .sign(createPrivateKey({ key, format: 'jwk' }));
}

async function interaction(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method === 'POST') {
    const login = new URLSearchParams(await bodyOf(request)).get('login');
    const account = accounts.get(login);
    const result = account
      ? { login: { accountId: account.sub ?? login, amr: account.amr ?? ['pwd'] } }
      : { error: 'access_denied', error_description: 'nobody is called so' };
    await provider.interactionFinished(request, response, result);
    return;
  }
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>Sign in</title>
<form method="post" action="${escaped(request.url)}">
<input name="login" autocomplete="username" required value="${escaped(params.login_hint ?? '')}">
<input name="password" type="password" required>
<button>Sign in</button>
</form>`);
}

const controls = {
  time: setTime,
  accounts(changed) {
    for (const [login, claims] of Object.entries(changed)) accounts.set(login, claims);
  },
};

await serve(controls, (origin) => {
  const issuers = (settings.issuers ?? [{}])
    .map((issuer) => ({ path: issuer.path ?? '', provider: provider(origin, issuer) }))
    .map(({ path, provider }) => ({ path, provider, handle: provider.callback() }))
    .sort((a, b) => b.path.length - a.path.length);
  return (request, response) => {
    const issuer = issuers.find(({ path }) => request.url.startsWith(`${path}/`));
    if (!issuer) {
      response.statusCode = 404;
      return response.end();
    }
    const { path, provider, handle } = issuer;
    if (request.url.startsWith(`${path}/interaction/`)) return interaction(provider, request, response);
    // As a framework does that a provider is mounted in.
    request.originalUrl = request.url;
    request.url = request.url.slice(path.length);
    return handle(request, response);
  };
});
