// The official conformance suite: runs a choice of its scenarios against a server and reads what it wrote down.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { folder } from './perchd.mjs';
import { Program } from './program.mjs';
import { until } from './wait.mjs';

const suite = (build) => path.join(import.meta.dirname, `../conformance/node_modules/conformance-${build}/dist/index.js`);

/** Every check that was made on a server of MCP, with the name of its scenario. */
export async function checksOf(t, url, build, choice, seconds = 90) {
  const results = await folder(t);
  const program = start(t, results, build, ['server', '--url', url, ...choice]);
  await program.finish(seconds);
  return written(results, 'server');
}

/** Every check that was made on a client, which `command` starts. */
export async function clientChecks(t, build, command, choice, seconds = 90) {
  const results = await folder(t);
  const program = start(t, results, build, ['client', '--command', command, ...choice]);
  await program.finish(seconds);
  return written(results, '');
}

/** Every check that was made on an authorization server; `visit` is called with the link that a person is asked to open. */
export async function authorizationChecks(t, choice, visit) {
  const results = await folder(t);
  const program = start(t, results, 'next', ['authorization', ...choice]);
  const link = await until('the link to open', 30, () => program.end || /^http\S+\/authorize\?\S+$/m.exec(program.stdout)?.[0]);
  if (!program.end) await visit(link);
  await program.finish(30);
  return written(results, 'authorization-server');
}

function start(t, results, build, args) {
  const whole = [suite(build), ...args, '-o', results];
  return new Program(t, process.execPath, whole, { cwd: results, name: `conformance ${args.join(' ')}` });
}

async function written(results, command) {
  const files = (await readdir(results, { recursive: true })).filter((name) => name.endsWith('checks.json'));
  assert.ok(files.length > 0, 'at least one scenario was run');
  const lists = files.sort().map(async (name) => {
    const named = new RegExp(`^(?:${command}-)?(.*)-\\d{4}-\\d\\d-\\d\\dT`);
    const scenario = named.exec(path.basename(path.dirname(name)))?.[1];
    assert.ok(scenario, `the name of a scenario in ${name}`);
    const checks = JSON.parse(await readFile(path.join(results, name), 'utf8'));
    return checks.map((check) => ({ ...check, scenario }));
  });
  return (await Promise.all(lists)).flat();
}

/** Adds up how checks ended: "40 SUCCESS, 1 INFO". */
export class Counts {
  counts = {};

  add(checks) {
    for (const { status } of checks) this.counts[status] = (this.counts[status] ?? 0) + 1;
    return this;
  }

  toString() {
    return Object.entries(this.counts)
      .map(([status, count]) => `${count} ${status}`)
      .join(', ');
  }
}

export function words({ scenario, id, status, errorMessage, details }) {
  return [scenario, id, status, errorMessage, details && JSON.stringify(details)].filter(Boolean).join(': ');
}
