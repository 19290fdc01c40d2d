// What perchd shows at a terminal and nowhere else: the picture of `perchd pair`, in which a telephone reads the page for a code, and
// word of what takes its time.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import jsQR from 'jsqr';
import { binary, folder, Perchd } from './lib/perchd.mjs';
import { Program } from './lib/program.mjs';
import { until } from './lib/wait.mjs';

const timeout = 60_000;
/** Pixels of a module, which is half as high as a character. */
const SCALE = 4;
/** What stands in the upper and the lower half of each character. */
const HALVES = { ' ': [0, 0], '▀': [1, 0], '▄': [0, 1], '█': [1, 1] };

for (const origin of ['https://greenhouse.example', 'https://a-rather-long-name-for-a-board-in-the-greenhouse.garden.example.org:18787']) {
  test(`a telephone reads ${origin}/device`, { timeout }, async (t) => {
    const shown = await pair(t, `public = [${JSON.stringify(origin)}]\n`);
    assert.match(shown, /^ {2}[0-9A-Z]{4}-[0-9A-Z]{4}$/m);
    const read = look(picture(shown));
    assert.equal(read?.data, `${origin}/device`);
  });
}

test('an address that a telephone would look for in itself is not drawn', { timeout }, async (t) => {
  const shown = await pair(t, '');
  assert.match(shown, /http:\/\/localhost:\d+\/device/);
  assert.doesNotMatch(shown, /[▀▄█]/);
});

test('this test tells a picture from one that is damaged', { timeout }, async (t) => {
  const drawn = picture(await pair(t, 'public = ["https://greenhouse.example"]\n'));
  assert.equal(look(drawn)?.data, 'https://greenhouse.example/device');
  // Light on dark, as terminals are that nobody told otherwise.
  const inverted = drawn.map((row) => row.map((module) => 1 - module));
  assert.equal(look(inverted), null);
  // Without the margin, and with every other row lost.
  assert.equal(look(drawn.filter((_, index) => index % 2)), null);
});

test('who wants no colours gets a picture without', { timeout }, async (t) => {
  const shown = await pair(t, 'public = ["https://greenhouse.example"]\n', { NO_COLOR: '1' });
  assert.match(shown, /[▀▄█]/);
  assert.doesNotMatch(shown, /\x1b/);
});

test('a terminal is told what takes its time, and a pipe is not', { timeout }, async (t) => {
  const state = await folder(t);
  const command = `echo 'four words of mine' | '${binary}' passwd anna --stdin --state '${state}'`;
  const env = { ...process.env, HOME: state, XDG_CONFIG_HOME: state };
  const terminal = new Program(t, 'script', ['--quiet', '--return', '--command', command, '/dev/null'], { name: 'perchd passwd', env });
  assert.equal((await terminal.finish(30)).code, 0);
  // It is there, and is taken back before anything else is said.
  const [before, after] = terminal.stdout.split('\r\x1b[K');
  assert.match(before, /how much work this board can do/);
  assert.match(after, /\[auth\.users\.anna\]/);

  const pipe = new Program(t, 'bash', ['-c', command], { name: 'perchd passwd in a pipe', env });
  assert.equal((await pipe.finish(30)).code, 0);
  assert.match(pipe.stdout, /^\[auth\.users\.anna\]\npassword = /);
  assert.doesNotMatch(pipe.stderr, /\x1b|how much work/);
});

/** What a terminal shows of `perchd pair`, escape sequences included. */
async function pair(t, more, env = {}) {
  const state = await folder(t);
  const config = path.join(state, 'perchd.toml');
  await writeFile(config, `${more}[auth]\nmode = "pairing"\n`);
  const { program } = await Perchd.start(t, { auth: null, state, config });
  // It takes connections a moment before it takes commands.
  await until('the greeting of perchd', 20, () => program.stdout.includes('Open http'));
  const command = `'${binary}' pair --config '${config}' --state '${state}'`;
  const terminal = new Program(t, 'script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    name: 'perchd pair',
    env: { ...process.env, NO_COLOR: '', ...env },
  });
  assert.equal((await terminal.finish(20)).code, 0);
  return terminal.stdout.replaceAll('\r\n', '\n');
}

/** The modules of the picture, dark ones as 1: each line of it says that it is black on white. */
function picture(shown) {
  const lines = [...shown.matchAll(/^ {2}\x1b\[30;107m(.*)\x1b\[0m$/gm)].map(([, line]) => [...line]);
  assert.ok(lines.length > 10 && lines.every((line) => line.length === lines[0].length && line.length <= 76), 'a square of text');
  return lines.flatMap((line) => [0, 1].map((half) => line.map((character) => HALVES[character][half])));
}

/** What a camera makes of it. */
function look(modules) {
  const [width, height] = [modules[0].length * SCALE, modules.length * SCALE];
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isDark = modules[Math.floor(y / SCALE)][Math.floor(x / SCALE)];
      pixels.fill(isDark ? 0 : 255, 4 * (y * width + x), 4 * (y * width + x) + 3);
    }
  }
  return jsQR(pixels, width, height, { inversionAttempts: 'dontInvert' });
}
