// The official conformance suite, stable and next build, in full: against the example in conformance/, which has every tool,
// resource and prompt that the scenarios call. Once as it is, and once by way of sign-in and token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withToken } from './lib/bearer.mjs';
import { Perchd } from './lib/perchd.mjs';
import { Counts, checksOf, words } from './lib/suite.mjs';
import { accessToken } from './lib/token.mjs';

const revision = (name) => ['--suite', 'all', '--spec-version', name];

// How many checks succeed. Fewer means that scenarios were not run; whoever brings a newer suite writes down its numbers.
const RUNS = [
  { build: 'stable', choice: ['--suite', 'all'], successes: 46 },
  { build: 'next', choice: revision('2025-03-26'), successes: 3 },
  { build: 'next', choice: revision('2025-06-18'), successes: 56 },
  { build: 'next', choice: revision('2025-11-25'), successes: 83, token: true },
  { build: 'next', choice: revision('2026-07-28'), successes: 152, token: true },
  { build: 'next', choice: ['--requirements', '2025-11-25'], successes: 83 },
  // With the ten scenarios of the tasks extension, which no other choice runs; the suite itself skips one of them.
  { build: 'next', choice: ['--requirements', '2026-07-28'], successes: 196, token: true },
];

// Warnings that we know and accept by scenario and check, each with its reason. An entry that is no longer warned about fails.
const ACCEPTED = {};

const name = ({ scenario, id }) => `${scenario}: ${id}`;
const total = new Counts();
const warned = new Set();

test('the whole suite', { timeout: 15 * 60_000 }, async (t) => {
  const server = await Perchd.start(t, { auth: 'open', example: 'conformance' });
  for (const run of RUNS) await attempt(t, server.base, run, '');
  assert.deepEqual([...warned].sort(), Object.keys(ACCEPTED).sort(), 'every accepted warning still comes');
});

test('the whole suite by token', { timeout: 15 * 60_000 }, async (t) => {
  const server = await Perchd.start(t, { auth: 'demo', example: 'conformance' });
  assert.equal((await fetch(`${server.base}/mcp`, { method: 'POST' })).status, 401, 'nobody comes in without a token');
  const base = await withToken(t, server.base, await accessToken(server.base));
  for (const run of RUNS.filter(({ token }) => token)) await attempt(t, base, run, ', by token');
});

test.after(() => console.log(`conformance checks: ${total}`));

async function attempt(t, base, { build, choice, successes }, way) {
  await t.test(`${build} ${choice.join(' ')}${way}`, { timeout: 200_000 }, async (t) => {
    const all = await checksOf(t, `${base}/mcp`, build, choice, 180);
    const counts = new Counts().add(all);
    total.add(all);
    console.log(`${build} ${choice.join(' ')}${way}: ${counts}`);
    for (const check of all.filter(({ status }) => status === 'SKIPPED')) console.log(words(check));
    const accepted = all.filter((check) => check.status === 'WARNING' && ACCEPTED[name(check)]);
    accepted.forEach((check) => warned.add(name(check)));
    const bad = all.filter((check) => !['SUCCESS', 'INFO', 'SKIPPED'].includes(check.status) && !accepted.includes(check));
    assert.deepEqual(bad.map(words), []);
    assert.equal(counts.counts.SUCCESS, successes);
  });
}
