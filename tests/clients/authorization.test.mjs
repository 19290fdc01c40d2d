// The official conformance suite, next build, on the authorization server itself: its metadata, and the way of a code, with a
// person in the browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd, freePort } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { authorizationChecks, Counts, words } from './lib/suite.mjs';

const RUNS = [
  { revision: '2025-03-26', successes: 2 },
  { revision: '2025-06-18', successes: 2 },
  { revision: '2025-11-25', successes: 2, cimd: true },
  { revision: '2026-07-28', successes: 2, cimd: true },
];

// Warnings that we know and accept, each with its reason. An entry that is no longer warned about fails.
const ACCEPTED = {
  // A client id that is an https address would have the board fetch what a stranger names (SSRF), and a LAN may have no way out.
  'authorization-server-metadata-endpoint: authorization-server-metadata-cimd': ({ cimd }) => cimd,
};

const total = new Counts();

test('the authorization server', { timeout: 5 * 60_000 }, async (t) => {
  const server = await Perchd.start(t, { auth: 'demo' });
  for (const run of RUNS) await t.test(run.revision, { timeout: 60_000 }, (t) => attempt(t, server.base, run));
});

test.after(() => console.log(`conformance checks: ${total}`));

async function attempt(t, base, run) {
  const port = await freePort();
  const client = await register(base, `http://127.0.0.1:${port}/callback`);
  const choice = ['--url', base, '--client-id', client, '--resource', `${base}/mcp`, '--port', port, '--spec-version', run.revision];
  const checks = await authorizationChecks(t, choice, (link) => new Person().signIn(link));
  total.add(checks);
  const warnings = checks.filter(({ status }) => status === 'WARNING').map(({ scenario, id }) => `${scenario}: ${id}`);
  const accepted = Object.entries(ACCEPTED).filter(([, isExpected]) => isExpected(run));
  assert.deepEqual(warnings.sort(), accepted.map(([name]) => name).sort(), 'the warnings that are accepted, and no other');
  const bad = checks.filter(({ status }) => !['SUCCESS', 'WARNING'].includes(status));
  assert.deepEqual(bad.map(words), []);
  assert.equal(checks.filter(({ status }) => status === 'SUCCESS').length, run.successes);
}

async function register(base, redirect_uri) {
  const answer = await fetch(`${base}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Conformance', redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none' }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).client_id;
}
