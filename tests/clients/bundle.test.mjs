// perchd bundle: the official tool finds the bundle good and unpacks it, and what is in it runs as its manifest says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { getMcpConfigForManifest } from '@anthropic-ai/mcpb';
import { binary, folder, Perchd } from './lib/perchd.mjs';
import { until } from './lib/wait.mjs';

const require = createRequire(new URL('sdk/', import.meta.url));
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const execute = promisify(execFile);
const mcpb = (...args) => execute(process.execPath, [path.join(import.meta.dirname, 'node_modules/.bin/mcpb'), ...args]);
const timeout = 180_000;
const PIN = `sha256:${'0f'.repeat(32)}`;

test('the official tool finds it good, and the same program makes the same bytes', { timeout }, async (t) => {
  const place = await folder(t);
  for (const [name, args] of [
    ['perchd', []],
    ['perchd-board-local-8787', ['https://board.local:8787', '--pin', PIN]],
  ]) {
    const { stdout } = await execute(binary, ['bundle', ...args], { cwd: place });
    assert.match(stdout, new RegExp(`^Written: ${name}\\.mcpb, \\d+ KB, for linux on `));
    const file = path.join(place, `${name}.mcpb`);
    assert.equal((await stat(file)).mode & 0o777, 0o644);
    const again = path.join(place, 'again');
    await execute(binary, ['bundle', ...args, '-o', again]);
    assert.deepEqual(await hash(again), await hash(file));

    assert.match((await mcpb('info', file)).stdout, new RegExp(`File: ${name}\\.mcpb`));
    const unpacked = path.join(place, name);
    await mcpb('unpack', file, unpacked);
    assert.match((await mcpb('validate', unpacked)).stdout, /validation passes/);
    // What is not to be executed may not be, and the program is this one.
    assert.deepEqual((await readdir(unpacked, { recursive: true })).sort(), ['manifest.json', 'server', 'server/perchd']);
    assert.equal((await stat(path.join(unpacked, 'manifest.json'))).mode & 0o777, 0o644);
    assert.equal((await stat(path.join(unpacked, 'server/perchd'))).mode & 0o777, 0o755);
    assert.deepEqual(await hash(path.join(unpacked, 'server/perchd')), await hash(binary));

    const manifest = await manifestOf(unpacked);
    const isFor = args.length > 0;
    assert.equal(manifest.name, name);
    assert.deepEqual(manifest.compatibility, { platforms: ['linux'] });
    assert.deepEqual(
      [manifest.user_config.url.default, manifest.user_config.pin.default],
      isFor ? ['https://board.local:8787/mcp', PIN] : ['', ''],
    );
    // Only what is not known has to be typed.
    assert.equal(manifest.user_config.url.required, !isFor);
    assert.equal(manifest.user_config.token.sensitive, true);
  }
  assert.deepEqual((await readdir(place)).filter((name) => name.includes('.new')), []);
});

test('the entry for the registry tells of the same thing', { timeout }, async (t) => {
  const place = await folder(t);
  await execute(binary, ['bundle'], { cwd: place });
  const cross = path.join(import.meta.dirname, '../../cross');
  const file = path.join(place, 'perchd.mcpb');
  const entry = JSON.parse((await execute(path.join(cross, 'registry'), [file])).stdout);
  const [{ identifier, fileSha256, transport }] = entry.packages;
  assert.equal(path.basename(identifier), path.basename(file));
  assert.equal(fileSha256, await hash(file));
  assert.equal(transport.type, 'stdio');
  await mcpb('unpack', file, path.join(place, 'unpacked'));
  const { name, version, description, repository } = await manifestOf(path.join(place, 'unpacked'));
  assert.deepEqual([name, version, description], [entry.name.split('/')[1], entry.version, entry.description]);
  assert.equal(repository.url, entry.repository.url);
});

test('installed by a click: the browser opens once, and a tool is called', { timeout }, async (t) => {
  const server = await Perchd.start(t, { host: '127.0.0.2', tls: ['127.0.0.2'] });
  const account = await Account.make(t, server);
  const extension = await account.install([server.base, '--pin', await pinOf(server)]);
  const host = await account.start(t, extension);
  assert.equal(await adds(host), '5');
  assert.equal(host.getServerVersion().name, 'perchd');
  assert.equal((await account.opened()).length, 1);
});

