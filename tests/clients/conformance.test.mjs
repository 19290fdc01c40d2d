// The official conformance suite, stable and next build: every scenario that asks for no fixture tool, in every revision it knows,
// against the program itself. conformance-all.test.mjs has the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATELESS } from './lib/dialects.mjs';
import { Perchd } from './lib/perchd.mjs';
import { Counts, checksOf, words } from './lib/suite.mjs';

const LEGACY = ['2025-06-18', '2025-11-25'];
const MODERN = STATELESS ? ['2026-07-28'] : [];
const RUNS = [
  { build: 'stable', scenario: 'server-initialize', revisions: [null] },
  { build: 'stable', scenario: 'ping', revisions: [null] },
  { build: 'stable', scenario: 'tools-list', revisions: [null] },
  { build: 'stable', scenario: 'dns-rebinding-protection', revisions: [null] },
  { build: 'stable', scenario: 'server-sse-multiple-streams', revisions: [null] },
  { build: 'next', scenario: 'server-initialize', revisions: LEGACY },
  { build: 'next', scenario: 'server-session-lifecycle', revisions: ['2025-03-26', ...LEGACY] },
  { build: 'next', scenario: 'ping', revisions: LEGACY },
  { build: 'next', scenario: 'tools-list', revisions: [...LEGACY, ...MODERN] },
  { build: 'next', scenario: 'dns-rebinding-protection', revisions: ['2025-11-25', ...MODERN] },
  { build: 'next', scenario: 'server-sse-multiple-streams', revisions: ['2025-11-25', ...MODERN] },
  { build: 'next', scenario: 'http-header-validation', revisions: MODERN },
];

// Warnings that we know and accept, each with its reason. An entry that is no longer warned about fails.
const ACCEPTED = {};

const timeout = 120_000;
const counts = new Counts();

test('conformance', { timeout: 20 * 60_000 }, async (t) => {
  const server = await Perchd.start(t, { auth: 'open' });
  const warned = new Set();
  for (const { build, scenario, revisions } of RUNS) {
    for (const revision of revisions) {
      await t.test([build, scenario, revision].filter(Boolean).join(' '), { timeout }, async (t) => {
        const choice = ['--scenario', scenario, ...(revision ? ['--spec-version', revision] : [])];
        const checks = await checksOf(t, `${server.base}/mcp`, build, choice);
        counts.add(checks);
        checks.filter((check) => ACCEPTED[check.id]).forEach((check) => warned.add(check.id));
        const bad = checks.filter((check) => !['SUCCESS', 'INFO'].includes(check.status) && !ACCEPTED[check.id]);
        assert.deepEqual(bad.map(words), []);
        assert.ok(
          checks.some((check) => check.status === 'SUCCESS'),
          'at least one check was made',
        );
      });
    }
  }
  assert.deepEqual([...warned].sort(), Object.keys(ACCEPTED).sort(), 'every accepted warning still comes');
  console.log(`conformance checks: ${counts}`);
});
