// What /metrics says, read by Prometheus' own client for Python, as a board counts a call, a refusal and a stream.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { binary, folder, Perchd } from './lib/perchd.mjs';
import { until } from './lib/wait.mjs';

const python = process.env.PYTHON_PROMETHEUS;
// Every family as name, kind, about, and samples; a name that has no kind, or a line that is none, is an error.
const READ = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(json.dumps([[f.name, f.type, f.documentation, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]))
`;

test('the parser of Prometheus reads what is counted', { timeout: 90_000 }, async (t) => {
  assert.ok(python, 'PYTHON_PROMETHEUS is a Python that has prometheus_client: tests/run metrics');
  const state = await folder(t);
  const config = path.join(state, 'perchd.toml');
  await writeFile(config, '[metrics]\nenabled = true\n');
  const server = await Perchd.start(t, { config, state, env: { XDG_RUNTIME_DIR: state } });
  const run = (...words) =>
    execFileSync(binary, [...words, '--config', config, '--state', state], { env: { ...process.env, XDG_RUNTIME_DIR: state }, encoding: 'utf8', stdio: 'pipe' }).trim();
  const token = (await until('the server to take commands', 20, () => attempt(() => run('token', 'new', '--name', 'prometheus', '--user', 'ada', '--ttl', '1h', '--scope', 'system:read', '--scope', 'math')))).split('\n')[0];
  const bearer = { authorization: `Bearer ${token}` };

  const read = async () => {
    const answer = await fetch(`${server.base}/metrics`, { headers: bearer });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    const families = JSON.parse(execFileSync(python, ['-c', READ], { input: text, encoding: 'utf8' }));
    return { text, families };
  };
  const { text, families } = await read();
  // Nothing was passed over: each line is a comment or a sample, and each family has a kind and says what it is.
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  assert.equal(families.flatMap(([, , , samples]) => samples).length, lines.length);
  for (const [name, kind, about, samples] of families) {
    assert.match(name, /^(perchd|process)_[a-z_]+$/);
    assert.ok(['counter', 'gauge'].includes(kind), `${name} is a ${kind}`);
    assert.ok(about.endsWith('.') && samples.length > 0, name);
    // The convention of Prometheus: what only grows ends so.
    for (const [sample, , value] of samples) assert.ok(sample.endsWith('_total') === (kind === 'counter') && value >= 0, sample);
  }
  const seen = new Set(families.flatMap(([, , , samples]) => samples.map(([name, labels]) => `${name} ${JSON.stringify(labels)}`)));
  assert.equal(seen.size, lines.length, 'no sample comes twice');

  const before = values(families);
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'add', arguments: { a: 1, b: 2 } } };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const post = (more) => fetch(`${server.base}/mcp`, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(call) });
  assert.equal((await post(bearer)).status, 200);
  assert.equal((await post({ authorization: 'Bearer forged' })).status, 401);
  assert.equal((await post({})).status, 401);
  const stream = await fetch(`${server.base}/sse`, { headers: bearer });
  assert.equal(stream.status, 200);
  const after = values((await read()).families);
  await stream.body.cancel();
  const grown = (name) => after[name] - before[name];
  assert.equal(grown('perchd_tool_calls_total tool=add outcome=ok'), 1);
  assert.equal(grown('perchd_tool_calls_total tool=calculate outcome=ok'), 0);
  assert.equal(grown('perchd_tokens_refused_total kind=bearer'), 1);
  assert.equal(grown('perchd_requests_total status=4xx'), 2);
  // The call, the stream, and the reading before.
  assert.equal(grown('perchd_requests_total status=2xx'), 3);
  assert.equal(grown('perchd_streams kind=mcp'), 1);
  assert.ok(after['process_resident_memory_bytes '] > 1_000_000);
  assert.ok(after['process_open_fds '] >= before['process_open_fds ']);
});

function values(families) {
  const name = ([sample, labels, value]) => [`${sample} ${Object.entries(labels).map(([key, word]) => `${key}=${word}`).join(' ')}`, value];
  return Object.fromEntries(families.flatMap(([, , , samples]) => samples.map(name)));
}

/** What `act` returns; undefined when it throws. */
function attempt(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}
