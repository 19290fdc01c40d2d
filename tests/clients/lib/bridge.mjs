// perchd connect as a host starts it: a server, an account with a browser, and what every scene begins with.
import assert from 'node:assert/strict';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { Home } from './home.mjs';
import { binary, Perchd } from './perchd.mjs';
import { Person } from './person.mjs';
import { Program } from './program.mjs';
import { Stdio } from './stdio.mjs';
import { until } from './wait.mjs';

/**
 * A server, a home, and the acts that every scene begins with. `way`: path, flags, auth and server (both for `Perchd.start`), and by, what
 * stands between: given the server, it returns the address that the bridge is given.
 */
export async function stage(t, way) {
  const server = await Perchd.start(t, { ...way.server, ...(way.auth && { auth: way.auth }) });
  const base = way.by ? await way.by(server) : server.base;
  const home = await Home.make(t);
  let seen = 0;

  function start(flags = [], changes = {}) {
    const env = { ...home.env, XDG_CONFIG_HOME: home.file('config'), ...changes };
    const args = ['connect', `${base}${way.path}`, ...(way.flags ?? []), ...flags];
    return new Stdio(new Program(t, binary, args, { env, cwd: home.path, input: true, name: 'perchd connect' }));
  }

  async function signIn(person) {
    seen += 1;
    return person.signIn(await until('a browser', 45, async () => (await home.opened())[seen - 1]));
  }

  async function firstStart({ keep = false } = {}) {
    const host = start();
    await Promise.all([host.initialize(), signIn(new Person())]);
    await addIsThere(host);
    if (!keep) await host.program.stop();
    return host;
  }

  return { t, server, home, start, signIn, firstStart };
}

export async function started(host) {
  await host.initialize();
  return host;
}

export async function addIsThere(host, seconds) {
  const { tools } = await host.request('tools/list', undefined, seconds);
  assert.ok(tools.some((tool) => tool.name === 'add'));
  const { content, structuredContent } = await host.request('tools/call', { name: 'add', arguments: { a: 2, b: 3 } }, seconds);
  assert.deepEqual([content[0].text, structuredContent], ['5', { result: 5 }]);
}

export async function kept(home) {
  const files = await readdir(home.file('config/perchd/connect'));
  return home.file(`config/perchd/connect/${files.find((name) => name.endsWith('.json'))}`);
}

/** Has what is kept say that the token ends now: at once, as a bridge may read it at any time. */
export async function ended(file) {
  const before = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(`${file}.ended`, JSON.stringify({ ...before, expires_unix: 1 }), { mode: 0o600 });
  await rename(`${file}.ended`, file);
  return before;
}
