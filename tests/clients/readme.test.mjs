// README.md does what it says: its marked shell blocks run as they stand, and print what it says they print. See README.md here.
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { Home } from './lib/home.mjs';
import { pattern, testedBlocks } from './lib/markdown.mjs';
import { binary, Perchd } from './lib/perchd.mjs';
import { Program } from './lib/program.mjs';

const PORT = 8787;
const lib = path.join(import.meta.dirname, 'lib');
const readme = path.resolve(process.env.README ?? path.join(import.meta.dirname, '../../README.md'));
const tests = testedBlocks(await readFile(readme, 'utf8').catch(() => ''));

test('README.md has blocks to test', () =>
  assert.ok(tests.size > 0, `${readme} is missing or has no block that begins with "\`\`\`sh run-NAME"`));

for (const [name, blocks] of tests) {
  test(`README.md, ${name}`, { timeout: 180_000 }, async (t) => {
    await portIsFree();
    await Perchd.start(t, { port: PORT });
    const home = await reader(t);
    const program = new Program(t, 'bash', [await script(home, blocks)], {
      cwd: home.file('work'),
      env: envOf(home),
      name: `README.md, ${name}`,
      group: true,
    });
    const { code } = await program.finish(150);
    for (const [at, block] of blocks.entries()) {
      const printed = await readFile(home.file(`${at}.out`), 'utf8').catch(() => assert.fail(`line ${block.line} never ran`));
      if (code !== 0) console.error(`--- line ${block.line} printed\n${printed}`);
      if (block.output !== undefined)
        assert.match(printed.replaceAll('\r', '').trimEnd(), pattern(block.output), `what line ${block.line} prints`);
    }
    assert.equal(code, 0, 'every command succeeded');
  });
}

/** The README names the default port, so nothing else may be on it. */
async function portIsFree() {
  const probe = net.createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(PORT, '127.0.0.1', resolve)).catch((error) => {
    throw new Error(`README.md is tested on port ${PORT}, which something else uses: ${error.code}. Stop it and run again.`);
  });
  await new Promise((resolve) => probe.close(resolve));
}

/** Somebody who follows the README: an empty folder, npx, and a browser that signs in. */
async function reader(t) {
  const home = await Home.make(t, ['work']);
  const signIn = `#!/bin/sh\n"${process.execPath}" "${lib}/sign-in.mjs" "$1" >>"$HOME/browser.log" 2>&1 &\n`;
  await writeFile(home.file('bin/xdg-open'), signIn);
  await chmod(home.file('bin/xdg-open'), 0o755);
  return home;
}

function envOf(home) {
  const { MCP_AUTO_OPEN_ENABLED, ...env } = home.env;
  return { ...env, PATH: `${lib}:${path.dirname(binary)}:${env.PATH}` };
}

/** One shell for all blocks, so that a variable set in one is there in the next. */
async function script(home, blocks) {
  const steps = [];
  for (const [at, block] of blocks.entries()) {
    await writeFile(home.file(`${at}.sh`), `${block.script}\n`);
    steps.push(`source "$HOME/${at}.sh" >"$HOME/${at}.out" 2>&1`);
  }
  await writeFile(home.file('all.sh'), ['set -euo pipefail', ...steps, ''].join('\n'));
  return home.file('all.sh');
}
