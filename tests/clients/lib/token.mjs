// Signs in as a client does (RFC 7591, RFC 6749 4.1, RFC 7636) and returns an access token for every scope
// at /mcp, or another way in.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Person } from './person.mjs';

export async function accessToken(base, { person = {}, way = '/mcp' } = {}) {
  const resource = base + way;
  const metadata = await json(await fetch(`${base}/.well-known/oauth-authorization-server`));
  const redirect_uri = 'http://127.0.0.1:33418/callback';
  const { client_id } = await json(
    await fetch(metadata.registration_endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Tests', redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none' }),
    }),
  );
  const code_verifier = randomBytes(32).toString('base64url');
  const scopes = metadata.scopes_supported;
  const link = new URL(metadata.authorization_endpoint);
  link.search = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri,
    scope: scopes.join(' '),
    state: 'state',
    resource,
    code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const { callback } = await new Person({ scopes, ...person }).signIn(link, { stopAtCallback: true });
  const code = callback.searchParams.get('code');
  const grant = { grant_type: 'authorization_code', code, client_id, redirect_uri, code_verifier, resource };
  const { access_token } = await json(await fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(grant) }));
  return access_token;
}

async function json(answer) {
  const text = await answer.text();
  assert.ok(answer.ok, `${answer.status} from ${answer.url}: ${text}`);
  return JSON.parse(text);
}
