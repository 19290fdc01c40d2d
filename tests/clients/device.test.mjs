// The device grant: mcp-remote 0.15.1 over plain HTTP beyond localhost, where it signs in no other way, and a script that knows fetch.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Home } from './lib/home.mjs';
import { Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const dist = path.join(import.meta.dirname, 'node_modules/mcp-remote/dist');
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** The second address of this computer: clients and perchd take it for one of the network. */
const FAR = '127.0.0.2';

const timeout = 120_000;

test('mcp-remote signs in with a code over plain HTTP beyond localhost', { timeout }, async (t) => {
  const server = await Perchd.start(t, { host: FAR });
  const home = await Home.make(t);
  const mcpRemote = (...flags) => {
    const args = [path.join(dist, 'proxy.js'), `${server.base}/mcp`, '--allow-http', ...flags];
    return new Stdio(new Program(t, process.execPath, args, { env: home.env, cwd: home.path, input: true, name: 'mcp-remote' }));
  };

  const first = mcpRemote('--device-code');
  const person = new Person();
  await Promise.all([first.initialize(), allowed(first.program, person)]);
  assert.equal(person.pages.at(-1), 'Allowed');
  assert.equal(await first.call('add', { a: 2, b: 3 }), '5');
  assert.deepEqual(await home.opened(), [], 'no browser was opened here');
  await first.program.stop();

  await server.restart(t);
  await home.newPage();
  const second = mcpRemote();
  await second.initialize();
  assert.equal(await second.call('add', { a: 2, b: 3 }), '5');
  assert.ok(!(await home.requests()).some((line) => /\/(register|device_authorization|token)$/.test(line)), 'nobody was asked again');
});

test('mcp-remote hears that somebody said no', { timeout }, async (t) => {
  const server = await Perchd.start(t, { host: FAR });
  const home = await Home.make(t);
  const args = [path.join(dist, 'client.js'), `${server.base}/mcp`, '--allow-http', '--device-code'];
  const client = new Program(t, process.execPath, args, { env: home.env, cwd: home.path, name: 'mcp-remote-client' });
  const person = new Person({ decision: 'Reject' });
  await allowed(client, person);
  assert.equal(person.pages.at(-1), 'Rejected');
  await until('mcp-remote to say so', 45, () => /Authorization was denied/.test(client.stderr + client.stdout));
});

/** Opens the link that the program prints. */
async function allowed(program, person) {
  const link = await until('a link with a code', 45, () => /http:\S+\/device\?user_code=\S+/.exec(program.stderr + program.stdout)?.[0]);
  return person.allow(link);
}

test('a script asks at the pace that it is told, and gets its tokens once', { timeout }, async (t) => {
  const server = await Perchd.start(t);
  const metadata = await (await fetch(`${server.base}/.well-known/oauth-authorization-server`)).json();
  assert.ok(metadata.grant_types_supported.includes(GRANT));
  const registration = { client_name: 'A script', grant_types: [GRANT] };
  const headers = { 'content-type': 'application/json' };
  const registered = await fetch(metadata.registration_endpoint, { method: 'POST', headers, body: JSON.stringify(registration) });
  const { client_id } = await registered.json();
  const post = async (url, fields) => {
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ client_id, ...fields }) });
    return { status: answer.status, ...(await answer.json()) };
  };
  const asked = await post(metadata.device_authorization_endpoint, { scope: 'math' });
  const poll = () => post(metadata.token_endpoint, { grant_type: GRANT, device_code: asked.device_code });

  for (let round = 0; round < 2; round += 1) {
    assert.equal((await poll()).error, 'authorization_pending', 'at that pace it is never told to slow down');
    await sleep(asked.interval * 1000);
  }
  assert.equal(await new Person().allow(asked.verification_uri_complete), 'Allowed');
  const tokens = await poll();
  assert.deepEqual([tokens.status, tokens.scope, typeof tokens.refresh_token], [200, 'math', 'string']);
  assert.equal((await poll()).error, 'invalid_grant');
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'add', arguments: { a: 2, b: 3 } } };
  const authorization = `Bearer ${tokens.access_token}`;
  const answer = await fetch(`${server.base}/mcp`, { method: 'POST', headers: { ...headers, authorization }, body: JSON.stringify(call) });
  assert.equal((await answer.json()).result.content[0].text, '5');
});
