// The programs in the manual's page on clients do what it says: each calls a tool with a token that was made on the board.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fences } from './lib/markdown.mjs';
import { binary, folder, Perchd } from './lib/perchd.mjs';
import { Program } from './lib/program.mjs';
import { until } from './lib/wait.mjs';

const manual = path.join(import.meta.dirname, '../../src/manual');
const blocks = [...fences(await readFile(path.join(manual, 'clients.md'), 'utf8'))];
const sdk = path.join(import.meta.dirname, 'sdk');
const python = process.env.PYTHON_MCP;

// Where each is run: the TypeScript SDK is found from the folder that it is installed in.
const languages = {
  'js run-typescript': { name: 'block.mjs', command: process.execPath, cwd: sdk, prints: /^5\n$/ },
  'python run-python': { name: 'block.py', command: python, prints: /^5\n$/ },
  'sh run-shell': { name: 'block.sh', command: 'bash', prints: /"result":\{"content":\[\{"type":"text","text":"5"\}\]/ },
};

for (const [info, { name, command, prints }] of Object.entries(languages)) {
  test(`clients.md, ${info}`, { timeout: 120_000 }, async (t) => {
    const [block, ...more] = blocks.filter((fence) => fence.info === info);
    assert.ok(block && more.length === 0, 'there is one');
    assert.ok(command, 'PYTHON_MCP is a Python with the package mcp');
    const server = await Perchd.start(t);
    // It takes connections a moment before it takes commands.
    await until('the greeting of perchd', 20, () => server.program.stdout.includes('Open http'));
    const words = ['token', 'new', '--scope', 'math', '--ttl', '1h', '--name', 'meter', '--state', server.state];
    const { stdout } = await promisify(execFile)(binary, words);
    // Node looks for packages beside the file.
    const where = info.startsWith('js') ? path.join(sdk, 'node_modules', '.perchd-block') : await folder(t);
    const file = info.startsWith('js') ? `${where}-${process.pid}.mjs` : path.join(where, name);
    await writeFile(file, block.text.replaceAll('http://localhost:8787', server.base));
    t.after(() => rm(file, { force: true }));
    const program = new Program(t, command, [file], { name: info, env: { ...process.env, BOARD_TOKEN: stdout.trim() } });
    assert.equal((await program.finish(60)).code, 0);
    assert.match(program.stdout, prints);
  });
}

test('what is to be pasted into clients is JSON', async () => {
  for (const page of ['clients.md', 'getting-started.md']) {
    const pasted = [...fences(await readFile(path.join(manual, page), 'utf8'))].filter((fence) => fence.info === 'json');
    assert.ok(pasted.length > 0, page);
    for (const { text } of pasted) {
      const { mcpServers, servers } = JSON.parse(text);
      const { args, url } = (mcpServers ?? servers).board;
      assert.ok((url ?? args.find((word) => word.startsWith('http'))).endsWith('/mcp'));
    }
  }
});
