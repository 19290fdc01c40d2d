// The package on a real systemd, from its installation to its purge. tests/boards/nspawn boots one and runs this in its network.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../clients/lib/wait.mjs';

const REQUESTS = 1000;
const CONFIG = '/etc/perchd/perchd.toml';

const enter = ['--target', process.env.LEADER, '--all', '--'];
/** What a command prints inside. */
const inside = (...words) => execFileSync('nsenter', [...enter, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
/** The same, while requests go on. */
const meanwhile = async (...words) => (await promisify(execFile)('nsenter', [...enter, ...words])).stdout;
/** How a command ends inside, and what it says. */
const tried = (...words) => spawnSync('nsenter', [...enter, ...words], { encoding: 'utf8' });
const shown = (property, unit = 'perchd.service') => inside('systemctl', 'show', '--value', '--property', property, unit);
const isActive = () => shown('ActiveState') === 'active';
const newToken = (name) => inside('perchd', 'token', 'new', '--scope', 'math', '--ttl', '1d', '--name', name);

let ca;
let token;

test('it is installed: the service runs, and says how to pair', () => {
  const said = inside('dpkg', '--install', '/root/perchd.deb');
  ca = inside('cat', '/var/lib/perchd/ca.pem');
  token = newToken('before');
  assert.match(said, /sudo perchd pair/);
  for (const unit of ['perchd.service', 'perchd.socket']) {
    assert.equal(shown('ActiveState', unit), 'active', `${unit}: ${inside('journalctl', '--no-pager', '--unit', unit)}`);
    assert.equal(shown('UnitFileState', unit), 'enabled');
  }
  assert.equal(inside('systemctl', '--failed', '--no-legend'), '');
  assert.equal(inside('stat', '--format', '%U %a', '/var/lib/perchd/keys'), 'perchd 600');
  assert.equal(inside('stat', '--format', '%U:%G %a', CONFIG), 'root:perchd 640');
  assert.match(inside('perchd', 'pair', '--user', 'ada'), /^[0-9A-Z]{4}-[0-9A-Z]{4}$/m);
});

test('a client that trusts the board calls a tool', async () => {
  assert.equal(await sum(token), '42');
  assert.equal((await call('x', ADD)).status, 401);
});

test('the sandbox is in effect', () => {
  const pid = shown('MainPID');
  const read = (name) => inside('cat', `/proc/${pid}/${name}`);
  const status = Object.fromEntries(read('status').split('\n').map((line) => line.split(/:\s*/)));
  const user = inside('id', '--user', 'perchd');
  assert.notEqual(user, '0');
  assert.deepEqual(status.Uid.split(/\s+/), [user, user, user, user]);
  assert.deepEqual(
    [status.NoNewPrivs, status.Seccomp, status.Umask, status.CapInh, status.CapPrm, status.CapEff, status.CapBnd, status.CapAmb],
    ['1', '2', '0077', ...Array(5).fill('0000000000000000')],
  );
  const limits = read('limits');
  assert.match(limits, /^Max core file size +0 +0 /m);
  assert.match(limits, /^Max open files +1024 +1024 /m);
  const mounts = read('mountinfo').split('\n').map((line) => line.split(' '));
  const options = (point) => mounts.findLast((fields) => fields[4] === point)?.[5] ?? '';
  assert.match(options('/'), /^ro/, 'nothing is written');
  assert.match(options('/var/lib/perchd'), /^rw/, 'but the state');
  assert.match(options('/home'), /^ro/, 'homes are hidden');
  const seen = (folder) => inside('ls', `/proc/${pid}/root${folder}`).split('\n');
  assert.deepEqual(seen('/home'), ['']);
  assert.ok(!seen('/dev').some((name) => /^(sd|vd|mem|kmsg|gpiochip|i2c)/.test(name)), 'no devices');
  assert.deepEqual(seen('/tmp'), [''], 'a /tmp of its own');
  const own = (name) => inside('readlink', `/proc/${pid}/ns/${name}`) !== inside('readlink', `/proc/1/ns/${name}`);
  assert.ok(own('mnt') && own('user'));
  assert.deepEqual(
    ['MemoryMax', 'TasksMax', 'NotifyAccess', 'Restart'].map((name) => shown(name)),
    [`${64 * 1024 * 1024}`, '64', 'main', 'on-failure'],
  );
});

test('no request is lost while it is started anew', async () => {
  const before = shown('MainPID');
  await underLoad(async () => {
    // Else systemd takes so many starts for a fault.
    await meanwhile('systemctl', 'reset-failed', 'perchd.service');
    await meanwhile('systemctl', 'restart', 'perchd.service');
  });
  assert.notEqual(shown('MainPID'), before);
});

test('a configuration that is changed holds after a reload, in the same process', async () => {
  const pid = shown('MainPID');
  assert.ok((await tools()).includes('calculate'));
  inside('sed', '-i', 's/^\\[tools\\]/[tools]\\nhide = ["calculate"]/', CONFIG);
  inside('systemctl', 'reload', 'perchd.service');
  await until('the tool to be gone', 30, async () => !(await tools()).includes('calculate'));
  assert.equal(shown('MainPID'), pid);
  await until('the unit to be reloaded', 30, isActive);
});

test('a server that hangs is ended by the watchdog and comes back', { timeout: 180_000 }, async () => {
  const pid = shown('MainPID');
  inside('systemctl', 'kill', '--signal=STOP', 'perchd.service');
  await until('another process', 120, () => shown('MainPID') !== pid && isActive());
  assert.match(inside('journalctl', '--no-pager', '--unit=perchd.service'), /Watchdog timeout/);
  assert.equal(shown('NRestarts'), '1');
  assert.equal(await sum(token), '42');
});

test('a key ring in the credential store holds in place of its own', async () => {
  inside('mkdir', '-p', '/etc/credstore', '/root/other');
  inside('perchd', 'init', '--config', '/root/other/perchd.toml', '--state', '/root/other');
  inside('install', '-m', '600', '/root/other/keys', '/etc/credstore/perchd.keys');
  inside('systemctl', 'restart', 'perchd.service');
  assert.equal((await call(token, ADD)).status, 401, 'its own ring does not hold');
  assert.equal(await sum(newToken('stored')), '42');
  const rotated = tried('perchd', 'keys', 'rotate');
  assert.equal(rotated.status, 78, rotated.stderr);
  assert.match(rotated.stderr, /systemd hands over the key ring/);
  inside('rm', '/etc/credstore/perchd.keys');
  inside('systemctl', 'restart', 'perchd.service');
  assert.equal(await sum(token), '42', 'without it, its own does again');
});

test('an upgrade loses no request, no key, no token and no change of the configuration', async () => {
  const kept = () => inside('sha256sum', '/var/lib/perchd/keys', '/var/lib/perchd/ca.pem', CONFIG);
  const [before, session] = [kept(), await initialize(token)];
  let said;
  await underLoad(async () => (said = await meanwhile('dpkg', '--install', '/root/next.deb')), 1);
  assert.match(inside('dpkg-query', '--show', 'perchd'), /\+next$/);
  assert.doesNotMatch(said, /perchd pair/, 'that is for the first time');
  assert.equal(kept(), before);
  assert.equal((await call(token, PING, { 'mcp-session-id': session })).status, 200, 'the session goes on');
});

test('units that their owner has disabled stay so through an upgrade', () => {
  const units = ['perchd.service', 'perchd.socket'];
  // The service takes its socket along (Also=).
  inside('systemctl', 'disable', 'perchd.service');
  inside('dpkg', '--install', '/root/next.deb');
  for (const unit of units) assert.equal(shown('UnitFileState', unit), 'disabled', unit);
  inside('systemctl', 'enable', ...units);
});

test('what init prints has the port of perchd.socket, whether the server runs or not', () => {
  const printed = () => inside('perchd', 'init', '--config', CONFIG);
  const listening = (dropIn) => {
    inside('systemctl', 'stop', 'perchd.service', 'perchd.socket');
    inside('sh', '-c', dropIn);
    inside('systemctl', 'daemon-reload');
  };
  const folder = '/etc/systemd/system/perchd.socket.d';
  listening(`mkdir ${folder} && printf '[Socket]\\nListenStream=\\nListenStream=9000\\n' >${folder}/port.conf`);
  for (const isRunning of [false, true]) {
    if (isRunning) inside('systemctl', 'start', 'perchd.socket', 'perchd.service');
    const said = printed();
    assert.match(said, /^ {2}perchd connect https:\/\/[^ ]+:9000\/mcp/m);
    assert.doesNotMatch(said, /8787/);
    assert.equal(said.includes('Start it:'), !isRunning);
  }
  assert.match(inside('perchd', 'check'), /^Listens on +\[::\]:9000$/m);
  listening(`rm -r ${folder}`);
  inside('systemctl', 'start', 'perchd.socket', 'perchd.service');
  assert.match(printed(), /:8787\/mcp/);
});

test('removed, it leaves keys and configuration; purged, nothing', () => {
  inside('dpkg', '--remove', 'perchd');
  assert.equal(shown('ActiveState'), 'inactive');
  assert.equal(shown('ActiveState', 'perchd.socket'), 'inactive');
  assert.equal(tried('test', '-e', '/usr/bin/perchd').status, 1);
  assert.equal(tried('test', '-e', '/var/lib/perchd/keys').status, 0);
  inside('dpkg', '--purge', 'perchd');
  for (const path of ['/var/lib/perchd', '/etc/perchd', '/run/perchd', '/etc/systemd/system/sockets.target.wants/perchd.socket']) {
    assert.equal(tried('test', '-e', path).status, 1, `${path} is still there`);
  }
  assert.equal(inside('systemctl', '--failed', '--no-legend'), '');
});

// ── a client ───────────────────────────────────────────────────────────────────────────────────────────────────────

const ADD = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'add', arguments: { a: 20, b: 22 } } };
const PING = { jsonrpc: '2.0', id: 2, method: 'ping' };
const kept = new https.Agent({ keepAlive: true });

