// What a bridge costs the computer that it runs on: perchd connect beside mcp-remote, both over TLS, after the same calls.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Home } from './lib/home.mjs';
import { binary, Perchd } from './lib/perchd.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

// The most that was ever resident, of the program that ships. Who exceeds it changes it in the same commit and says why. One that was built
// to be debugged is larger.
const KB_MAX = binary.includes('/debug/') ? 20_000 : 6_000;
const proxy = path.join(import.meta.dirname, 'node_modules/mcp-remote/dist/proxy.js');
const CALLS = 200;

test('a bridge takes a few megabytes', { timeout: 180_000 }, async (t) => {
  const server = await Perchd.start(t, { host: '127.0.0.2', tls: ['127.0.0.2'] });
  await until('the greeting of perchd', 20, () => server.program.stdout.includes('Open http'));
  const words = ['token', 'new', '--scope', 'math', '--ttl', '1h', '--name', 'memory'];
  const where = ['--state', server.state, '--config', path.join(server.state, 'perchd.toml')];
  const token = (await promisify(execFile)(binary, [...words, ...where])).stdout.trim();
  const home = await Home.make(t);
  await writeFile(home.file('token'), token);
  const env = { ...home.env, XDG_CONFIG_HOME: home.file('config'), NODE_EXTRA_CA_CERTS: server.ca, NODE_OPTIONS: '', BOARD_AUTH: `Bearer ${token}` };
  const url = `${server.base}/mcp`;
  const bridges = {
    'perchd connect': [binary, ['connect', url, '--ca', server.ca, '--token-file', home.file('token')]],
    'mcp-remote': [process.execPath, [proxy, url, String(home.callbackPort), '--header', 'Authorization:${BOARD_AUTH}']],
  };
  const taken = {};
  for (const [name, [command, args]] of Object.entries(bridges)) {
    const host = new Stdio(new Program(t, command, args, { env, cwd: home.path, input: true, name }));
    await host.initialize();
    for (let call = 0; call < CALLS; call += 1) assert.equal(await host.call('add', { a: call, b: 1 }), `${call + 1}`);
    taken[name] = await memory(host.program.child.pid);
    await host.program.stop();
  }
  const { 'perchd connect': own, 'mcp-remote': other } = taken;
  console.log(`perchd takes ${own.now} kB as a bridge, ${own.most} at most (of ${KB_MAX}); mcp-remote ${other.now} kB, ${other.most} at most`);
  assert.ok(own.most <= KB_MAX, `${own.most} kB of at most ${KB_MAX}`);
  assert.ok(own.most * 5 < other.most, 'a fifth of mcp-remote');
});

/** What is resident of a process, and the most that ever was, in kB. */
async function memory(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [now, most] = ['VmRSS', 'VmHWM'].map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]));
  return { now, most };
}
