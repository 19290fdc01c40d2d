// What is shown of every emulated board: the package, a client's sign-in, what is told and used, a power cut, and a wrong clock.
import assert from 'node:assert/strict';
import https from 'node:https';
import { until } from '../../clients/lib/wait.mjs';
import { ask, call, Desktop, PATIENCE_SECS, request, textOf, token } from './clients.mjs';

// Nearly all of it are pages of the program itself.
const IDLE_KIB_MAX = 3_072;

/** The package is installed on a board that runs, and the service is up. `tool` is apt, or dpkg where apt takes too long. */
export async function install(board, tool = 'apt-get install -y --no-install-recommends') {
  await board.boot();
  await board.setClock();
  board.say(`the package is installed: ${tool}`);
  const said = await board.sh(`DEBIAN_FRONTEND=noninteractive ${tool} /perchd.deb`, 600);
  assert.match(said, /perchd pair/, 'it says how to let somebody in');
  await board.trust();
  await isServing(board);
}

/** The service answers, systemd has it as active, and nothing has failed. */
export async function isServing(board) {
  await until(`${board.name} to answer`, PATIENCE_SECS, () => fetch(`${board.base}/`).then(
      (answer) => answer.text().then(() => answer.ok),
      () => false,
    ),
  );
  assert.equal(await board.sh('systemctl is-active perchd.service'), 'active');
  await board.run('systemctl is-system-running --wait');
  assert.equal(await board.sh('systemctl --failed --no-legend'), '', 'no unit has failed');
}

/** mcp-remote asks for the board's health, after a sign-in or without one. */
export async function healthIsTold(board, desktop) {
  const host = await desktop.start();
  const health = await host.call('board_health', {}, PATIENCE_SECS);
  assert.match(health, board.machine.health);
  await host.program.stop();
}

/** Its lines in the journal have a priority each, and those of the audit are JSON. */
export async function journalIsStructured(board) {
  const text = await board.sh('journalctl --no-pager --output=json _SYSTEMD_UNIT=perchd.service');
  const lines = text.split('\n').map((line) => JSON.parse(line));
  const audit = lines.filter(({ MESSAGE }) => MESSAGE.startsWith('audit: '));
  const events = audit.map(({ MESSAGE }) => JSON.parse(MESSAGE.slice('audit: '.length)).event);
  for (const event of ['registered', 'pairing_offered', 'signed_in', 'approved', 'tool_called']) assert.ok(events.includes(event), `${event} in ${events}`);
  assert.deepEqual([...new Set(audit.map(({ PRIORITY }) => PRIORITY))], ['5'], 'notices');
  for (const { MESSAGE } of lines) assert.doesNotMatch(MESSAGE, /^<\d>/, 'a priority that journald did not take');
}

/** What it takes when nobody asks anything, TLS and all. */
export async function idleMemory(board) {
  const pid = await board.sh('systemctl show -P MainPID perchd.service');
  const kib = Number(await board.sh(`awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`));
  console.log(`perchd takes ${kib} KiB idle on ${board.name}, with TLS, of ${IDLE_KIB_MAX}`);
  assert.ok(kib > 0 && kib <= IDLE_KIB_MAX, `${kib} KiB`);
}

