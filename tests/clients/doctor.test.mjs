// perchd doctor, on a way that is broken in one place: the first line that fails says what it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { Home } from './lib/home.mjs';
import { binary, folder, freePort, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const timeout = 90_000;
const DAY = 24 * 3600;

// How a way is broken, and the first line that fails: its step, and the cause. `make` gives the words behind `perchd doctor`.
const ROWS = [
  ['no such name', 'name', /nobody knows this name/, () => [`https://${'n'.repeat(64)}.local/mcp`]],
  ['a closed port', 'TCP', /cannot connect: Connection refused/, async () => [`http://localhost:${await freePort()}/mcp`]],
  ['plain http to another computer, which is not contacted', 'address', /everybody on the way could read/, () => ['http://192.0.2.1/mcp']],
  ['a port that takes connections and says nothing', 'HTTP', /the port is open, but nobody answers/, async (t) => [`http://localhost:${await silent(t)}/mcp`]],
  ['the same, by https', 'TLS', /the port is open, but nobody answers/, async (t) => [`https://localhost:${await silent(t)}/mcp`]],
  ['https where plain http is spoken', 'TLS', /does not speak TLS/, async (t) => [(await server(t, {})).replace('http:', 'https:')]],
  ['http where TLS is spoken', 'HTTP', /what answers there speaks TLS/, async (t) => [(await secure(t)).url.replace('https:', 'http:')]],
  ['an expired certificate', 'TLS', /out of date: it ended on/, async (t) => trusted(await secure(t, { made: -60 * DAY, days: 30 }))],
  ['a certificate that begins later', 'TLS', /out of date: it begins on/, async (t) => trusted(await secure(t, { made: 10 * DAY }))],
  ['this computer in 1970', 'TLS', /out of date: it begins on .*, and the clock of this computer says Thu, 01 Jan 1970/, async (t) => ({ args: trusted(await secure(t)), env: faked('@1970-01-01 12:00:00') })],
  ['a certificate for another name', 'TLS', /the certificate is for other names/, async (t) => trusted(await secure(t, { name: 'shed.local' }))],
  ['a CA in place of a certificate', 'TLS', /the server shows the certificate of a CA as its own/, async (t) => trusted(await secure(t, { more: 'basicConstraints=critical,CA:TRUE' }))],
  ['a CA that nobody knows', 'TLS', /nothing here vouches for this server: it shows sha256:/, async (t) => [(await secure(t)).url]],
  ['another pin', 'TLS', /this is not the server that was pinned/, async (t) => [(await secure(t)).url, '--pin', `sha256:${'0'.repeat(64)}`]],
  ['a server in 1970', 'clock', /the clock of the server is wrong: there it is 1970-01-01/, async (t) => [await server(t, { date: new Date(1000) })]],
  ['a server that is a day behind', 'clock', /the clocks differ/, async (t) => [await server(t, { date: new Date(Date.now() - DAY * 1000) })]],
  ['404 everywhere', 'challenge', /there is no MCP server at this address: status 404/, async (t) => [await server(t, { '/mcp': { status: 404 } })]],
  ['a server that sends clients elsewhere', 'challenge', /sends clients elsewhere: status 308, https:\/\/board\.example\/mcp/, async (t) => [await server(t, { '/mcp': { status: 308, headers: { location: 'https://board.example/mcp' } } })]],
  ['a web site', 'challenge', /this is no MCP server: it answers 200, and nothing of JSON-RPC/, async (t) => [await server(t, { '/mcp': { status: 200, text: '<!doctype html>' } })]],
  ['a proxy without a server behind it', 'challenge', /a proxy answers, and does not reach the server behind it: status 502/, async (t) => [await server(t, { '/mcp': { status: 502 } })]],
  ['a full server', 'challenge', /the server is too busy: status 503/, async (t) => [await server(t, { '/mcp': { status: 503 } })]],
  ['a challenge that is taken out', 'challenge', /no `WWW-Authenticate: Bearer` says where/, async (t) => [await server(t, { '/mcp': { status: 401 } })]],
  ['a Host that the board does not know', 'challenge', /does not go by this name: status 421/, async (t) => [await proxy(t, (await Perchd.start(t)).port, { host: 'shed.example' })]],
  ['metadata of another resource', 'resource', /https:\/\/other\.example\/mcp: the server speaks of another resource/, async (t) => [await server(t, { resource: 'https://other.example/mcp' })]],
  ['metadata that is no JSON', 'resource', /this is not what it should be/, async (t) => [await server(t, { '/.well-known/oauth-protected-resource/mcp': { status: 200, text: '<html>' } })]],
  ['metadata of another issuer', 'sign-in server', /calls itself something else: https:\/\/other\.example/, async (t) => [await server(t, { issuer: 'https://other.example' })]],
  ['no metadata of the sign-in', 'sign-in server', /does not say where/, async (t) => [await server(t, { issuer: null })]],
  ['a sign-in without PKCE', 'sign-in server', /knows no PKCE with S256/, async (t) => [await server(t, { code_challenge_methods_supported: [] })]],
  ['a registration that fails', 'registration', /the registration was refused with status 500/, async (t) => [await server(t, { '/register': { status: 500 } })]],
  ['a token that is not good any more, from afar', 'MCP 2024-11-05', /does not take the token: it is over, revoked, or of another board/, async (t) => withToken(t, await Perchd.start(t), 'garbage')],
  ['a proxy that takes Authorization out', 'MCP 2024-11-05', /the token does not arrive: something on the way takes the header `Authorization` out/, async (t) => {
    const board = await Perchd.start(t);
    return withToken(t, board, await minted(t, board), await proxy(t, board.port, { authorization: undefined }));
  }],
  ['a proxy that holds events back', 'MCP by SSE', /no events come through: something on the way holds them back/, async (t) => {
    const board = await Perchd.start(t);
    return withToken(t, board, await minted(t, board), await proxy(t, board.port, {}, { gathers: true }));
  }],
  ['a token without the scope', 'MCP 2024-11-05', /the token lacks a scope: tools:read/, async (t) => {
    const lacks = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="tools:read"' };
    const url = await server(t, { signedIn: { status: 403, headers: lacks } });
    return withToken(t, undefined, 'secret-but-narrow', url);
  }],
  ['a board with the keys of another', 'token', /the token is another board's, or the key that sealed it is gone/, async (t) => {
    const [board, other] = [await Perchd.start(t), await Perchd.start(t)];
    return onBoard(t, board, await minted(t, other));
  }],
  ['an expired token', 'token', /the token has expired, on 20/, async (t) => {
    const board = await Perchd.start(t);
    const token = await minted(t, board, '1s');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return onBoard(t, board, token);
  }],
  ['a revoked token', 'token', /the token was revoked/, async (t) => {
    const board = await Perchd.start(t);
    const token = await minted(t, board);
    await perchd(t, ['revoke', '--name', 'meter', '--state', board.state]);
    return onBoard(t, board, token);
  }],
  ['a token file that is not there', 'token', /cannot read the token/, async (t) => [`${(await Perchd.start(t)).base}/mcp`, '--token-file', '/nonexistent/token']],
  ['a configuration with a fault', 'configuration', /perchd\.toml:2: /, async (t) => ['--config', await config(t, 'name = "shed"\nnonsense = 1\n')]],
  ['no server', 'server', /no perchd runs with this state/, async (t) => ['--state', await folder(t)]],
  ['a key ring that others can read', 'keys', /\/keys: others can read the key ring/, async (t) => {
    const board = await Perchd.start(t);
    await hasKeys(board);
    await chmod(path.join(board.state, 'keys'), 0o644);
    return ['--state', board.state, `${board.base}/mcp`];
  }],
  ['a GPIO chip that is not there', 'gpio', /\/dev\/gpiochip97: there is no such device, which \[gpio\] names/, (t) => withTools(t, line('gpiochip97'))],
  ['an I2C bus that is not there', 'i2c', /\/dev\/i2c-97: there is no such device, which \[i2c\] names/, (t) => withTools(t, '[i2c.air]\nbus = 97\naddress = 0x48\nregisters.warmth = { register = 0, bytes = 2 }\n')],
  ['a device of a group that the server is not in', 'gpio', /\/etc\/shadow: \S+ may not open it: it is of the group shadow/, (t) => withTools(t, line('/etc/shadow'), { uid: process.getuid() || 65_534 })],
];

