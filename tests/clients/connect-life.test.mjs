// What a bridge lives through: a board that is gone for a minute, streams that are cut, keys that are lost, two bridges with one sign-in.
// Much of it is waiting, so that all of it is done at once.
import assert from 'node:assert/strict';
import { access, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { test } from 'node:test';
import { addIsThere, ended, kept, stage, started } from './lib/bridge.mjs';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';

const MINUTE = 60_000;
const timeout = 300_000;
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('what a bridge lives through', { timeout, concurrency: true }, async (t) => {
  const scenes = [];
  const scene = (name, way, act) =>
    scenes.push(t.test(name, { timeout }, (t) => stage(t, { path: '/mcp', ...way }).then((stage) => act(stage))));

  for (const path of ['/mcp', '/sse'])
    scene(`a board that is gone for a minute, on ${path}`, { path }, async ({ t, server, home, firstStart }) => {
      const host = await firstStart({ keep: true });
      await server.program.kill();
      const gone = Date.now();
      // The default patience is shorter than that.
      await assert.rejects(host.request('tools/list', undefined, 59), /Is the board on, and does perchd run there/);
      assert.ok(Date.now() - gone > 40_000, 'it waited');
      await after(MINUTE - (Date.now() - gone));
      await server.run(t);
      await until('a call after the minute', 60, () => addIsThere(host, 20).then(() => true, () => false));
      assert.equal(host.program.end, undefined);
      assert.equal((await home.opened()).length, 1, 'nobody was asked');
    });

  scene('the same with patience: the request waits for the minute', { flags: ['--patience', '120'] }, async ({ t, server, firstStart }) => {
    const host = await firstStart({ keep: true });
    await server.program.kill();
    const waiting = host.request('tools/list', undefined, 115);
    waiting.catch(() => {});
    await after(MINUTE);
    await server.run(t);
    assert.ok((await waiting).tools.length > 0);
  });

  for (const path of ['/mcp', '/sse'])
    scene(`the key ring is replaced under a bridge that runs, on ${path}`, { path }, async ({ t, server, home, signIn, firstStart }) => {
      const host = await firstStart({ keep: true });
      await server.program.stop();
      await rm(`${server.state}/keys`);
      await server.run(t);
      await Promise.all([until('a call after a new sign-in', 60, () => addIsThere(host, 60).then(() => true)), signIn(new Person())]);
      assert.equal((await home.opened()).length, 2, 'one browser before, one after');
    });

  scene('two bridges with one sign-in renew it at the same time, once', {}, async ({ server, home, start, firstStart }) => {
    const hosts = [await firstStart({ keep: true }), await started(start())];
    const renewals = () => server.program.stderr.split('\n').filter((line) => line.includes('"grant_type":"refresh_token"')).length;
    const file = await kept(home);
    for (let round = 1; round <= 3; round += 1) {
      const before = await ended(file);
      await Promise.all(hosts.map((host) => addIsThere(host)));
      assert.notEqual(JSON.parse(await readFile(file, 'utf8')).refresh_token, before.refresh_token);
      assert.equal(renewals(), round, 'one of the two');
    }
    assert.equal((await home.opened()).length, 1, 'nobody was asked');
  });

  scene('a stream that is cut in the middle of a call is come back for', {
    auth: 'open', server: { example: 'conformance' }, by: (server) => cutting(t, server),
  }, async ({ start }) => {
    const host = start();
    const progress = [];
    const { receive } = host;
    host.receive = (message) => {
      if (message.method === 'notifications/progress') progress.push(message.params.progress);
      receive.call(host, message);
    };
    await host.initialize('2025-11-25');
    cuts.atNext = true;
    const params = { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 'p' } };
    const result = await host.request('tools/call', params);
    assert.match(result.content[0].text, /progress executed/);
    assert.equal(cuts.made, 1);
    assert.deepEqual(progress, [0, 50, 100], 'each once');
    assert.equal(cuts.heads.filter((head) => /^last-event-id: \S/im.test(head)).length, 1, 'it came back for the rest');
    assert.equal(cuts.bodies.filter((text) => text.includes('"tools/call"')).length, 1, 'the call was sent once');
  });

  scene('what is forgotten is asked for anew', {}, async ({ home, start, signIn, firstStart }) => {
    await firstStart();
    const file = await kept(home);
    const forget = async (words) => {
      const { program } = start(['--forget']);
      assert.equal((await program.finish(10)).code, 0);
      assert.match(program.stderr, words);
      assert.equal(program.stdout, '');
    };
    await forget(/Forgotten: http/);
    await assert.rejects(access(file));
    await forget(/Nothing was kept: http/);
    const host = start();
    await Promise.all([host.initialize(), signIn(new Person())]);
    await addIsThere(host);
    assert.equal((await home.opened()).length, 2);
  });

  scene('what --scope says is asked for', { flags: ['--scope', 'system:read', '--scope', 'math'] }, async ({ home, start, signIn }) => {
    const host = start();
    await Promise.all([host.initialize(), signIn(new Person())]);
    const [link] = await home.opened();
    assert.equal(new URL(link).searchParams.get('scope'), 'system:read math', 'not in the order of the server');
    const { tools } = await host.request('tools/list');
    const names = tools.map(({ name }) => name);
    assert.ok(names.includes('add') && names.includes('board_health'), names.join());
    assert.equal(JSON.parse(await readFile(await kept(home), 'utf8')).scope, 'math system:read');
  });

  scene('and what it leaves out is not there', { flags: ['--scope', 'math'] }, async ({ home, start, signIn }) => {
    const host = start();
    await Promise.all([host.initialize(), signIn(new Person())]);
    assert.equal(new URL((await home.opened())[0]).searchParams.get('scope'), 'math');
    const { tools } = await host.request('tools/list');
    assert.ok(tools.every(({ name }) => name !== 'board_health') && tools.length > 0);
  });

  await Promise.all(scenes);
});

/** What the way between saw, and was told to do. */
const cuts = { atNext: false, made: 0, heads: [], bodies: [] };

/** A way to a server that can be cut: right behind the first word of progress. Returns its address. */
async function cutting(t, server) {
  const way = net.createServer((client) => {
    const board = net.connect(server.port, '127.0.0.1');
    const end = () => [client, board].forEach((socket) => socket.destroy());
    client.on('data', (bytes) => {
      const text = bytes.toString();
      cuts.heads.push(text.split('\r\n\r\n')[0]);
      cuts.bodies.push(text);
      board.write(bytes);
    });
    board.on('data', (bytes) => {
      const at = cuts.atNext ? bytes.indexOf('notifications/progress') : -1;
      if (at < 0) return client.write(bytes);
      cuts.atNext = false;
      cuts.made += 1;
      // However much has come already, no more than that event goes on.
      board.destroy();
      client.end(bytes.subarray(0, bytes.indexOf('\n\n', at) + 2));
    });
    for (const socket of [client, board]) socket.on('error', end).on('close', end);
  });
  await new Promise((resolve, reject) => way.once('error', reject).listen(0, '127.0.0.1', resolve));
  t.after(() => way.close());
  return `http://localhost:${way.address().port}`;
}
