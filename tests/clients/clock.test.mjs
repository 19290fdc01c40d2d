// mcp-remote on a board without a clock of its own: restarts, a lost key, rotated keys, 1970, a day back, forty days ahead. In each
// a person signs in once more at most. The clock is moved under perchd by Debian's faketime.
import assert from 'node:assert/strict';
import { readdirSync, existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Home } from './lib/home.mjs';
import { binary, folder, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { Stdio } from './lib/stdio.mjs';

const proxy = path.join(import.meta.dirname, 'node_modules/mcp-remote/dist/proxy.js');
const DAY = 24 * 3600;
const NOW = Math.floor(Date.now() / 1000);

// What happens between two starts of mcp-remote, and how often a person signs in for it.
const ROWS = [
  { what: 'a power cut', act: (board) => board.restart(), signIns: 0 },
  { what: 'a power cut, and the key is lost', act: (board) => board.loseKey().then(() => board.restart()), signIns: 1 },
  { what: 'the keys are rotated', act: (board) => board.rotate(), signIns: 0 },
  { what: 'the keys are rotated, and a power cut', act: (board) => board.rotate().then(() => board.restart()), signIns: 0 },
  { what: 'a power cut, and the board wakes in 1970', act: (board) => board.set(-NOW).then(() => board.restart()), signIns: 0 },
  { what: 'the clock falls back to 1970', act: (board) => board.set(-NOW), signIns: 0 },
  { what: 'the clock goes back a day', act: (board) => board.set(-DAY), signIns: 0 },
  { what: 'the clock goes forward forty days', act: (board) => board.set(40 * DAY), signIns: 0 },
  { what: 'forty days without power', act: (board) => board.set(40 * DAY).then(() => board.restart()), signIns: 1 },
];

const table = [];

for (const row of ROWS) {
  test(row.what, { timeout: 120_000 }, async (t) => {
    const board = await Board.start(t);
    const home = await Home.make(t);
    await use(t, board, home);
    assert.equal((await home.opened()).length, 1, 'the first sign-in');
    await row.act(board);
    await use(t, board, home);
    const signIns = (await home.opened()).length - 1;
    table.push(`${row.what.padEnd(50)} ${signIns}`);
    assert.equal(signIns, row.signIns);
  });
}

test.after(() => console.log(['', `${'what happens'.padEnd(50)} sign-ins of mcp-remote`, ...table, ''].join('\n')));

/** Starts mcp-remote, signs in whenever it opens a browser, and calls a tool. */
async function use(t, board, home) {
  const args = [proxy, `${board.server.base}/mcp`, String(home.callbackPort)];
  const host = new Stdio(new Program(t, process.execPath, args, { env: home.env, cwd: home.path, input: true, name: 'mcp-remote' }));
  const before = (await home.opened()).length;
  const isUp = host.initialize().then(() => true);
  const isAsked = new AbortController();
  const person = signInWhenAsked(home, before, isAsked.signal);
  await isUp.finally(() => isAsked.abort());
  await person;
  assert.equal(await host.call('add', { a: 2, b: 3 }), '5');
  await host.program.stop();
}

async function signInWhenAsked(home, seen, signal) {
  while (!signal.aborted) {
    const link = (await home.opened())[seen];
    if (link) return new Person().signIn(link);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** perchd with a clock that is set by hand, while its uptime goes on as ever. */
class Board {
  static async start(t) {
    const board = new Board();
    board.t = t;
    board.offset = path.join(await folder(t), 'offset');
    await board.set(0);
    const library = readdirSync('/usr/lib')
      .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
      .find(existsSync);
    assert.ok(library, "Debian's package libfaketime is there");
    const env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: board.offset,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    board.server = await Perchd.start(t, { env });
    return board;
  }

  async set(seconds) {
    await writeFile(`${this.offset}.next`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    await rename(`${this.offset}.next`, this.offset);
  }

  async restart() {
    await this.server.restart(this.t);
  }

  async loseKey() {
    await rm(path.join(this.server.state, 'keys'));
  }

  /** A new key from now on, as its owner asks for it. */
  async rotate() {
    const program = new Program(this.t, binary, ['keys', 'rotate', '--state', this.server.state], { name: 'perchd keys rotate' });
    assert.deepEqual(await program.finish(10), { code: 0, signal: null });
    assert.match(program.stdout, /the ring has 2/);
  }
}
