// Calls that wait for a person: from clients of both dialects that send him to the page and from one that cannot, decided in Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection, textOf, WAYS } from '../clients/sdk/ways.mjs';
import { Board } from './lib/board.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { call, enterApprovals, pairWith, password, planOf } from './lib/pages.mjs';

const timeout = 90_000;
const button = (page, word, name) => planOf(page, word).getByRole('button', { name, exact: true });

test('calls that wait for a person', { timeout: 10 * timeout }, async (t) => {
  const board = await Board.start(t, 'approval');
  const browser = await open(t);
  const bearer = board.token('note:write');

  await t.test('the page finds by itself what comes later, and shows each word as it is', { timeout }, async (t) => {
    const { page, seen } = await newPage(t, browser);
    await enterApprovals(page, board);
    const word = '<b onclick=alert(1)>$(reboot)</b>';
    await call(board, word, bearer);
    await planOf(page, word).waitFor();
    assert.ok((await planOf(page, word).locator('pre').innerText()).includes(word));
    await button(page, word, 'Approve').click();
    await page.getByRole('status').waitFor();
    nothingStrayed(seen, board.base);
  });

  for (const way of WAYS) {
    await t.test(`${way.name}: the client sends its user to the page, where he approves`, { timeout }, async (t) => {
      const { page, seen } = await newPage(t, browser);
      const word = `hello by ${way.name}`;
      const asked = [];
      const connection = await Connection.open(t, board, way, {
        bearer,
        client: { capabilities: { elicitation: { url: {} } } },
        answers: {
          // As a client does: it shows the page, and says at once that its user is on his way.
          'elicitation/create': async (params) => {
            asked.push(params);
            await page.goto(params.url);
            return { action: 'accept' };
          },
        },
      });
      const called = connection.call('note', { word }, { timeout: 60_000 });
      await page.waitForURL('**/approvals');
      await password(page, 'anna');
      await button(page, word, 'Approve').waitFor();
      assert.deepEqual(board.written.filter((written) => written === word), [], 'nothing has run yet');
      await button(page, word, 'Approve').click();
      await page.getByRole('status').waitFor();
      const result = await called;
      assert.ok(!result.isError, textOf(result));
      assert.deepEqual(board.written.filter((written) => written === word), [word], 'it ran once');
      assert.equal(asked.length, 1);
      assert.equal(asked[0].mode, 'url');
      assert.match(asked[0].message, /`note` needs your approval/);
      nothingStrayed(seen, board.base);
    });
  }

  for (const way of WAYS.filter(({ path }) => path === '/mcp')) {
    await t.test(`${way.name}: a client that cannot show pages calls again`, { timeout }, async (t) => {
      const { page } = await newPage(t, browser, { javaScriptEnabled: false });
      const word = `again by ${way.name}`;
      const connection = await Connection.open(t, board, way, { bearer });
      const first = await connection.call('note', { word });
      assert.ok(first.isError);
      const told = textOf(first);
      assert.match(told, /has not run yet/);
      await page.goto(/http\S+\/approvals/.exec(told)[0]);
      await password(page, 'anna');
      await button(page, word, 'Approve').click();
      await page.getByRole('status').waitFor();
      assert.ok(!(await connection.call('note', { word })).isError);
      assert.ok((await connection.call('note', { word })).isError, 'once');
      assert.deepEqual(board.written.filter((written) => written === word), [word]);
    });
  }

  await t.test('what is rejected is told, and does not run', { timeout }, async (t) => {
    const { page, seen } = await newPage(t, browser);
    await call(board, 'to be rejected', bearer);
    await enterApprovals(page, board);
    await button(page, 'to be rejected', 'Reject').click();
    assert.match(await page.getByRole('status').innerText(), /does not run/);
    assert.match((await call(board, 'to be rejected', bearer)).content[0].text, /rejected it/);
    assert.ok(!board.written.includes('to be rejected'));
    nothingStrayed(seen, board.base);
  });

  await t.test('a code of the board lets its owner approve; a user who could not allow it sees nothing', { timeout }, async (t) => {
    await call(board, 'for the owner', bearer);
    const { page: bens } = await newPage(t, browser);
    await enterApprovals(bens, board, 'ben');
    await bens.getByText('Nothing waits for you.').waitFor();
    const { page } = await newPage(t, browser);
    await page.goto(`${board.base}/approvals`);
    await pairWith(page, /[A-Z2-9]{4}-[A-Z2-9]{4}/.exec(board.pair())[0]);
    await button(page, 'for the owner', 'Approve').click();
    await page.getByRole('status').waitFor();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.goto(`${board.base}/approvals`);
    await page.getByLabel('Pairing code').waitFor();
  });

  await t.test('who comes from a page elsewhere by a link is still signed in', { timeout }, async (t) => {
    const { page } = await newPage(t, browser);
    await enterApprovals(page, board);
    await page.route('http://client.example/', (route) =>
      route.fulfill({ contentType: 'text/html', body: `<a href="${board.base}/approvals">Approve</a>` }),
    );
    await page.goto('http://client.example/');
    await page.getByRole('link', { name: 'Approve' }).click();
    await page.getByRole('heading', { name: 'Approvals', exact: true }).waitFor();
  });
});
