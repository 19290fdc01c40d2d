// perchd connect, between a stdio client and a board: signs in once, comes back without asking, survives what boards go through.
import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setDefaultCACertificates } from 'node:tls';
import { addIsThere, ended, kept, stage, started } from './lib/bridge.mjs';
import { folder } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';

const timeout = 120_000;
const pinOf = async (server) => {
  const { X509Certificate } = await import('node:crypto');
  const pem = await until('the CA', 10, () => readFile(server.ca, 'utf8').catch(() => undefined));
  return `sha256:${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`;
};

for (const way of ['/mcp', '/sse']) {
  test(`perchd connect on ${way}`, { timeout: 6 * timeout }, async (t) => {
    const scene = async (name, act) => t.test(name, { timeout }, (t) => stage(t, { path: way }).then((stage) => act(stage)));

    await scene('a person signs in once, a second start asks nobody, and what is kept is private', async ({ home, start, firstStart }) => {
      await firstStart();
      const again = await started(start());
      await addIsThere(again);
      assert.equal((await home.opened()).length, 1, 'one browser');
      const file = await kept(home);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700);
      const { access_token } = JSON.parse(await readFile(file, 'utf8'));
      assert.ok(access_token.length > 20 && !again.program.stderr.includes(access_token));
    });

    await scene('an access token at its end is renewed without a person', async ({ home, start, firstStart }) => {
      await firstStart();
      const file = await kept(home);
      const before = await ended(file);
      await addIsThere(await started(start()));
      const after = JSON.parse(await readFile(file, 'utf8'));
      assert.notEqual(after.access_token, before.access_token);
      assert.equal((await home.opened()).length, 1, 'no browser but the first');
    });

    await scene('a board that restarts, and one that is gone for a while', async ({ t, server, home, firstStart }) => {
      const host = await firstStart({ keep: true });
      await server.restart(t);
      await until('a call after the restart', 30, () => addIsThere(host, 10).then(() => true, () => false));
      await server.program.kill();
      const waiting = host.request('tools/list', undefined, 60);
      waiting.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await server.run(t);
      if (way === '/mcp') assert.ok((await waiting).tools.length > 0, 'the request waited');
      await until('a call after the pause', 30, () => addIsThere(host, 10).then(() => true, () => false));
      assert.equal((await home.opened()).length, 1);
    });

    await scene('a board that lost its key costs one new sign-in', async ({ t, server, home, start, signIn, firstStart }) => {
      await firstStart();
      await server.program.stop();
      server.state = await folder(t);
      await server.run(t);
      const host = start();
      await Promise.all([host.initialize(), signIn(new Person())]);
      await addIsThere(host);
      assert.equal((await home.opened()).length, 2, 'one browser before, one after');
    });

    await scene('Reject is told, and ends it', async ({ start, signIn }) => {
      const host = start();
      const refused = assert.rejects(host.initialize(), /refused: access_denied/);
      await signIn(new Person({ decision: 'Reject' }));
      await refused;
      assert.equal((await host.program.finish(20)).code, 77);
    });
  });
}

test('a board that does not come back is told within the patience', { timeout }, async (t) => {
  const { server, start } = await stage(t, { path: '/mcp', auth: 'open', flags: ['--patience', '2'] });
  const host = await started(start());
  await server.program.kill();
  await assert.rejects(host.request('tools/list', undefined, 30), /cannot connect/);
  assert.equal(host.program.end, undefined, 'the bridge goes on');
  await server.run(t);
  await addIsThere(host);
});

test('over https, by a pin', { timeout: 2 * timeout }, async (t) => {
  const board = { host: '127.0.0.2', tls: ['127.0.0.2'] };
  const { server, home, start, signIn } = await stage(t, { path: '/mcp', server: board });
  const pin = await pinOf(server);
  setDefaultCACertificates([await readFile(server.ca, 'utf8')]);
  const host = start(['--pin', pin]);
  await Promise.all([host.initialize(), signIn(new Person())]);
  await addIsThere(host);

  const wrong = pin.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  for (const [flags, words] of [
    [['--pin', wrong], /not the server that was pinned.*--pin/s],
    [[], /nothing here vouches.*--pin/s],
  ]) {
    const refused = start(flags);
    await assert.rejects(refused.initialize());
    assert.equal((await refused.program.finish(20)).code, 69);
    assert.match(refused.program.stderr, words);
    assert.ok(refused.program.stderr.includes(pin), 'what was seen is said');
  }
  const byFile = await started(start(['--ca', server.ca]));
  await addIsThere(byFile);
  assert.equal((await home.opened()).length, 1);
});

// Far: perchd takes it for an address of the network, where it signs in no other way over plain HTTP.
for (const [where, host, flags, changes] of [
  ['there is no display', undefined, [], { BROWSER: undefined }],
  ['it is asked for, over plain HTTP from far', '127.0.0.2', ['--device', '--allow-http'], {}],
]) {
  test(`with a code on another device, where ${where}`, { timeout }, async (t) => {
    const { home, start } = await stage(t, { path: '/mcp', server: { host } });
    const bridge = start(flags, changes);
    const person = new Person();
    const link = () => /http:\S+user_code=\S+/.exec(bridge.program.stderr)?.[0];
    await Promise.all([bridge.initialize(), until('a link with a code', 45, link).then((found) => person.allow(found))]);
    await addIsThere(bridge);
    assert.deepEqual(await home.opened(), []);
  });
}

test('a token from a file or in a header needs no sign-in, and is repeated nowhere', { timeout }, async (t) => {
  const { server, home, start, firstStart } = await stage(t, { path: '/mcp' });
  await firstStart();
  const { access_token } = JSON.parse(await readFile(await kept(home), 'utf8'));
  await writeFile(home.file('token'), `${access_token}\n`);
  await chmod(home.file('token'), 0o600);
  for (const flags of [['--token-file', home.file('token')], ['--header', `Authorization: Bearer ${access_token}`]]) {
    await addIsThere(await started(start(flags)));
  }
  await writeFile(home.file('token'), 'secret-but-wrong');
  for (const flags of [['--token-file', home.file('token')], ['--header', 'Authorization: Bearer secret-but-wrong']]) {
    const host = start(flags);
    await assert.rejects(host.initialize(), /does not take the token/);
    assert.equal((await host.program.finish(20)).code, 77);
    assert.ok(!host.program.stderr.includes('secret-but-wrong'));
  }
  assert.ok(server);
});
