// A SAML identity provider with a login form: samlp. Any login name that has an account signs in with any password.
//
// Settings: {
//   host, time (milliseconds since the epoch),
//   entityId: where the metadata is, unless it is given
//   signs: 'assertion' | 'response' | 'both', the assertion unless it is given
//   nameIdFormat: the end of one, `persistent` unless it is given
//   accounts: { login: { nameId, attributes: { name: value or [values] }, context } }
//     nameId: the login name unless it is given; context: the authentication context, if another than `unspecified`
// }
//
// It answers none but the service providers whose metadata it was given: POST /_test/register takes the URL. A request has to be
// signed if the metadata has a certificate. /_test/announce publishes one more key in the metadata, and /_test/roll has the newest
// sign from then on. /_test/unsolicited takes { login, serviceProvider (its entity id) } and returns { action, SAMLResponse }.

import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

import { newKey } from './keys.mjs';
import { bodyOf, escaped, serve, setTime, settings } from './program.mjs';

// Of what it is made warns of itself.
process.noDeprecation = true;
const { default: samlp } = await import('samlp');

const FORMAT = { emailAddress: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' };

const accounts = new Map(Object.entries(settings.accounts ?? {}));
const serviceProviders = new Map();
const keys = [newCertificate()];
let signing = keys[0];
let entityId;

/** A private key and a certificate of it, in PEM. */
function newCertificate() {
  const { publicKey, privateKey } = newKey();
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = `0${randomUUID().replaceAll('-', '').slice(1)}`;
  certificate.validity.notBefore = new Date();
  certificate.validity.notAfter = new Date(Date.now() + 365 * 24 * 60 * 60 * 1000);
  const name = [{ name: 'commonName', value: 'provider of a test' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  return { key: privateKey, cert: forge.pki.certificateToPem(certificate).replaceAll('\r', '') };
}

/** What a certificate is within its PEM. */
const inner = (pem) => pem.replace(/-----[^-]+-----|\s/g, '');

function metadata(origin) {
  const descriptors = keys.map(
    ({ cert }) => `<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
<ds:X509Certificate>${inner(cert)}</ds:X509Certificate>
</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
  );
  return `<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${escaped(entityId)}">
<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
${descriptors.join('\n')}
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${origin}/sso"/>
</md:IDPSSODescriptor>
</md:EntityDescriptor>
`;
}

/** Reads who is answered, and where. */
async function register(url) {
  const text = await (await fetch(url)).text();
  const [entity, acs, signingCert] = [/entityID="([^"]+)"/, /Service [^>]*Location="([^"]+)"/, /X509Certificate>([^<]+)</].map(
    (pattern) => text.match(pattern)?.[1],
  );
  serviceProviders.set(entity, { acs, signingCert });
}

/** The fields of the form that is posted to a service provider. */
async function respond(login, { to, inResponseTo, relayState }) {
  const account = accounts.get(login);
  const { acs } = serviceProviders.get(to);
  const format = settings.nameIdFormat ?? 'persistent';
  const response = await promisify(samlp.getSamlResponse)(
    {
      issuer: entityId,
      ...signing,
      signatureAlgorithm: 'rsa-sha256',
      digestAlgorithm: 'sha256',
      signAssertion: settings.signs !== 'response',
      signResponse: ['response', 'both'].includes(settings.signs),
      audience: to,
      recipient: acs,
      destination: acs,
      inResponseTo,
      lifetimeInSeconds: 300,
      sessionIndex: `_${randomUUID()}`,
      authnContextClassRef: account.context,
      profileMapper: () => ({
        getClaims: () => account.attributes ?? {},
        getNameIdentifier: () => ({
          nameIdentifier: account.nameId ?? login,
          nameIdentifierFormat: FORMAT[format] ?? `urn:oasis:names:tc:SAML:2.0:nameid-format:${format}`,
        }),
      }),
    },
    {},
  );
  return { action: acs, SAMLResponse: Buffer.from(response).toString('base64'), RelayState: relayState };
}

/** The request that the browser was sent with, if it is of a service provider that is known. */
async function requestIn(query) {
  const parse = promisify(samlp.parseRequest);
  // Who claims to ask decides by which key that is checked.
  const { issuer } = await parse({ query: { SAMLRequest: query.SAMLRequest } }, {});
  const serviceProvider = serviceProviders.get(issuer);
  if (!serviceProvider) throw new Error(`${issuer} is not registered`);
  const request = await parse({ query }, { signingCert: serviceProvider.signingCert, relayState: query.RelayState });
  if (request.assertionConsumerServiceURL !== serviceProvider.acs) throw new Error('the answer is to go elsewhere');
  return request;
}

async function signOn(request, response, url) {
  const query = Object.fromEntries(url.searchParams);
  const asked = await requestIn(query);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  if (request.method !== 'POST') {
    response.end(`<!doctype html><title>Sign in</title>
<form method="post" action="${escaped(request.url)}">
<input name="login" autocomplete="username" required>
<input name="password" type="password" required>
<button>Sign in</button>
</form>`);
    return;
  }
  const login = new URLSearchParams(await bodyOf(request)).get('login');
  if (!accounts.has(login)) {
    response.statusCode = 403;
    response.end('nobody is called so');
    return;
  }
  const { action, ...fields } = await respond(login, {
    to: asked.issuer,
    inResponseTo: asked.id,
    relayState: query.RelayState,
  });
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`,
  );
  response.end(`<!doctype html><title>Going back</title>
<form method="post" action="${escaped(action)}">
${inputs.join('\n')}
</form>
<script>document.forms[0].submit();</script>`);
}

const controls = {
  time: setTime,
  accounts(changed) {
    for (const [login, account] of Object.entries(changed)) accounts.set(login, account);
  },
  register,
  announce() {
    keys.push(newCertificate());
  },
  roll() {
    signing = keys.at(-1);
  },
  unsolicited: ({ login, serviceProvider }) => respond(login, { to: serviceProvider }),
};

await serve(controls, (origin) => {
  entityId = settings.entityId ?? `${origin}/metadata`;
  return (request, response) => {
    const url = new URL(request.url, origin);
    if (url.pathname === '/sso') return signOn(request, response, url);
    if (url.pathname === '/metadata') {
      response.setHeader('content-type', 'application/samlmetadata+xml');
      return response.end(metadata(origin));
    }
    response.statusCode = 404;
    return response.end();
  };
});
