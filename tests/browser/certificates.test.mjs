// The board's own CA vouches for names of private networks and for no others: Chromium sees to that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thief } from '../clients/lib/thief.mjs';
import { Board, trusting } from './lib/board.mjs';
import { newPage, open } from './lib/chromium.mjs';

const timeout = 90_000;

test('Chromium takes a name of the network from a CA that it trusts, and no other', { timeout: 3 * timeout }, async (t) => {
  const board = await Board.start(t, 'tls');
  const home = await trusting(t, board.ca);
  for (const name of ['shed.local', 'claude.ai', 'evil.example']) {
    await t.test(name, { timeout }, async (t) => {
      const server = await thief(t, board.state, name);
      const { page } = await newPage(t, await open(t, { home, name }));
      const visit = page.goto(`https://${name}:${server.port}/`);
      if (name === 'shed.local') assert.equal((await visit).status(), 200);
      else await assert.rejects(visit, /net::ERR_CERT_(INVALID|AUTHORITY_INVALID|NAME_CONSTRAINT_VIOLATION)/);
    });
  }
});
