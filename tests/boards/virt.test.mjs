// A 64-bit board under emulation (QEMU's `virt`, Cortex-A53) with Debian's kernel and systemd: the package, clients, a power
// cut; its services by polkit, and the lines of its GPIO chip (PL061).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board } from './emulated/board.mjs';
import { call, Desktop, PATIENCE_SECS, token } from './emulated/clients.mjs';
import { virt } from './emulated/machines.mjs';
import * as story from './emulated/story.mjs';

const CONFIG = `
[services]
units = ["other.service"]
control = ["beacon.service"]

[gpio.lamp]
chip = "gpiochip0"
line = 0
direction = "out"
safe = false

[gpio.valve]
chip = "gpiochip0"
line = 1
direction = "out"
safe = true

[gpio.relay]
chip = "gpiochip0"
line = 2
direction = "out"
safe = false
active_low = true

[gpio.button]
chip = "gpiochip0"
line = 3
direction = "in"
`;

const UNIT = '[Service]\nExecStart=/bin/sleep infinity\n';
const RULE = '/etc/polkit-1/rules.d/50-perchd-services.rules';

test('virt', { timeout: 1_500_000 }, async (t) => {
  const board = await Board.make(t, virt, { '/perchd.deb': process.env.PERCHD_DEB_ARM64 });
  const desktop = await Desktop.make(t, board);
  await t.test('apt installs the package, and all units are well', () => story.install(board));
  await t.test('mcp-remote signs in once over https and reads its health', () => story.healthIsTold(board, desktop));
  await t.test('the journal has priorities, and the audit as JSON', () => story.journalIsStructured(board));
  await t.test('a configuration with services and lines is read', () => configure(board));
  await t.test('the one listed unit is restarted, once polkit knows the rule', () => services(board));
  await t.test('lines are switched and read, and are safe after SIGKILL', () => lines(board));
  await t.test('a power cut in the midst, and a clock in 1970', () => story.powerCut(board, desktop));
  await t.test('the unit takes no more memory than it may', () => story.memoryIsBounded(board));
});

async function configure(board) {
  await board.write('/etc/systemd/system/beacon.service', UNIT);
  await board.write('/etc/systemd/system/other.service', UNIT);
  await board.write('/run/more.toml', CONFIG);
  // As the files themselves say.
  const examples = '/usr/share/doc/perchd/examples';
  await board.sh(`install -D -m 644 ${examples}/hardware.conf /etc/systemd/system/perchd.service.d/hardware.conf`);
  await board.sh(`cp ${examples}/hardware.rules /etc/udev/rules.d/60-perchd.rules && udevadm control --reload && udevadm trigger --settle`);
  await board.sh('cat /run/more.toml >>/etc/perchd/perchd.toml && perchd check');
  await board.sh('systemctl daemon-reload && systemctl start beacon.service other.service && systemctl restart perchd.service');
  await story.isServing(board);
}

async function services(board) {
  const owner = await token(board, 'services', 'services:read', 'services:write');
  const pid = (unit) => board.sh(`systemctl show -P MainPID ${unit}`);
  const restart = (unit) => call(board, owner, 'control_service', { action: 'restart', unit });
  const before = { beacon: await pid('beacon.service'), other: await pid('other.service') };

  const unruled = await restart('beacon.service');
  assert.equal(unruled.isError, true);
  assert.match(unruled.content[0].text, /polkit\) does not let perchd restart beacon\.service/);
  assert.equal(await pid('beacon.service'), before.beacon);

  await board.sh(`perchd polkit >${RULE}`);
  await board.until('polkit to read its rules', PATIENCE_SECS, 'runuser -u perchd -- systemctl --no-ask-password restart beacon.service');
  before.beacon = await pid('beacon.service');
  assert.ok(!(await restart('beacon.service')).isError);
  assert.notEqual(await pid('beacon.service'), before.beacon, 'another process');

  const unlisted = await restart('other.service');
  assert.equal(unlisted.isError, true, 'perchd knows no such service to restart');
  // Nor would polkit let it, if perchd did not look.
  const itself = await board.run('runuser -u perchd -- systemctl --no-ask-password restart other.service');
  assert.notEqual(itself.status, 0);
  assert.match(itself.output, /Access denied|authentication/);
  assert.equal(await pid('other.service'), before.other);

  const status = await call(board, owner, 'service_status', { unit: 'other.service' });
  assert.match(status.content[0].text, /active/);
}

async function lines(board) {
  const owner = await token(board, 'gpio', 'gpio:read', 'gpio:write');
  const read = async (line) => (await call(board, owner, 'read_gpio', { line })).content[0].text;
  const write = (line, on) => call(board, owner, 'write_gpio', { line, on });
  const names = ['lamp', 'valve', 'relay'];

  assert.deepEqual(await levels(board), { lamp: 0, valve: 1, relay: 1 }, 'safe from the start');
  assert.match(await board.sh('gpioinfo gpiochip0'), /line +0:.*"perchd"/, 'held by perchd');
  for (const name of names) assert.ok(!(await write(name, name !== 'valve')).isError);
  assert.deepEqual(await levels(board), { lamp: 1, valve: 0, relay: 0 }, 'as the chip has it');
  assert.equal(await read('relay'), 'relay is on', 'on is a low voltage here');
  assert.equal(await read('valve'), 'valve is off');
  assert.equal(await read('button'), 'button is off');

  const pulse = call(board, owner, 'pulse_gpio', { line: 'lamp', milliseconds: 500 });
  assert.ok(!(await pulse).isError);
  assert.equal((await levels(board)).lamp, 0, 'safe after the pulse');
  await write('lamp', true);

  // Killed, it can do nothing; what the kernel leaves is as the driver has it. The unit starts it again.
  const restarts = Number(await board.sh('systemctl show -P NRestarts perchd.service'));
  const late = '/run/systemd/system/perchd.service.d/late.conf';
  await board.sh(`mkdir -p $(dirname ${late}) && printf '[Service]\\nRestartSec=20\\n' >${late} && systemctl daemon-reload`);
  const gone = 'until systemctl show -P SubState perchd.service | grep -q auto-restart; do sleep 0.2; done';
  const unheld = await board.sh(`systemctl kill -s KILL perchd.service; ${gone}; gpioinfo gpiochip0`);
  assert.match(unheld, /line +0:.*unused/, 'the kernel took its lines back');
  assert.deepEqual(await levels(board), { lamp: 1, valve: 0, relay: 0 }, 'PL061 leaves them as they were');
  await board.until('systemd to start it again', PATIENCE_SECS, `test "$(systemctl show -P NRestarts perchd.service)" -gt ${restarts}`);
  await story.isServing(board);
  assert.deepEqual(await levels(board), { lamp: 0, valve: 1, relay: 1 }, 'safe again');
  await board.sh(`rm ${late} && systemctl daemon-reload`);
}

/** The lines as they are at the pins: QEMU reads the chip's data register from outside (its address masks the bits). */
async function levels(board) {
  const answer = await board.monitor('xp /1xw 0x090303fc');
  const bits = Number(/: (0x[0-9a-f]+)/.exec(answer)?.[1]);
  assert.ok(Number.isInteger(bits), answer);
  return { lamp: bits & 1, valve: (bits >> 1) & 1, relay: (bits >> 2) & 1 };
}
