// The home page and the owner's page as people use them: what happens is seen, what is shown can be copied, and what was given can be
// taken back; with and without scripts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board, NAME, trusting } from './lib/board.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { add, enterOwner, forgive, password, revoke } from './lib/pages.mjs';

const timeout = 90_000;
const NO_SCRIPT = { javaScriptEnabled: false };
const live = (page) => page.locator('#live');

test('pages that show what happens', { timeout: 10 * timeout }, async (t) => {
  const boards = { tls: await Board.start(t, 'tls') };
  for (const kind of ['demo', 'both', 'plain']) boards[kind] = await Board.start(t, kind);
  const browser = await open(t, { home: await trusting(t, boards.tls.ca), name: NAME });
  /** Options: those of a context. */
  const scene = (name, kind, act, options = {}) =>
    t.test(`${kind}: ${name}`, { timeout }, async (t) => {
      const { page, seen } = await newPage(t, browser, options);
      await page.goto(boards[kind].base);
      await act(page, boards[kind]);
      nothingStrayed(seen, boards[kind].base);
    });

  await scene('a call is seen without loading the page again', 'demo', async (page, board) => {
    assert.match(await live(page).innerText(), /No tool was called/);
    await page.evaluate(() => (window.isStill = true));
    assert.equal(await add(board, 4242, 2), 200);
    await live(page).getByText('add', { exact: true }).waitFor();
    assert.ok(await page.evaluate(() => window.isStill));
    assert.doesNotMatch(await live(page).innerText(), /4242/);
  });

  await scene('without scripts, it shows what was when it was loaded', 'demo', async (page, board) => {
    assert.equal(await add(board, 1, 2), 200);
    await page.reload();
    await live(page).getByText('add', { exact: true }).first().waitFor();
    assert.equal(await page.getByRole('button').count(), 0, 'no button that does nothing');
  }, NO_SCRIPT);

  await scene('a stranger sees no call; who signs in does, and when he leaves it is over', 'both', async (page, board) => {
    assert.equal(await add(board, 1, 2), 200);
    await page.reload();
    assert.match(await live(page).innerText(), /Running for/);
    assert.doesNotMatch(await live(page).innerText(), /add|anna|Last calls/);
    await page.getByRole('link', { name: 'Who uses it' }).click();
    await password(page, 'anna');
    await page.goto(board.base);
    await live(page).getByText('add', { exact: true }).first().waitFor();
    await page.goto(`${board.base}/owner`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('heading', { name: 'Connect' }).waitFor();
    assert.doesNotMatch(await live(page).innerText(), /Last calls/);
  });

  // Where a page has no clipboard, as over plain HTTP under a name, it still copies.
  for (const kind of ['demo', 'plain', 'tls']) {
    await scene('a click copies what is to be typed', kind, async (page, board) => {
      if (kind !== 'plain') await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: board.base });
      const title = 'Claude Code';
      const block = page.locator('details').filter({ hasText: title });
      if (!(await block.getAttribute('open'))) await block.locator('summary').click();
      const button = page.getByRole('button', { name: `Copy: ${title}`, exact: true });
      await button.click();
      await page.waitForFunction(() => [...document.querySelectorAll('.copier')].some((copier) => copier.textContent === 'Copied'));
      const wanted = await block.locator('pre').innerText();
      assert.match(wanted, /claude mcp add --transport http Greenhouse /);
      assert.equal(await pasted(page), wanted);
    });
  }

  await scene('links lead to Cursor and VS Code, with this address', 'tls', async (page, board) => {
    const href = (name) => page.locator('a').filter({ hasText: name }).getAttribute('href');
    const cursor = new URL(await href('Add to Cursor'));
    assert.equal(`${cursor.protocol}//${cursor.host}${cursor.pathname}`, 'cursor://anysphere.cursor-deeplink/mcp/install');
    assert.equal(cursor.searchParams.get('name'), 'Greenhouse');
    assert.deepEqual(JSON.parse(atob(cursor.searchParams.get('config'))), { url: `${board.base}/mcp` });
    const code = await href('Add to VS Code');
    assert.ok(code.startsWith('vscode:mcp/install?'), code);
    const server = JSON.parse(decodeURIComponent(code.slice(code.indexOf('?') + 1)));
    assert.deepEqual(server, { name: 'Greenhouse', type: 'http', url: `${board.base}/mcp` });
    const bridge = await page.locator('details').filter({ hasText: 'by perchd' }).locator('pre').textContent();
    const pin = `sha256:${board.fingerprint.replaceAll(':', '').toLowerCase()}`;
    assert.deepEqual(JSON.parse(bridge).mcpServers.Greenhouse, { command: 'perchd', args: ['connect', `${board.base}/mcp`, '--pin', pin] });
  });

  for (const options of [{}, NO_SCRIPT]) {
    const how = options === NO_SCRIPT ? ', without scripts' : '';
    await scene(`the owner ends a client, and its token is good for nothing${how}`, 'both', async (page, board) => {
      const token = board.token('math');
      assert.equal(await add(board, 1, 2, token), 200);
      await enterOwner(page, board);
      await revoke(page, 'test');
      assert.match(await page.getByRole('status').innerText(), /good for nothing/);
      assert.equal(await add(board, 1, 2, token), 401);
      assert.match(await page.locator('main').innerText(), /client_revoked/);
      await page.getByText('Revoked: it has to ask again.').waitFor();
      await page.getByRole('link', { name: 'To the approvals' }).click();
      await page.getByRole('heading', { name: 'Approvals', exact: true }).waitFor();
    }, options);
  }

  await t.test('one page too many shows what was, and says nothing', { timeout }, async (t) => {
    const board = boards.demo;
    const streams = [];
    t.after(() => streams.forEach((stream) => stream.abort()));
    for (;;) {
      const stream = new AbortController();
      streams.push(stream);
      const answer = await fetch(`${board.base}/live`, { signal: stream.signal });
      if (answer.status === 503) break;
      assert.equal(answer.status, 200);
      assert.ok(streams.length < 20);
    }
    const { page, seen } = await newPage(t, browser);
    const refused = page.waitForResponse((answer) => answer.url().endsWith('/live'));
    await page.goto(board.base);
    assert.equal((await refused).status(), 503);
    assert.match(await live(page).innerText(), /Running for/);
    forgive(seen, 503);
    nothingStrayed(seen, board.base);
  });
});

/** What a person gets who pastes. */
async function pasted(page) {
  await page.evaluate(() => {
    const area = document.body.appendChild(document.createElement('textarea'));
    area.focus();
  });
  await page.keyboard.press('Control+V');
  return page.locator('textarea').inputValue();
}
