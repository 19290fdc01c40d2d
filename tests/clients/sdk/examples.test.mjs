// The examples of the library guide, each run as the guide says and used by the TypeScript SDKs.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { binary, folder, freePort } from '../lib/perchd.mjs';
import { Program } from '../lib/program.mjs';
import { until } from '../lib/wait.mjs';
import { Connection, isStateless, textOf, WAYS } from './ways.mjs';

const examples = process.env.EXAMPLES ?? path.join(path.dirname(binary), 'examples');
const timeout = 120_000;
const ways = WAYS.filter(({ name }) => ['SDK 1, /mcp, handshake', 'SDK 2, /sse, handshake', 'SDK 2, /mcp, stateless'].includes(name));
assert.equal(ways.length, 3);

/** Starts an example with a configuration of its own, and waits until its page is there. */
async function start(t, name, more = () => []) {
  const work = await folder(t);
  const port = await freePort();
  await mkdir(path.join(work, 'state'));
  const config = path.join(work, 'perchd.toml');
  await writeFile(config, `listen = "127.0.0.1:${port}"\nstate = "${work}/state"\n[auth]\nmode = "open"\n`);
  const words = more(work, port);
  const own = words.length ? words : [config];
  const program = new Program(t, path.join(examples, name), own, { name, input: true });
  const base = `http://localhost:${port}`;
  await until(`${name} on port ${port}`, 30, () => {
    if (program.end) throw new Error(`${name} ended: ${program.transcript()}`);
    return fetch(base).then((response) => response.ok, () => false);
  });
  t.after(() => program.end || program.stop());
  return { base, work, port, config, program };
}

for (const way of ways) {
  test(`${way.name}: blink switches the light, says how far it is, and leaves it off`, { timeout }, async (t) => {
    const led = await folder(t);
    const brightness = path.join(led, 'brightness');
    await writeFile(brightness, '0');
    const server = await start(t, 'blink', (work) => [path.join(work, 'perchd.toml'), led]);
    const connection = await Connection.open(t, server, way);
    const progress = [];
    const call = connection.call('blink', { times: 3 }, { onprogress: ({ progress: at, total }) => progress.push([at, total]) });
    await until('the light', 10, async () => (await readFile(brightness, 'utf8')) === '1');
    assert.equal(textOf(await call), 'blinked 3 times');
    assert.equal(await readFile(brightness, 'utf8'), '0');
    assert.deepEqual(progress.at(-1), [3, 3]);
    assert.equal((await connection.call('blink', { times: 21 })).isError, true);
  });

  test(`${way.name}: the weather is read, and who watches it hears of a change`, { timeout }, async (t) => {
    const sensor = path.join(await folder(t), 'temp1_input');
    await writeFile(sensor, '21500\n');
    const server = await start(t, 'weather', (work) => [path.join(work, 'perchd.toml'), sensor]);
    const connection = await Connection.open(t, server, way);
    const uri = 'weather://here';
    const read = async () => JSON.parse((await connection.client.readResource({ uri })).contents[0].text).celsius;
    assert.equal(await read(), 21.5);
    const heard = connection.hear('notifications/resources/updated');
    if (isStateless(way)) await connection.client.listen({ resourceSubscriptions: [uri] }, { timeout: 10_000 });
    else await connection.client.subscribeResource({ uri });
    await connection.unaskedStream();
    await writeFile(sensor, '-3250\n');
    await until('word of the change', 20, () => heard.length);
    assert.equal(heard[0].uri, uri);
    assert.ok([-3.2, -3.3].includes(await read()));
    await writeFile(sensor, 'nonsense');
    await assert.rejects(read, /does not answer/);
  });

  for (const [what, answer, told] of [
    ['agrees', { action: 'accept', content: { open: true, minutes: 7 } }, /^The gate is open for Ada, for 7 minutes\.$/],
    ['does not tick it', { action: 'accept', content: { open: false } }, /^The gate stays shut/],
    ['says no', { action: 'decline' }, /^The gate stays shut/],
  ]) {
    test(`${way.name}: the gate is opened for nobody whose owner has not agreed: he ${what}`, { timeout }, async (t) => {
      const server = await start(t, 'approval');
      const asked = [];
      const answers = { 'elicitation/create': (params) => asked.push(params) && answer };
      const connection = await Connection.open(t, server, way, { answers });
      assert.match(textOf(await connection.call('open_gate', { who: 'Ada' })), told);
      assert.match(asked[0].message, /Ada stands at the gate/);
      assert.equal(asked.length, 1);
    });
  }

  test(`${way.name}: a client that cannot ask its user opens no gate`, { timeout }, async (t) => {
    const server = await start(t, 'approval');
    const connection = await Connection.open(t, server, way);
    const outcome = await connection.call('open_gate', { who: 'Ada' }).catch((error) => ({ isError: true, content: [{ text: error.message }] }));
    assert.equal(outcome.isError, true);
    assert.doesNotMatch(textOf(outcome), /open for Ada/);
  });

  test(`${way.name}: a whole server of one's own`, { timeout }, async (t) => {
    const server = await start(t, 'greenhouse', (work, port) => [`127.0.0.1:${port}`, path.join(work, 'state')]);
    const connection = await Connection.open(t, server, way);
    assert.deepEqual((await connection.client.listTools()).tools.map(({ name }) => name), ['set_window'], 'nothing of what is in the box');
    const set = async (percent) => (await connection.call('set_window', { percent })).structuredContent;
    assert.deepEqual([await set(40), await set(70)], [{ before: 0 }, { before: 40 }]);
    const { contents } = await connection.client.readResource({ uri: 'greenhouse://window' });
    assert.equal(contents[0].text, '70');
    const { messages } = await connection.client.getPrompt({ name: 'too_hot', arguments: { degrees: '38' } });
    assert.match(messages[0].content.text, /38 degrees/);
    // It ends when nobody holds its stdin any more, and in good order.
    server.program.child.stdin.end();
    assert.equal((await server.program.finish(10)).code, 0);
  });
}
