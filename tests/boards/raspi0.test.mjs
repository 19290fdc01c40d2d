// A Pi Zero under emulation (ARMv6) with Debian's kernel and systemd: the package, clients, a power cut. It has no clock of its own.
import { test } from 'node:test';
import { Board } from './emulated/board.mjs';
import { Desktop } from './emulated/clients.mjs';
import { raspi0 } from './emulated/machines.mjs';
import * as story from './emulated/story.mjs';

test('raspi0', { timeout: 1_500_000 }, async (t) => {
  const board = await Board.make(t, raspi0, { '/perchd.deb': process.env.PERCHD_DEB_ARMHF });
  const desktop = await Desktop.make(t, board);
  // Under emulation apt reads its lists for ten minutes and more; the package needs nothing that is not there.
  await t.test('dpkg installs the package, and all units are well', () => story.install(board, 'dpkg --install'));
  await t.test('mcp-remote signs in once over https and reads its health', () => story.healthIsTold(board, desktop));
  await t.test('the journal has priorities, and the audit as JSON', () => story.journalIsStructured(board));
  await t.test('a power cut in the midst, and a clock in 1970', () => story.powerCut(board, desktop));
  await t.test('the unit takes no more memory than it may', () => story.memoryIsBounded(board));
});
