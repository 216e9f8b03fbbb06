// Token exchange (RFC 8693), which oidc-provider lets be added as a grant of one's own: a client presents a token of
// this provider's, and gets one for another audience in which it, or whom its actor token names, acts for the subject.

import { randomUUID } from 'node:crypto';

import * as jose from 'jose';
import { errors } from 'oidc-provider';

export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const TYPES = new Set([ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:id_token', 'urn:ietf:params:oauth:token-type:jwt']);
const PARAMETERS = ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type',
  'resource', 'audience', 'scope'];
// Of the subject's token, what the new one says for itself.
const ITS_OWN = new Set(['iss', 'aud', 'iat', 'exp', 'nbf', 'jti', 'client_id', 'azp', 'scope', 'nonce', 'at_hash', 'sid', 'act']);

// A key without its secret.
const open = ({ kid, kty, alg, n, e, crv, x, y }) => ({ kid, kty, alg, n, e, crv, x, y });

export function registerExchange(provider, issuer, state) {
  const read = async (name, token, type) => {
    if (!token || !TYPES.has(type)) throw new errors.InvalidRequest(`${name} and ${name}_type are needed`);
    const known = jose.createLocalJWKSet({ keys: state().keys.map(open) });
    return jose.jwtVerify(token, known, { issuer }).then(
      ({ payload }) => payload,
      (error) => { throw new errors.InvalidGrant(`${name}: ${error.message}`); },
    );
  };
  const targeted = ({ resource, audience }) => {
    const wanted = Object.entries(state().resources)
      .filter(([name, one]) => (resource ? name === resource : one.audience === audience));
    if (wanted.length !== 1) throw new errors.InvalidTarget('name one resource, or one audience, that is known');
    return wanted[0][1];
  };
  provider.registerGrantType(GRANT, async (ctx, next) => {
    const { params, client } = ctx.oidc;
    const subject = await read('subject_token', params.subject_token, params.subject_token_type);
    const actor = params.actor_token
      ? await read('actor_token', params.actor_token, params.actor_token_type)
      : { sub: client.clientId };
    const target = targeted(params);
    const [{ kid, alg, ...key }] = state().keys;
    const kept = Object.entries(subject).filter(([name]) => !ITS_OWN.has(name));
    const act = { sub: actor.sub, ...(actor.groups && { groups: actor.groups }), ...(subject.act && { act: subject.act }) };
    const claims = { ...Object.fromEntries(kept), act, client_id: client.clientId, azp: client.clientId, scope: params.scope };
    const token = await new jose.SignJWT(claims)
      .setProtectedHeader({ alg, kid, typ: 'at+jwt' })
      .setIssuer(issuer).setAudience(target.audience).setIssuedAt().setExpirationTime(`${target.seconds}s`)
      .setJti(randomUUID())
      .sign(await jose.importJWK({ ...key, alg }, alg));
    ctx.body = {
      access_token: token, issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: target.seconds,
      scope: params.scope,
    };
    await next();
  }, PARAMETERS);
}
