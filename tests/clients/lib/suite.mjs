// The official conformance suite: runs a choice of its scenarios against a server and reads what it wrote down.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { folder } from './perchd.mjs';
import { Program } from './program.mjs';

const suite = (build) => path.join(import.meta.dirname, `../conformance/node_modules/conformance-${build}/dist/index.js`);

/** Every check that was made, with the name of its scenario. */
export async function checksOf(t, url, build, choice, seconds = 90) {
  const results = await folder(t);
  const args = [suite(build), 'server', '--url', url, ...choice, '-o', results];
  const program = new Program(t, process.execPath, args, { cwd: results, name: `conformance ${choice.join(' ')}` });
  await program.finish(seconds);
  const files = (await readdir(results, { recursive: true })).filter((name) => name.endsWith('checks.json'));
  assert.ok(files.length > 0, 'at least one scenario was run');
  const lists = files.sort().map(async (name) => {
    const scenario = /^server-(.*)-\d{4}-\d\d-\d\dT/.exec(path.basename(path.dirname(name)))?.[1];
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