test('without an address in it, what is typed counts: address, token and CA', { timeout }, async (t) => {
  const server = await Perchd.start(t, { host: '127.0.0.2', tls: ['127.0.0.2'] });
  const account = await Account.make(t, server);
  const extension = await account.install([]);
  assert.equal(await configured(extension, {}), undefined, 'it is not started without an address');
  const words = ['token', 'new', '--scope', 'math', '--ttl', '1h', '--name', 'bundle', '--state', server.state];
  await until('the greeting of perchd', 20, () => server.program.stdout.includes('Open http'));
  const token = (await execute(binary, words)).stdout.trim();
  const ca = path.join(server.state, 'ca.pem');
  const url = `${server.base}/mcp`;
  const host = await account.start(t, extension, { url, ca, token });
  assert.equal(await adds(host), '5');
  assert.deepEqual(await account.opened(), [], 'nobody was asked');

  const both = account.start(t, extension, { url, ca, pin: PIN, token });
  await assert.rejects(both, /whom to trust is said once/);
  const unsafe = account.start(t, extension, { url, pin: PIN, token });
  await assert.rejects(unsafe, /not the server that was pinned/);
  const wrong = account.start(t, extension, { url, ca, token: 'secret-but-wrong' });
  await assert.rejects(wrong, (error) => /does not take the token of PERCHD_TOKEN/.test(error) && !/secret-but/.test(error));
});

test('what cannot be is refused, and leaves nothing behind', { timeout }, async (t) => {
  const place = await folder(t);
  for (const [args, code, words] of [
    [['http://board.local:8787/mcp'], 64, /everybody on the way/],
    [['board.local'], 64, /no address of a server/],
    [['https://board.local', '--pin', 'sha256:12'], 64, /--pin/],
    [['https://a', 'https://b'], 64, /unexpected argument/],
    [['-o', path.join(place, 'nowhere/x.mcpb')], 71, /nowhere\/x\.mcpb.*-o FILE/s],
  ]) {
    const error = await execute(binary, ['bundle', ...args], { cwd: place }).then(assert.fail, (error) => error);
    assert.equal(error.code, code, args.join(' '));
    assert.match(error.stderr, words);
  }
  assert.deepEqual(await readdir(place), []);
  const file = path.join(place, 'kept.mcpb');
  await mkdir(file);
  await assert.rejects(execute(binary, ['bundle', '-o', file]), /cannot write the bundle/);
  assert.deepEqual(await readdir(place), ['kept.mcpb']);
  await execute(binary, ['bundle', 'http://board.local:8787', '--allow-http'], { cwd: place });
  const unpacked = path.join(place, 'open');
  await mcpb('unpack', path.join(place, 'perchd-board-local-8787.mcpb'), unpacked);
  const { args } = await configured(unpacked, {});
  assert.deepEqual(args, ['connect', 'http://board.local:8787/mcp', '--pin=', '--ca=', '--allow-http']);
});

/** An account on a computer: a folder of extensions, a place for tokens, and a browser with a person before it. */
class Account {
  static async make(t, server) {
    const account = new Account();
    account.path = await folder(t);
    const signIn = path.join(import.meta.dirname, 'lib/sign-in.mjs');
    const script = `#!/bin/sh\nprintf "%s\\n" "$1" >>"${account.file('opened')}"\nexec "${process.execPath}" "${signIn}" "$1"\n`;
    await writeFile(account.file('browser'), script);
    await chmod(account.file('browser'), 0o755);
    const trusted = await until('the CA', 10, () => readFile(server.ca).then(() => server.ca, () => undefined));
    account.env = { PATH: process.env.PATH, HOME: account.path, BROWSER: account.file('browser'), NODE_EXTRA_CA_CERTS: trusted };
    return account;
  }

  file(name) {
    return path.join(this.path, name);
  }

  async opened() {
    return (await readFile(this.file('opened'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  }

  /** Makes a bundle and unpacks it. */
  async install(args) {
    const file = this.file('board.mcpb');
    await execute(binary, ['bundle', ...args, '-o', file]);
    await mcpb('unpack', file, this.file('extension'));
    return this.file('extension');
  }

  /** Starts it as its host does, and connects the SDK's client to it. */
  async start(t, extension, typed = {}) {
    const { command, args, env } = await configured(extension, typed);
    const transport = new StdioClientTransport({ command, args, env: { ...this.env, ...env }, stderr: 'pipe' });
    let stderr = '';
    transport.stderr.on('data', (text) => (stderr += text));
    const client = new Client({ name: 'perchd-tests', version: '1' });
    t.after(() => client.close());
    await client.connect(transport, { timeout: 60_000 }).catch((error) => {
      throw new Error(`${error.message}; stderr: ${stderr}`);
    });
    return client;
  }
}

/** What a host makes of a manifest, by the code that Claude Desktop shares; `undefined` where something must be typed before. */
async function configured(extension, typed) {
  const manifest = await manifestOf(extension);
  return getMcpConfigForManifest({ manifest, extensionPath: extension, systemDirs: {}, userConfig: typed, pathSeparator: '/' });
}

async function manifestOf(extension) {
  return JSON.parse(await readFile(path.join(extension, 'manifest.json'), 'utf8'));
}

async function adds(client) {
  const { content } = await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } });
  return content[0].text;
}

async function hash(file) {
  return createHash('sha256').update(await readFile(file)).digest('hex');
}

async function pinOf(server) {
  const pem = await until('the CA', 10, () => readFile(server.ca, 'utf8').catch(() => undefined));
  return `sha256:${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`;
}
