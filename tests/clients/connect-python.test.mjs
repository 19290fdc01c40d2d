// perchd connect under the Python SDK's stdio client: first use, what is kept, a token made before, and progress, in both dialects.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Home } from './lib/home.mjs';
import { binary, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { until } from './lib/wait.mjs';

const python = process.env.PYTHON_MCP;
const script = path.join(import.meta.dirname, 'lib/stdio_client.py');
const timeout = 120_000;
const MODES = { legacy: '2025-11-25', '2026-07-28': '2026-07-28' };

for (const [mode, version] of Object.entries(MODES)) {
  test(`the Python SDK, ${mode}: one sign-in, and the next start asks nobody`, { timeout }, async (t) => {
    const server = await Perchd.start(t);
    const account = await Account.make(t);
    const first = account.start(t, mode, 'add', [`${server.base}/mcp`]);
    const link = await until('a browser', 45, async () => (await account.home.opened())[0]);
    const [told] = await Promise.all([first.told(), new Person().signIn(link)]);
    assert.equal(told.version, version);
    assert.ok(told.tools.includes('add') && told.tools.includes('board_health'), told.tools.join());
    assert.equal(told.text, '5');
    assert.equal((await account.start(t, mode, 'add', [`${server.base}/mcp`]).told()).text, '5');
    assert.equal((await account.home.opened()).length, 1);
  });

  test(`the Python SDK, ${mode}: a token that was made before`, { timeout }, async (t) => {
    const server = await Perchd.start(t);
    const account = await Account.make(t);
    await until('the greeting of perchd', 20, () => server.program.stdout.includes('Open http'));
    const words = ['token', 'new', '--scope', 'math', '--ttl', '1h', '--name', 'python', '--state', server.state];
    const file = account.home.file('token');
    await writeFile(file, (await promisify(execFile)(binary, words)).stdout);
    await chmod(file, 0o600);
    const told = await account.start(t, mode, 'add', [`${server.base}/mcp`, '--token-file', file]).told();
    assert.equal(told.text, '5');
    assert.ok(!told.tools.includes('board_health'), 'no more than the token allows');
    assert.deepEqual(await account.home.opened(), []);
  });

  test(`the Python SDK, ${mode}: progress`, { timeout }, async (t) => {
    const server = await Perchd.start(t, { auth: 'open', example: 'conformance' });
    const account = await Account.make(t);
    const told = await account.start(t, mode, 'test_tool_with_progress', [`${server.base}/mcp`]).told();
    assert.match(told.text, /progress executed/);
    assert.deepEqual(told.progress, [0, 50, 100]);
  });
}

/** An account where Python starts the bridge. */
class Account {
  static async make(t) {
    assert.ok(python, 'PYTHON_MCP is a Python with the package mcp');
    const account = new Account();
    account.home = await Home.make(t);
    return account;
  }

  start(t, mode, tool, args) {
    const env = { ...this.home.env, XDG_CONFIG_HOME: this.home.file('config'), NODE_OPTIONS: '' };
    const words = [script, mode, tool, binary, 'connect', ...args];
    const program = new Program(t, python, words, { env, cwd: this.home.path, name: 'python' });
    return {
      program,
      async told() {
        assert.equal((await program.finish(60)).code, 0);
        return JSON.parse(program.stdout);
      },
    };
  }
}