/** What comes of one request; on a connection of its own, unless there is an agent that keeps one. */
function call(bearer, message, headers = {}, agent = false) {
  return new Promise((resolve, reject) => {
    const options = {
      ca,
      agent,
      method: 'POST',
      timeout: 60_000,
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
    };
    const request = https.request('https://localhost:8787/mcp', options, async (answer) => {
      try {
        const text = (await answer.toArray()).join('');
        resolve({ status: answer.statusCode, headers: answer.headers, text });
      } catch (error) {
        reject(error);
      }
    });
    request.on('timeout', () => request.destroy(new Error('no answer within a minute'))).on('error', reject);
    request.end(JSON.stringify(message));
  });
}

async function sum(bearer, agent) {
  const answer = await call(bearer, ADD, {}, agent);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text).result.content[0].text;
}

async function tools() {
  const answer = await call(token, { jsonrpc: '2.0', id: 3, method: 'tools/list' });
  return JSON.parse(answer.text).result.tools.map(({ name }) => name);
}

async function initialize(bearer) {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'package', version: '1' } };
  return (await call(bearer, { jsonrpc: '2.0', id: 0, method: 'initialize', params })).headers['mcp-session-id'];
}

/** Does `act` so many times while clients call a tool, a thousand times in all. Each call must be answered. */
async function underLoad(act, times = 5) {
  let asked = 0;
  let answered = 0;
  const client = async (agent) => {
    while (asked < REQUESTS) {
      asked += 1;
      assert.equal(await sum(token, agent), '42');
      answered += 1;
    }
  };
  let lost = false;
  const acting = (async () => {
    for (let n = 1; n <= times; n += 1) {
      await until(`${(n * REQUESTS) / (times + 1)} answers`, 240, () => lost || answered >= (n * REQUESTS) / (times + 1));
      if (!lost) await act();
    }
  })();
  const clients = [kept, kept, false, false].map((agent) => client(agent).catch((error) => (lost = true) && Promise.reject(error)));
  await Promise.all([acting, ...clients]);
  assert.equal(answered, asked);
  console.log(`${answered} of ${asked} requests were answered`);
}
