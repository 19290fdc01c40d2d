// The program for TARGET under emulation of its board's processor: a person signs in over TLS with a password that the program hashed
// itself, a client calls a tool by both transports, and the token of before a restart is good after it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { until } from '../clients/lib/wait.mjs';

const boards = path.resolve(process.env.PERCHD_BOARDS ?? 'target/boards');
const BOARDS = [
  { name: 'Pi Zero', target: 'arm-unknown-linux-musleabihf', qemu: 'qemu-arm-static', cpu: 'arm1176' },
  { name: 'Pi 3', target: 'aarch64-unknown-linux-musl', qemu: 'qemu-aarch64-static', cpu: 'cortex-a53' },
  { name: 'Pi 2', target: 'armv7-unknown-linux-musleabihf', qemu: 'qemu-arm-static', cpu: 'cortex-a7' },
  { name: 'PC', target: 'x86_64-unknown-linux-musl', cpu: 'its own' },
];

const board = BOARDS.find(({ target }) => target === process.env.TARGET);
assert.ok(board, `TARGET=${process.env.TARGET} is none of ${BOARDS.map(({ target }) => target)}`);

test(`${board.target} on ${board.cpu} (${board.name})`, { timeout: 300_000 }, async (t) => {
  // The helpers read where the program is when they are loaded: a copy of them that knows this one.
  process.env.PERCHD = await emulated(t, board);
  const { Perchd, folder } = await import('../clients/lib/perchd.mjs?emulated');
  const { accessToken } = await import('../clients/lib/token.mjs');
  const state = await folder(t);
  const config = path.join(state, 'perchd.toml');
  await writeFile(config, `[tls]\nmode = "own"\n[auth]\nmode = "users"\n${hashed('difference engine')}`);
  const server = await Perchd.start(t, { auth: null, config, state });
  const base = server.base.replace('http:', 'https:');
  // It listens before it has made its certificate.
  const ca = await until('the CA', 60, () => readFile(server.ca, 'utf8').catch(() => ''));
  tls.setDefaultCACertificates([ca]);
  assert.match((await fetch(`${base}/`)).headers.get('content-type'), /^text\/html/);

  const person = { email: 'ada' };
  const token = await accessToken(base, { person });
  const sseToken = await accessToken(base, { person, way: '/sse' });
  assert.equal(await overMcp(base, token), '42');
  assert.equal(await overSse(base, sseToken), '42');
  assert.equal((await post(`${base}/mcp`, 'x', add(1))).status, 401, 'another token is refused');
  for (const curve of ['X25519', 'P-256', 'P-384']) await shakesHands(base, ca, curve);
  // Both ends of this are the program: it checks what it has signed.
  const tokenFile = path.join(state, 'token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  const doctor = spawnSync(process.env.PERCHD, ['doctor', `${base}/mcp`, '--ca', server.ca, '--token-file', tokenFile], { encoding: 'utf8' });
  assert.equal(doctor.status, 0, doctor.stdout + doctor.stderr);
  await server.restart(t);
  assert.equal(await overMcp(base, token), '42', 'the same token after a restart');
  assert.equal(await overSse(base, sseToken), '42');
  await server.program.stop(60);
});

/** A program that runs the one for the board. */
async function emulated(t, { target, qemu, cpu }) {
  const { folder } = await import('../clients/lib/perchd.mjs');
  const wrapper = path.join(await folder(t), 'perchd');
  const emulator = qemu ? `${qemu} -cpu ${cpu} ` : '';
  await writeFile(wrapper, `#!/bin/sh\nexec ${emulator}${path.join(boards, target, 'release/perchd')} "$@"\n`);
  await chmod(wrapper, 0o755);
  return wrapper;
}

/** Lines for the configuration, made by the program itself. */
function hashed(password) {
  const { status, stdout, stderr } = spawnSync(process.env.PERCHD, ['passwd', 'ada', '--stdin'], { input: `${password}\n`, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** TLS with a secret of that curve alone. */
async function shakesHands(base, ca, ecdhCurve) {
  const { hostname, port } = new URL(base);
  const socket = tls.connect({ host: hostname, port, ca, ecdhCurve });
  await once(socket, 'secureConnect');
  assert.ok(socket.authorized);
  const { type, name } = socket.getEphemeralKeyInfo();
  assert.equal(name ?? type, { 'P-256': 'prime256v1', 'P-384': 'secp384r1' }[ecdhCurve] ?? ecdhCurve);
  socket.destroy();
}

const add = (id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'add', arguments: { a: 20, b: 22 } } });

function post(url, token, message) {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(message), signal: AbortSignal.timeout(60_000) });
}

async function overMcp(base, token) {
  const answer = await post(`${base}/mcp`, token, add(1));
  assert.equal(answer.status, 200);
  return (await answer.json()).result.content[0].text;
}

async function overSse(base, token) {
  const stop = new AbortController();
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const stream = await fetch(`${base}/sse`, { headers, signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]) });
  assert.equal(stream.status, 200);
  const events = received(stream.body);
  const { value: endpoint } = await events.next();
  const send = async (message) => assert.equal((await post(new URL(endpoint, base), token, message)).status, 202);
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'smoke', version: '1' } };
  await send({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  assert.equal(JSON.parse((await events.next()).value).result.protocolVersion, '2024-11-05');
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await send(add(1));
  const { result } = JSON.parse((await events.next()).value);
  stop.abort();
  return result.content[0].text;
}

/** The data of each event. */
async function* received(body) {
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split('\n').filter((line) => line.startsWith('data: '));
      if (data.length) yield data.map((line) => line.slice(6)).join('\n');
    }
  }
}
