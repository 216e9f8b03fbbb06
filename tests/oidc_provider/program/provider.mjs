// An OIDC provider for tests: panva's oidc-provider over TLS on loopback, told what to be over its standard input.
//
// Each line of the input is one command, {"do": NAME, ...}, answered by one line of output. Its interface for tests is
// provider.py's; nothing else talks to it. It ends when its input does.

import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createInterface } from 'node:readline';

import Provider, { errors, interactionPolicy } from 'oidc-provider';

import { interaction, pages } from './pages.mjs';
import { registerExchange } from './exchange.mjs';

const [certificate, key] = process.argv.slice(2);
const asked = {};
let issuer = '';
let answer = null; // what answers requests, of the provider as it was last configured
let state = null;

const commands = {
  // All there is to know: keys, clients, users, resources, lifetimes. What was issued before stays good.
  configure(command) {
    state = command;
    answer = made(state);
  },
  asked() {
    return asked;
  },
};

function resourceServer(name) {
  const found = state.resources[name];
  if (!found) throw new errors.InvalidTarget();
  return {
    audience: found.audience,
    scope: found.scope,
    accessTokenTTL: found.seconds,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: state.keys[0].alg } },
  };
}

// What the client asks for is granted without a question: who signs in agrees to it.
async function grant(ctx) {
  const { client, session, provider, resourceServers } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const made_ = (known && (await provider.Grant.find(known)))
    || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  made_.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(' '));
  for (const [name, server] of Object.entries(resourceServers)) made_.addResourceScope(name, server.scope);
  await made_.save();
  return made_;
}

function policy() {
  const prompts = interactionPolicy.base();
  prompts.get('consent').checks.remove('native_client_prompt');
  return prompts;
}

function made(now) {
  const own = new Set(['sub', 'groups', 'email', 'email_verified', 'name', 'preferred_username']);
  const others = Object.values(now.users).flatMap(Object.keys).filter((name) => !own.has(name) && name[0] !== '_');
  const claimsOf = (sub) => ({ ...now.users[sub], sub: now.users[sub].sub ?? sub });
  const provider = new Provider(issuer, {
    jwks: { keys: now.keys },
    clients: now.clients.map(({ resource, ...metadata }) => ({
      id_token_signed_response_alg: now.keys[0].alg,
      ...metadata,
    })),
    claims: {
      openid: ['sub', 'sid', ...others],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    // As most providers have it: what the scopes stand for is in the ID token.
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', ...Object.values(now.resources).flatMap((one) => one.scope.split(' '))],
    findAccount: (ctx, sub) => now.users[sub] && { accountId: sub, claims: () => claimsOf(sub) },
    extraTokenClaims: (ctx, token) => token.accountId && { ...claimsOf(token.accountId), sub: undefined },
    loadExistingGrant: grant,
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    interactions: { policy: policy(), url: (ctx, { uid }) => `/interaction/${uid}` },
    cookies: { keys: ['signs what only this process reads'] },
    pkce: { required: () => true },
    ttl: { ...now.seconds, AccessToken: (ctx, token) => token.resourceServer?.accessTokenTTL ?? now.seconds.AccessToken },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true, ...pages.device },
      revocation: { enabled: true },
      introspection: { enabled: true },
      rpInitiatedLogout: { enabled: true, ...pages.logout },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) =>
          oneOf ?? now.clients.find((one) => one.client_id === client.clientId)?.resource,
        getResourceServerInfo: (ctx, name) => resourceServer(name),
        useGrantedResource: () => true,
      },
    },
  });
  registerExchange(provider, issuer, () => state);
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'token' && ctx.status === 200) Object.assign(ctx.body, now.token_answers);
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  const usual = provider.callback();
  return (request, response) =>
    request.url.startsWith('/interaction/') ? interaction(provider, now.users, request, response) : usual(request, response);
}

async function instead(response, { status, headers, body, seconds, endless }) {
  if (seconds) await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  if (response.destroyed) return;
  response.writeHead(status, headers);
  if (!endless) {
    response.end(body);
    return;
  }
  const more = () => {
    if (!response.destroyed) response.write(' '.repeat(65536), more);
  };
  more();
}

const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  const path = request.url.split('?')[0];
  asked[path] = (asked[path] ?? 0) + 1;
  const other = state.instead[path];
  (other ? instead(response, other) : Promise.resolve(answer(request, response))).catch((error) => {
    console.error(error);
    response.destroy();
  });
});

server.listen(0, '127.0.0.1', () => {
  issuer = `https://localhost:${server.address().port}`;
  console.log(JSON.stringify({ issuer }));
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    try {
      const command = JSON.parse(line);
      console.log(JSON.stringify({ result: (await commands[command.do](command)) ?? null }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error.stack) }));
    }
  });
  lines.on('close', () => process.exit(0));
});