test('perchd doctor', { timeout: 2 * timeout, concurrency: 6 }, async (t) => {
  const shown = ROWS.map(([name, step, cause, make]) =>
    t.test(`tells of ${name}`, { timeout }, async (t) => {
      const made = await make(t);
      const { args, env, secret } = Array.isArray(made) ? { args: made } : made;
      const { code, stdout, stderr } = await doctor(t, args, env);
      const lines = stdout.split('\n');
      const first = lines.find((line) => line.startsWith('failed'));
      assert.ok(first, stdout);
      assert.equal(first.slice(13, 30).trim(), step, stdout);
      assert.match(first, cause);
      assert.match(lines[lines.indexOf(first) + 1], /^ {13}\S/, 'what to do');
      assert.equal(code, 1);
      assert.match(stderr, /^perchd: broken: /m);
      assert.ok(!secret || !`${stdout}${stderr}`.includes(secret), 'no secret is shown');
      assert.ok(!stdout.includes('\x1b'), 'no colours where no terminal is');
    }),
  );
  await Promise.all(shown);
});

test('a whole board is well, with what `perchd connect` keeps', { timeout }, async (t) => {
  const board = await Perchd.start(t);
  const home = await Home.make(t);
  const env = { ...home.env, XDG_CONFIG_HOME: home.file('config') };
  const unsigned = await doctor(t, [`${board.base}/mcp`], env);
  assert.equal(unsigned.code, 0, 'nothing is broken where nobody has signed in');
  assert.match(unsigned.stdout, /^not reached {2}token .*perchd connect http:\S+\/mcp, or --token-file FILE$/m);

  const host = new Stdio(new Program(t, binary, ['connect', `${board.base}/mcp`], { env, cwd: home.path, input: true, name: 'perchd connect' }));
  const signIn = until('a browser', 45, async () => (await home.opened())[0]).then((link) => new Person().signIn(link));
  await Promise.all([host.initialize(), signIn]);
  await host.program.stop();
  const { code, stdout } = await doctor(t, [`${board.base}/mcp`, '--state', board.state], env);
  assert.equal(code, 0, stdout);
  for (const step of ['configuration', 'keys', 'server', 'name', 'TCP', 'HTTP', 'clock', 'challenge', 'resource', 'sign-in server', 'registration', 'token', 'tools']) {
    assert.match(stdout, new RegExp(`^ok {11}${step} `, 'm'));
  }
  for (const revision of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']) {
    assert.match(stdout, new RegExp(`^ok {11}MCP ${revision} +5 tools$`, 'm'));
  }
  assert.match(stdout, /^not reached {2}MCP by SSE .*a sign-in of its own/m, 'a token is for one address');
  assert.equal((await home.opened()).length, 1, 'the doctor signs nobody in');
});

