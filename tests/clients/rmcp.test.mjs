// rmcp, the official Rust SDK, as a client of the example server, in both dialects and by its own choice.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Perchd } from './lib/perchd.mjs';

const EXPECTED = `tools: true
text: This is a simple text response for testing.
error: Some(true)
unknown: true
resources: true of 123
contents: 1
prompts: true
messages: 1
`;

for (const mode of ['handshake', 'stateless', 'auto']) {
  test(`rmcp, ${mode}`, { timeout: 60_000 }, async (t) => {
    const server = await Perchd.start(t, { auth: 'open', example: 'conformance' });
    const run = promisify(execFile)(process.env.RMCP_CLIENT, [`${server.base}/mcp`, mode], { timeout: 30_000 });
    assert.equal((await run).stdout, EXPECTED);
  });
}
