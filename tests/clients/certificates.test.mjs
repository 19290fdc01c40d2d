// The board's own CA vouches for names of private networks and for no others: Node, which runs most clients, sees to that.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { test } from 'node:test';
import { Perchd } from './lib/perchd.mjs';
import { thief } from './lib/thief.mjs';
import { until } from './lib/wait.mjs';

const timeout = 60_000;

test('Node takes a name of the network from a CA that it trusts, and no other', { timeout: 2 * timeout }, async (t) => {
  const board = await Perchd.start(t, { tls: ['greenhouse.local'] });
  const ca = await until('the CA', 10, () => readFile(board.ca, 'utf8').catch(() => undefined));
  for (const name of ['shed.local', 'shed.lan', 'sub.shed.home.arpa']) {
    await t.test(name, { timeout }, async (t) => assert.equal(await ask(await thief(t, board.state, name), name, ca), 200));
  }
  for (const name of ['claude.ai', 'evil.example', 'local.evil.example', 'notlocal']) {
    await t.test(name, { timeout }, async (t) => {
      const server = await thief(t, board.state, name);
      await assert.rejects(ask(server, name, ca), /permitted subtree violation/);
    });
  }
});

/** The status of the home page of a server that calls itself `name`. */
function ask(server, name, ca) {
  const options = { host: '127.0.0.1', port: server.port, servername: name, headers: { host: `${name}:${server.port}` }, ca };
  return new Promise((resolve, reject) => {
    https.get(options, (answer) => resolve(answer.resume().statusCode)).once('error', reject);
  });
}
