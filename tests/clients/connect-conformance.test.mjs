// The official suite on clients, with perchd connect between its servers and a host that knows stdin and stdout alone: every scenario that is
// about what the bridge does.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { Counts, clientChecks, words } from './lib/suite.mjs';

const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';
const BOTH = [LEGACY, MODERN];

// By scenario, the revisions in which it is run.
const RUNS = {
  // Alone, as it looks at the clock.
  'sse-retry': [LEGACY],
  initialize: [LEGACY],
  tools_call: BOTH,
  'elicitation-sep1034-client-defaults': [LEGACY],
  'http-standard-headers': [MODERN],
  'http-custom-headers': [MODERN],
  'http-invalid-tool-headers': [MODERN],
  'json-schema-ref-no-deref': [MODERN],
  'json-schema-2020-12-preservation': BOTH,
  'auth/metadata-default': BOTH,
  'auth/metadata-var1': [LEGACY],
  'auth/metadata-var2': [LEGACY],
  'auth/metadata-var3': [LEGACY],
  'auth/basic-cimd': [LEGACY],
  'auth/scope-from-www-authenticate': [LEGACY],
  'auth/scope-from-scopes-supported': [LEGACY],
  'auth/scope-omitted-when-undefined': [LEGACY],
  'auth/scope-step-up': BOTH,
  'auth/scope-retry-limit': [LEGACY],
  'auth/token-endpoint-auth-basic': [LEGACY],
  'auth/token-endpoint-auth-post': [LEGACY],
  'auth/token-endpoint-auth-none': [LEGACY],
  'auth/2025-03-26-oauth-metadata-backcompat': ['2025-03-26'],
  'auth/resource-mismatch': [MODERN],
  'auth/offline-access-scope': [MODERN],
  'auth/offline-access-not-supported': [MODERN],
  'auth/authorization-server-migration': [MODERN],
  'auth/iss-supported': [MODERN],
  'auth/iss-not-advertised': [MODERN],
  'auth/iss-supported-missing': [MODERN],
  'auth/iss-wrong-issuer': [MODERN],
  'auth/iss-unexpected': [MODERN],
  'auth/iss-normalized': [MODERN],
  'auth/metadata-issuer-mismatch': [MODERN],
};

// The scenarios that are left, and why.
const LEFT = {
  'request-metadata': 'which revision is tried next is the choice of the host, which writes the messages',
  'sep-2322-client-request-state': 'questions and their state are answered by the host; the bridge passes both on as they are',
  'auth/pre-registration': 'the bridge takes no client_id that was registered elsewhere: --token-file is the way',
  'auth/2025-03-26-oauth-endpoint-fallback': 'a server without metadata has to be asked for a token by hand; no revision since has it',
  'auth/client-credentials-jwt': 'an extension for programs without a person',
  'auth/client-credentials-basic': 'likewise',
  'auth/enterprise-managed-authorization': 'an extension',
  'auth/dpop': 'an extension',
  'auth/dpop-nonce': 'an extension',
  'auth/wif-jwt-bearer': 'an extension',
  'sep-2640-client-*': 'extensions of the host',
};

// Warnings that we know and accept, each with its reason. An entry that is no longer warned about fails.
const ACCEPTED = {
  'cimd-client-id-used': 'a document about the client would have to be hosted by somebody; it registers instead',
};

const command = `${process.execPath} ${path.join(import.meta.dirname, 'lib/conformance-client.mjs')}`;
const timeout = 120_000;

test('conformance of the bridge', { timeout: 20 * 60_000, concurrency: 3 }, async (t) => {
  const counts = new Counts();
  const warned = new Set();
  const runs = [];
  for (const [scenario, revisions] of Object.entries(RUNS)) {
    for (const revision of revisions) {
      const run = t.test(`${scenario} ${revision}`, { timeout }, async (t) => {
        const checks = await clientChecks(t, 'next', command, ['--scenario', scenario, '--spec-version', revision]);
        counts.add(checks);
        checks.filter((check) => ACCEPTED[check.id]).forEach((check) => warned.add(check.id));
        // Skipped is what this host does not send at all.
        const bad = checks.filter((check) => !['SUCCESS', 'INFO', 'SKIPPED'].includes(check.status) && !ACCEPTED[check.id]);
        assert.deepEqual(bad.map(words), []);
        assert.ok(
          checks.some((check) => check.status === 'SUCCESS'),
          'at least one check was made',
        );
      });
      runs.push(run);
      if (scenario === 'sse-retry') await run;
    }
  }
  await Promise.all(runs);
  assert.deepEqual([...warned].sort(), Object.keys(ACCEPTED).sort(), 'every accepted warning still comes');
  console.log(`conformance checks: ${counts}`);
});
