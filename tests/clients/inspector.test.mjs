// The MCP Inspector 2.12.0 from the command line, over both transports: signs in through the browser, lists, calls, reports errors.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { STATELESS } from './lib/dialects.mjs';
import { Home } from './lib/home.mjs';
import { folder, freePort, Perchd } from './lib/perchd.mjs';
import { Person } from './lib/person.mjs';
import { Program } from './lib/program.mjs';
import { until } from './lib/wait.mjs';

const inspector = path.join(
  import.meta.dirname,
  'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);

const WAYS = [
  { name: 'http', path: '/mcp', flags: ['--transport', 'http'] },
  { name: 'http, either era', path: '/mcp', flags: ['--transport', 'http', '--protocol-era', 'auto'] },
  { name: 'sse', path: '/sse', flags: ['--transport', 'sse'] },
  { name: 'sse, either era', path: '/sse', flags: ['--transport', 'sse', '--protocol-era', 'auto'] },
];

const MODERN = { name: 'http, only 2026-07-28', path: '/mcp', flags: ['--transport', 'http', '--protocol-era', 'modern'] };
if (STATELESS) WAYS.push(MODERN);

const ADD = ['--method', 'tools/call', '--tool-name', 'add', '--tool-arg'];
const timeout = 120_000;

/** One pixel, as a PNG. */
const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

for (const way of WAYS) {
  test(`the Inspector over ${way.name}`, { timeout }, async (t) => {
    const server = await Perchd.start(t);
    const run = (t, ...args) => runSignedIn(t, server, way, args);

    await t.test('initialize names the server', async (t) => {
      assert.match(JSON.stringify(await run(t, '--method', 'initialize')), /"name":"perchd"/);
    });

    await t.test('tools/list has add', async (t) => {
      const { tools } = await run(t, '--method', 'tools/list');
      assert.ok(tools.some((tool) => tool.name === 'add'));
    });

    await t.test('tools/call add adds', async (t) => {
      const { content } = await run(t, ...ADD, 'a=2', 'b=3');
      assert.deepEqual(
        content.map((block) => block.text),
        ['5'],
      );
    });

    await t.test("a bad argument is the tool's error, not a crash", async (t) => {
      const program = await signedIn(t, server, way, [...ADD, 'a=two', 'b=3']);
      assert.equal((await program.finish(60)).code, 5, 'status 5: the tool reported an error');
    });
  });
}

if (!STATELESS) {
  test('the Inspector is told when it insists on 2026-07-28', { timeout }, async (t) => {
    const program = await signedIn(t, await Perchd.start(t), MODERN, ['--method', 'tools/list']);
    assert.notEqual((await program.finish(60)).code, 0, 'refused; if perchd speaks it by now, lib/dialects.mjs should say so');
    assert.match(program.stderr, /Version negotiation failed/);
  });
}

test('the schemas of all tools are portable', { timeout }, async (t) => {
  const server = await Perchd.start(t);
  await runSignedIn(t, server, WAYS[0], ['--method', 'tools/list', '--strict']);
});

test('a picture that a declared command makes arrives as an image', { timeout }, async (t) => {
  const state = await folder(t);
  const [config, picture] = ['perchd.toml', 'picture.png'].map((name) => path.join(state, name));
  await writeFile(picture, Buffer.from(PICTURE, 'base64'));
  const tool = `[[tool]]\nname = "take_picture"\nabout = "Takes a picture"\neffect = "read"\noutput = "image/png"\n`;
  await writeFile(config, `${tool}run = ["/bin/cat", "${picture}"]\n`);
  const server = await Perchd.start(t, { state, config });
  for (const way of WAYS.filter(({ name }) => ['http', 'sse', 'http, only 2026-07-28'].includes(name))) {
    const args = ['--method', 'tools/call', '--tool-name', 'take_picture'];
    const program = await signedIn(t, server, way, args, ['tools:read']);
    assert.equal((await program.finish(60)).code, 0, way.name);
    const { content } = resultOf(program.stdout);
    assert.deepEqual(content, [{ type: 'image', data: PICTURE, mimeType: 'image/png' }], way.name);
  }
});

/** Runs one method to its good end and returns what it printed. */
async function runSignedIn(t, server, way, args) {
  const program = await signedIn(t, server, way, args);
  assert.equal((await program.finish(60)).code, 0);
  return resultOf(program.stdout);
}

/** Starts the Inspector, and signs in when it asks. */
async function signedIn(t, server, way, args, scopes) {
  const home = await Home.make(t);
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  const target = [`${server.base}${way.path}`, ...way.flags, '--callback-url', callback, '--format', 'json'];
  const program = new Program(t, process.execPath, [inspector, '--cli', ...target, ...args], {
    env: home.env,
    cwd: home.path,
    name: 'inspector',
  });
  const link = await until('the Inspector to ask for a browser', 45, () => {
    assert.ok(!program.end, 'the Inspector ended before it asked');
    return /navigate to: (\S+)/.exec(program.stderr)?.[1];
  });
  const { status } = await new Person(scopes && { scopes }).signIn(link);
  assert.equal(status, 200, 'the Inspector took the callback');
  return program;
}

function resultOf(stdout) {
  const printed = JSON.parse(stdout);
  return printed.result ?? printed;
}
