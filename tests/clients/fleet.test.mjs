// mcp-remote 0.15.1 through HAProxy to two servers with one key ring: whichever is gone, it goes on, and nobody signs in again.
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Home } from './lib/home.mjs';
import { folder, freePort, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const proxy = path.join(import.meta.dirname, 'node_modules/mcp-remote/dist/proxy.js');
const manual = path.join(import.meta.dirname, '../../src/manual/balancer.md');
const timeout = 180_000;

/** Two servers with the same keys and the same audience. */
async function servers(t) {
  const config = path.join(await folder(t), 'perchd.toml');
  await writeFile(config, '[auth]\nmode = "demo"\naudience = "boards"\n');
  const one = await Perchd.start(t, { auth: null, config });
  const state = await folder(t);
  // It can be connected to a moment before it has made them.
  await until('the keys', 10, () =>
    copyFile(path.join(one.state, 'keys'), path.join(state, 'keys')).then(
      () => true,
      () => false,
    ),
  );
  return [one, await Perchd.start(t, { auth: null, config, state })];
}

/** HAProxy with the recipe of the manual, its addresses put in the place of those there; where it is reached. */
async function balancer(t, [one, two]) {
  const port = await freePort();
  const recipe = (await readFile(manual, 'utf8')).split('```haproxy\n')[1].split('```')[0];
  const text = recipe
    .replace(':443 ssl crt /etc/haproxy/boards.pem', `127.0.0.1:${port}`)
    .replaceAll('192.0.2.1:8787', `127.0.0.1:${one.port}`)
    .replaceAll('192.0.2.2:8787', `127.0.0.1:${two.port}`);
  const file = path.join(await folder(t), 'haproxy.cfg');
  await writeFile(file, text);
  new Program(t, 'haproxy', ['-db', '-f', file], { name: 'haproxy' });
  const base = `http://localhost:${port}`;
  await until('HAProxy', 30, () =>
    fetch(base).then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  return base;
}

async function adds(host, seconds) {
  const { content } = await host.request('tools/call', { name: 'add', arguments: { a: 2, b: 3 } }, seconds);
  assert.equal(content[0].text, '5');
}

for (const way of ['/mcp', '/sse']) {
  test(`mcp-remote on ${way} through HAProxy`, { timeout }, async (t) => {
    const both = await servers(t);
    const base = await balancer(t, both);
    const home = await Home.make(t);
    const args = [proxy, `${base}${way}`, String(home.callbackPort)];
    const start = () => new Stdio(new Program(t, process.execPath, args, { env: home.env, cwd: home.path, input: true, name: 'mcp-remote' }));
    const host = start();
    const signIn = async () => new Person().signIn(await until('a browser', 45, async () => (await home.opened())[0]));
    await Promise.all([host.initialize(), signIn()]);
    await adds(host);
    for (const server of both) {
      await server.program.kill();
      // On /mcp the very next call must go through; on /sse the client needs a moment to connect its stream anew.
      if (way === '/mcp') for (let n = 0; n < 10; n += 1) await adds(host);
      else
        await until('a call after the failure', 45, () =>
          adds(host, 5).then(
            () => true,
            () => false,
          ),
        );
      const second = start();
      await second.initialize();
      await adds(second);
      await second.program.stop();
      await server.run(t);
      // HAProxy looks once a second.
      await until('the server is back', 30, () => back(base, server));
    }
    assert.equal((await home.opened()).length, 1, 'no browser but the first');
  });
}

/** Whether the balancer sends this server requests again: asked in a row, both answer. */
async function back(base, server) {
  const before = server.program.stderr.length;
  for (let n = 0; n < 4; n += 1) {
    await fetch(`${base}/mcp`, { method: 'POST', headers: { authorization: 'Bearer nothing' } });
  }
  return server.program.stderr.length > before;
}