/** Streams, calls and pages at once stay below what the unit may take; who takes more is ended. */
export async function memoryIsBounded(board) {
  const group = '/sys/fs/cgroup/system.slice/perchd.service';
  const max = Number(await board.sh('systemctl show -P MemoryMax perchd.service'));
  assert.equal(Number(await board.sh(`cat ${group}/memory.max`)), max, 'the kernel was told');
  const soaker = await token(board, 'soaker', 'math');
  const headers = { authorization: `Bearer ${soaker}`, accept: 'text/event-stream' };
  const streams = new AbortController();
  // Eight at once: perchd gives a handshake ten seconds, and the board's processor is an emulated one.
  for (let opened = 0; opened < 32; opened += 8) {
    const open = Array.from({ length: 8 }, () => request(board, '/sse', { headers, signal: streams.signal }));
    for (const stream of await Promise.all(open)) {
      assert.equal(stream.statusCode, 200);
      stream.on('error', () => {}).resume();
    }
  }
  // Connections that stay: handshakes are most of what an emulated board computes.
  const agent = new https.Agent({ keepAlive: true });
  for (let round = 0; round < 10; round += 1) {
    const calls = Array.from({ length: 12 }, () => call(board, soaker, 'add', { a: 2, b: 3 }, agent));
    const pages = Array.from({ length: 4 }, () => request(board, '/', { agent }).then(textOf));
    for (const { content } of (await Promise.all([...calls, ...pages])).slice(0, calls.length)) assert.equal(content[0].text, '5');
  }
  const peak = Number(await board.sh(`cat ${group}/memory.peak`));
  assert.match(await board.sh(`cat ${group}/memory.events`), /^max 0$/m, 'its bound was never reached');
  streams.abort();
  agent.destroy();
  console.log(`${board.name}: under load the unit took ${Math.round(peak / 1024)} KiB at most, of ${Math.round(max / 1024)}`);

  // A process in its group that wants more than the unit may have is ended; perchd, which takes less, goes on.
  const pid = await board.sh('systemctl show -P MainPID perchd.service');
  const { status } = await board.run(`sh -c 'echo $$ >${group}/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=${2 * max} count=1'`);
  assert.equal(status, 137, 'killed');
  assert.match(await board.sh(`cat ${group}/memory.events`), /^oom_kill [1-9]/m, 'for its memory');
  assert.equal(await board.sh('systemctl show -P MainPID perchd.service'), pid, 'perchd was not');
  await isServing(board);
}

/**
 * The power goes while somebody is half way through a sign-in and one token after another is revoked. The board wakes in
 * 1970: who was signed in still is, who was half way signs in anew, and what was said to be revoked is.
 */
export async function powerCut(board, desktop) {
  // mcp-remote signs in anew where a board offers other scopes than when it did so: that is not the power cut's doing.
  await healthIsTold(board, desktop);
  const late = await Desktop.make(board.t, board);
  const names = Array.from({ length: 8 }, (_, number) => `meter-${number}`);
  const tokens = [];
  for (const name of names) tokens.push(await token(board, name, 'math'));
  for (const each of tokens) assert.equal((await ask(board, each, 'tools/list')).status, 200);
  const host = await late.startAndStopHalfWay();

  const told = new Set();
  const ending = names.map((name) => `perchd revoke --name ${name} && echo 'revoked ${name}' >"$tty"`).join('; ');
  board.type(ending);
  await board.said((line) => {
    const name = /^revoked (\S+)$/.exec(line)?.[1];
    if (name) told.add(name);
    return told.size === 3;
  });
  await board.cutPower();
  for (const line of board.rest()) if (/^revoked \S+$/.test(line)) told.add(line.slice('revoked '.length));
  await host.program.kill();

  const cut = Date.now() / 1000;
  await board.boot({ clock: '1970-01-01T00:00:00' });
  await isServing(board);
  const clock = Number(await board.sh('date +%s'));
  assert.ok(clock < cut, 'the clock went back');
  // systemd has put it forward to the day on which it was built itself; where nothing does, it is 1970.
  await board.sh('systemctl stop perchd.socket perchd.service && date -u -s @86400 && systemctl start perchd.socket perchd.service');
  await isServing(board);
  await idleMemory(board);
  const before = desktop.seen;
  await healthIsTold(board, desktop);
  assert.equal(desktop.seen, before, 'nobody was asked');
  const statuses = [];
  for (const each of tokens) statuses.push((await ask(board, each, 'tools/list')).status);
  names.forEach((name, index) => assert.ok(!told.has(name) || statuses[index] === 401, `${name} was revoked, and answers ${statuses[index]}`));
  assert.equal(statuses.at(-1), 200, 'one that nobody revoked');
  console.log(`${board.name}: cut after ${told.size} of ${names.length} were said to be revoked; now they answer ${statuses.join(' ')}`);
  await healthIsTold(board, late);
  assert.equal(late.seen, 2, 'one more sign-in for who was half way');

  await board.setClock();
  await healthIsTold(board, desktop);
  assert.equal(desktop.seen, before, 'nor when the clock was set');
}
