// The client that the conformance suite starts: a host that knows stdin and stdout alone, and perchd connect beneath it. The address of the
// suite's server is the argument. Whoever is to sign in is sent on by the suite's own pages: a browser has but to follow.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { binary } from './perchd.mjs';

const url = process.argv.at(-1);
const { MCP_CONFORMANCE_PROTOCOL_VERSION: version = '2025-11-25', MCP_CONFORMANCE_CONTEXT: context = '{}' } = process.env;
const isStateless = version >= '2026-07-28';
const capabilities = { elicitation: {}, sampling: {} };
const _meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientInfo': { name: 'perchd-tests', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': capabilities,
};

const home = await mkdtemp(path.join(os.tmpdir(), 'perchd-suite-'));
const browser = path.join(home, 'browser');
await writeFile(browser, `#!/bin/sh\nexec "${process.execPath}" -e 'fetch(process.argv[1])' "$1"\n`);
await chmod(browser, 0o755);
const env = { PATH: process.env.PATH, HOME: home, BROWSER: browser };
const bridge = spawn(binary, ['connect', url, '--patience', '5'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
const waiting = new Map();
let lastId = 0;

function send(message) {
  bridge.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

function request(method, params = {}) {
  const id = (lastId += 1);
  send({ id, method, params: isStateless ? { ...params, _meta } : params });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/** A person who takes what the form has in it. */
function accepted({ requestedSchema: { properties = {} } = {} }) {
  const filled = Object.entries(properties).filter(([, property]) => property.default !== undefined);
  return { action: 'accept', content: Object.fromEntries(filled.map(([name, property]) => [name, property.default])) };
}

function receive(message) {
  if (message.method === 'elicitation/create') send({ id: message.id, result: accepted(message.params) });
  else if (message.error) waiting.get(message.id)?.reject(new Error(`${message.error.code} ${message.error.message}`));
  else if (message.id !== undefined && !message.method) waiting.get(message.id)?.resolve(message.result);
}

let rest = '';
bridge.stdout.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  lines.filter(Boolean).forEach((line) => receive(JSON.parse(line)));
});
const ended = new Promise((resolve) => bridge.once('close', (code) => resolve(code)));
ended.then((code) => waiting.forEach(({ reject }) => reject(new Error(`perchd connect ended with ${code}`))));

async function act() {
  if (!isStateless) {
    await request('initialize', { protocolVersion: version, capabilities, clientInfo: { name: 'perchd-tests', version: '1' } });
    send({ method: 'notifications/initialized' });
  }
  const { tools } = await request('tools/list');
  // Only the list is looked at here: whether somebody follows a reference in it.
  if (process.env.MCP_CONFORMANCE_SCENARIO === 'json-schema-ref-no-deref') return;
  const all = tools.map(({ name }) => ({ name, arguments: { a: 2, b: 3, schema: tools[0].inputSchema } }));
  const calls = JSON.parse(context).toolCalls ?? all;
  for (const call of calls) await request('tools/call', call);
  // All that has a name in its headers.
  if (process.env.MCP_CONFORMANCE_SCENARIO !== 'http-standard-headers') return;
  const { resources } = await request('resources/list');
  for (const { uri } of resources) await request('resources/read', { uri });
  const { prompts } = await request('prompts/list');
  for (const { name } of prompts) await request('prompts/get', { name });
}

try {
  await act();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
bridge.stdin.end();
await ended;
await rm(home, { recursive: true, force: true, maxRetries: 5 });