test('over https, a board with a CA of its own is well, whichever way it is trusted', { timeout }, async (t) => {
  const board = await Perchd.start(t, { host: '127.0.0.2', tls: ['127.0.0.2'] });
  const token = await minted(t, board);
  const own = await onBoard(t, board, token, ['--config', path.join(board.state, 'perchd.toml')]);
  for (const more of [[], ['--ca', board.ca]]) {
    const { code, stdout } = await doctor(t, [...own.args, ...more]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^ok {11}TLS .*127\.0\.0\.2.* until 20\d\d-.* vouches for sha256:[0-9a-f]{64}$/m);
    assert.match(stdout, /^ok {11}MCP by SSE +2 tools$/m);
  }
});

test('at a terminal the marks have colours, unless NO_COLOR says otherwise, and who waits is told for what', { timeout }, async (t) => {
  const url = `http://localhost:${await silent(t)}/mcp`;
  const shown = async (more) => {
    const env = { ...process.env, NO_COLOR: '', ...more };
    const program = new Program(t, 'script', ['--quiet', '--return', '--command', `${binary} doctor ${url}`, '/dev/null'], { name: 'script', env });
    assert.equal((await program.finish(60)).code, 1);
    return program.stdout;
  };
  const [coloured, plain] = await Promise.all([shown({}), shown({ NO_COLOR: '1' })]);
  assert.match(coloured, /\x1b\[32mok {9}\x1b\[0m {2}name /);
  assert.match(coloured, /\x1b\[1;31mfailed {5}\x1b\[0m {2}HTTP /);
  assert.ok(!plain.includes('\x1b[32m') && !plain.includes('\x1b[1;31m'), plain);
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seconds) => `\\r\\x1b\\[K\\.{3} +HTTP: ${seconds} s`).join('');
  for (const text of [coloured, plain]) assert.match(text, new RegExp(`${waits}\\r\\x1b\\[K`));
});

test('who waits away from a terminal is told nothing, and takes no processor', { timeout }, async (t) => {
  const url = `http://localhost:${await silent(t)}/mcp`;
  const program = new Program(t, 'bash', ['-c', `"${binary}" doctor ${url}; times`], { name: 'perchd doctor' });
  await program.finish(60);
  assert.ok(!program.stderr.includes('HTTP: '), program.stderr);
  // What the shell's own children took, in user space and in the kernel.
  const [, minutes, seconds] = /^(\d+)m([\d.]+)s \d+m[\d.]+s\n$/m.exec(program.stdout.split('\n').slice(-2).join('\n'));
  assert.ok(60 * minutes + Number(seconds) < 1, program.stdout);
});

async function doctor(t, args, env) {
  const own = { ...process.env, XDG_CONFIG_HOME: '/nonexistent', XDG_STATE_HOME: '/nonexistent', XDG_RUNTIME_DIR: '/nonexistent' };
  const program = new Program(t, binary, ['doctor', ...args], { env: { ...own, ...env }, name: 'perchd doctor' });
  const { code } = await program.finish(60);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

async function perchd(t, args) {
  const program = new Program(t, binary, args, { name: `perchd ${args[0]}` });
  assert.equal((await program.finish(20)).code, 0, program.stderr);
  return program.stdout.trim();
}

async function minted(t, board, ttl = '1d') {
  await hasKeys(board);
  return perchd(t, ['token', 'new', '--name', 'meter', '--scope', 'math', '--ttl', ttl, '--state', board.state]);
}

function hasKeys({ state }) {
  return until('a key ring', 20, () => existsSync(path.join(state, 'keys')));
}

/** With this token, from another computer. */
async function withToken(t, board, token, url = `${board.base}/mcp`) {
  const file = path.join(await folder(t), 'token');
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return { args: [url, '--token-file', file], secret: token };
}

/** The same on the board. */
async function onBoard(t, board, token, more = []) {
  const { args, secret } = await withToken(t, board, token);
  return { args: [...args, '--state', board.state, ...more], secret };
}

async function config(t, text) {
  const file = path.join(await folder(t), 'perchd.toml');
  await writeFile(file, text);
  return file;
}

function line(chip) {
  return `[gpio.fan]\nchip = "${chip}"\nline = 4\ndirection = "in"\n`;
}

/** A board with these tools, whose server runs as whoever is said. */
async function withTools(t, tables, { uid } = {}) {
  const port = await freePort();
  const file = await config(t, `listen = "127.0.0.1:${port}"\n[auth]\nmode = "demo"\n${tables}`);
  const state = path.join(await folder(t), 'state');
  await mkdir(state, { mode: 0o700 });
  if (uid && process.getuid() === 0) spawnSync('chown', ['-R', String(uid), path.dirname(file), path.dirname(state)]);
  const program = new Program(t, binary, ['serve', '--config', file, '--state', state], { uid, name: 'perchd' });
  await until('its answer', 20, () => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined));
  t.after(() => program.end || program.stop());
  return ['--config', file, '--state', state];
}

/** A port behind which nobody says anything. */
async function silent(t) {
  const sockets = new Set();
  const listener = net.createServer((socket) => sockets.add(socket.on('error', () => {})));
  t.after(() => [...sockets].forEach((socket) => socket.destroy()) ?? listener.close());
  return listening(listener);
}

async function listening(listener) {
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return listener.address().port;
}

/** A server of MCP that asks for a sign-in, as far as it is not told otherwise: `way` has metadata, and answers by their paths. */
async function server(t, way) {
  const listener = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, base);
    const resource = { resource: way.resource ?? `${base}/mcp`, authorization_servers: [base] };
    const metadata = {
      issuer: way.issuer ?? base,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      registration_endpoint: `${base}/register`,
      code_challenge_methods_supported: way.code_challenge_methods_supported ?? ['S256'],
    };
    const json = (status, value) => ({ status, text: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
    const known = {
      '/mcp': { status: 401, headers: { 'www-authenticate': `Bearer resource_metadata="${base}/.well-known/oauth-protected-resource/mcp"` } },
      '/.well-known/oauth-protected-resource/mcp': json(200, resource),
      '/.well-known/oauth-authorization-server': way.issuer === null ? undefined : json(200, metadata),
      '/register': json(400, { error: 'invalid_redirect_uri' }),
      ...way,
    };
    const answer = (request.headers.authorization && way.signedIn) || known[pathname] || { status: 404 };
    if (way.date) response.setHeader('date', way.date.toUTCString());
    response.writeHead(answer.status, answer.headers).end(answer.text);
  });
  const base = `http://localhost:${await listening(listener)}`;
  t.after(() => listener.close() && listener.closeAllConnections());
  return `${base}/mcp`;
}

/** A proxy before the server at `port`, which changes these headers; if it `gathers`, an answer passes when it is complete. */
async function proxy(t, port, changes, { gathers = false } = {}) {
  const listener = http.createServer((request, response) => {
    const headers = { ...request.headers, ...changes };
    for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
    const options = { host: '127.0.0.1', port, method: request.method, path: request.url, headers };
    const behind = http.request(options, (answer) => {
      const pieces = [];
      if (!gathers) response.writeHead(answer.statusCode, answer.headers);
      answer.on('data', (piece) => (gathers ? pieces.push(piece) : response.write(piece)));
      answer.on('error', () => response.destroy());
      answer.on('end', () => {
        if (gathers) response.writeHead(answer.statusCode, answer.headers);
        response.end(Buffer.concat(pieces));
      });
    });
    behind.on('error', () => response.destroy());
    response.on('close', () => behind.destroy());
    request.pipe(behind);
  });
  t.after(() => listener.close() && listener.closeAllConnections());
  return `http://localhost:${await listening(listener)}/mcp`;
}

/** A server with a certificate that vouches for itself, made so many seconds from now. */
async function secure(t, { name = 'localhost', days = 300, made = 0, more } = {}) {
  const home = await folder(t);
  const [key, cert] = [path.join(home, 'key.pem'), path.join(home, 'cert.pem')];
  // Without what Debian's openssl.cnf adds: it would be the certificate of a CA, which no server has.
  await writeFile(path.join(home, 'cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const words = ['req', '-config', path.join(home, 'cnf'), '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
  const about = ['-subj', '/CN=tests', '-addext', `subjectAltName=DNS:${name}`, '-days', String(days), ...(more ? ['-addext', more] : [])];
  const ran = spawnSync('openssl', [...words, ...about], { env: { ...process.env, ...faked(`${made < 0 ? '' : '+'}${made}`) } });
  assert.equal(ran.status, 0, String(ran.stderr));
  const listener = https.createServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) => response.end());
  t.after(() => listener.close() && listener.closeAllConnections());
  return { url: `https://localhost:${await listening(listener)}/mcp`, cert };
}

function trusted({ url, cert }) {
  return [url, '--ca', cert];
}

/** An environment in which it is another time. */
function faked(offset) {
  const library = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find(existsSync);
  assert.ok(library, "Debian's package libfaketime is there");
  return { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
