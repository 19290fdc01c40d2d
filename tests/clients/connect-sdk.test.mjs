// perchd connect, started by the SDK's client as Claude Desktop starts programs: signs in once, and passes on what server and client say
// to each other.
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { binary, folder, freePort, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const require = createRequire(new URL('sdk/', import.meta.url));
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');
const types = require('@modelcontextprotocol/sdk/types.js');

const FIXTURES = { auth: 'open', example: 'conformance' };
const timeout = 120_000;

test('a person signs in once, and the next start asks nobody', { timeout }, async (t) => {
  const server = await Perchd.start(t);
  const account = await Account.make(t);
  const first = await account.connect(t, [server.base]);
  assert.equal(first.client.getServerVersion().name, 'perchd');
  await adds(first);
  assert.equal((await account.opened()).length, 1, 'one browser');
  const [file] = await account.kept();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await first.client.close();

  const second = await account.connect(t, [server.base]);
  await adds(second);
  assert.equal((await account.opened()).length, 1, 'nobody was asked');

  await server.restart(t);
  await adds(second);
  assert.equal((await account.opened()).length, 1, 'nobody was asked after the restart');
  assert.doesNotMatch(second.stderr(), new RegExp(JSON.parse(await readFile(file, 'utf8')).access_token));
});

test('two that start at once open one browser', { timeout }, async (t) => {
  const server = await Perchd.start(t);
  const account = await Account.make(t);
  const both = await Promise.all([account.connect(t, [server.base]), account.connect(t, [server.base])]);
  for (const one of both) await adds(one);
  assert.equal((await account.opened()).length, 1);
});

test('a person is asked for the scope that is missing', { timeout }, async (t) => {
  const server = await Perchd.start(t);
  const account = await Account.make(t, 'true');
  const allow = async (count, scopes) => {
    const links = await until(`link ${count}`, 30, async () => (await account.opened()).length === count && account.opened());
    await new Person({ scopes }).signIn(links.at(-1));
  };
  const [one] = await Promise.all([account.connect(t, [server.base]), allow(1, ['math'])]);
  await adds(one);
  const health = one.client.callTool({ name: 'board_health', arguments: {} });
  const [result] = await Promise.all([health, allow(2, ['math', 'system:read'])]);
  assert.ok(!result.isError, textOf(result));
  await adds(one);
  const scopes = (await account.opened()).map((link) => new URL(link).searchParams.get('scope').split(' '));
  assert.ok(scopes[1].includes('math') && scopes[1].includes('system:read'), scopes[1].join());
});

test('questions, progress, and a session that is forgotten', { timeout }, async (t) => {
  const server = await Perchd.start(t, FIXTURES);
  const account = await Account.make(t);
  const content = { username: 'ada', email: 'ada@example.org' };
  const one = await account.connect(t, [server.base], { capabilities: { elicitation: {}, sampling: {} } }, (client) => {
    client.setRequestHandler(types.ElicitRequestSchema, async () => ({ action: 'accept', content }));
    client.setRequestHandler(types.CreateMessageRequestSchema, async () => ({
      model: 'none', role: 'assistant', content: { type: 'text', text: 'a poem' },
    }));
  });
  const call = (name, args, options) => one.client.callTool({ name, arguments: args }, undefined, options);
  assert.match(textOf(await call('test_elicitation', { message: 'Who are you?' })), /ada@example\.org/);
  assert.match(textOf(await call('test_sampling', { prompt: 'Write.' })), /a poem/);
  const progress = [];
  await call('test_tool_with_progress', {}, { onprogress: (step) => progress.push(step.progress) });
  assert.ok(progress.length >= 2, `${progress}`);
  const many = await Promise.all(Array.from({ length: 20 }, () => call('test_simple_text', {})));
  assert.equal(many.filter((result) => textOf(result)).length, 20);

  // This server makes itself new keys at each start: it has forgotten the session, and nobody notices.
  await server.restart(t);
  assert.ok(textOf(await call('test_simple_text', {})));
  assert.match(textOf(await call('test_elicitation', { message: 'Who are you?' })), /ada@example\.org/);
});

test('a board that comes up later', { timeout }, async (t) => {
  const port = await freePort();
  const account = await Account.make(t);
  const waiting = account.connect(t, [`http://localhost:${port}`]);
  await Perchd.start(t, { auth: 'open', port });
  await adds(await waiting);
});

test('a client without a handshake', { timeout }, async (t) => {
  const server = await Perchd.start(t, FIXTURES);
  const host = (await Account.make(t)).start(t, [server.base]);
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  const found = await host.stdio.request('server/discover', { _meta });
  assert.ok(found.supportedVersions.includes('2026-07-28'));
  const result = await host.stdio.request('tools/call', { name: 'test_simple_text', arguments: {}, _meta });
  assert.ok(textOf(result));
  // Arguments that its schema marks go into headers, of which this client knows nothing; nor has it asked for the list. This server refuses
  // a call without them.
  const marked = (args) => host.stdio.request('tools/call', { name: 'test_x_mcp_header', arguments: args, _meta });
  for (const region of ['eu', ' ä', '=?base64?eA==?=', '']) assert.equal(textOf(await marked({ region, priority: 7 })), `Region: ${region}`);
  assert.equal(textOf(await marked({ region: null })), 'Region: ');
  host.program.child.stdin.end();
  assert.equal((await host.program.finish(10)).code, 0);
});

/** An account of its own: where the bridge keeps its sign-ins, and a browser with a person before it. */
class Account {
  static async make(t, act = `exec "${process.execPath}" "${path.join(import.meta.dirname, 'lib/sign-in.mjs')}" "$1"`) {
    const account = new Account();
    account.path = await folder(t);
    await writeFile(account.file('browser'), `#!/bin/sh\nprintf "%s\\n" "$1" >>"${account.file('opened')}"\n${act}\n`);
    await chmod(account.file('browser'), 0o755);
    account.env = { PATH: process.env.PATH, HOME: account.path, BROWSER: account.file('browser') };
    return account;
  }

  file(name) {
    return path.join(this.path, name);
  }

  async opened() {
    return (await readFile(this.file('opened'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  }

  async kept() {
    const place = this.file('.config/perchd/connect');
    return (await readdir(place)).filter((name) => name.endsWith('.json')).map((name) => path.join(place, name));
  }



  /** The bridge, with the SDK's client at its other end. */
  async connect(t, args, options = {}, prepare = () => {}) {
    const transport = new StdioClientTransport({ command: binary, args: ['connect', ...args], env: this.env, stderr: 'pipe' });
    let stderr = '';
    transport.stderr.on('data', (text) => (stderr += text));
    const client = new Client({ name: 'perchd-tests', version: '1' }, options);
    prepare(client);
    t.after(() => client.close());
    await client.connect(transport, { timeout: 60_000 }).catch((error) => {
      throw new Error(`${error.message}; stderr: ${stderr}`);
    });
    return { client, transport, stderr: () => stderr };
  }

  /** The bridge alone. */
  start(t, args) {
    const program = new Program(t, binary, ['connect', ...args], { name: 'perchd connect', env: this.env, input: true });
    return { program, stdio: new Stdio(program) };
  }
}

async function adds({ client }) {
  assert.equal(textOf(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } })), '5');
}

function textOf(result) {
  return result.content.map((block) => block.text).join('');
}
