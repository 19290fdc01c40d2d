// A declared command through mcp-remote, as Claude Desktop runs it: progress on the way, and an end when it is given up.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Home } from './lib/home.mjs';
import { folder, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const proxy = path.join(import.meta.dirname, 'node_modules/mcp-remote/dist/proxy.js');

const SCRIPT = `#!/bin/sh
for n in 1 2 3 4; do
    echo "$n/4 photo $n" >&2
    sleep "$1"
done
echo copied
`;

const tool = (script) => `
[[tool]]
name = "copy"
about = "Copies four photos"
effect = "write"
run = ["/bin/sh", "${script}", "{pause}"]
args.pause = { type = "number", max = 1000 }
timeout = "5min"
progress = true
`;

for (const way of ['/mcp', '/sse']) {
  test(`a declared command through mcp-remote on ${way}`, { timeout: 240_000 }, async (t) => {
    const state = await folder(t);
    const config = path.join(state, 'perchd.toml');
    const script = path.join(state, 'copy');
    await writeFile(script, SCRIPT);
    await writeFile(config, '');
    await mkdir(path.join(state, 'tools.d'));
    await writeFile(path.join(state, 'tools.d/copy.toml'), tool(script));
    const server = await Perchd.start(t, { state, config });
    const home = await Home.make(t);
    const args = [proxy, `${server.base}${way}`];
    const host = new Stdio(new Program(t, process.execPath, args, { env: home.env, cwd: home.path, input: true, name: 'mcp-remote' }));
    const heard = [];
    const receive = host.receive.bind(host);
    host.receive = (message) => (message.method ? heard.push(message) : receive(message));
    const opened = until('mcp-remote to open a browser', 45, async () => (await home.opened())[0]);
    await Promise.all([host.initialize(), opened.then((link) => new Person({ scopes: ['tools:write'] }).signIn(link))]);

    const copied = await host.request('tools/call', { name: 'copy', arguments: { pause: 0.2 }, _meta: { progressToken: 'p' } });
    assert.deepEqual(copied.content, [{ type: 'text', text: 'copied\n' }]);
    const steps = heard.filter((message) => message.method === 'notifications/progress').map((message) => message.params);
    assert.deepEqual(
      steps.map(({ progress, total, message }) => [progress, total, message]),
      [1, 2, 3, 4].map((n) => [n, 4, `photo ${n}`]),
    );

    const pause = `${600 + Math.random()}`;
    host.request('tools/call', { name: 'copy', arguments: { pause: Number(pause) } }).catch(() => {});
    await until('the command to run', 20, () => runs(pause));
    host.send({ method: 'notifications/cancelled', params: { requestId: host.lastId, reason: 'the person said stop' } });
    await until('the command to end', 20, async () => !(await runs(pause)));
    const { tools } = await host.request('tools/list');
    assert.ok(tools.some(({ name }) => name === 'copy'), 'the board goes on');
  });
}

/** Whether a process has this word in its command line. */
async function runs(word) {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.some((line) => line.split('\0').includes(word));
}
