// Signing in to a board that has an owner: with a password, with a code, with too few rights, over TLS, and all that can go wrong.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Board, later, NAME, PASSWORDS, trusting } from './lib/board.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { Client } from './lib/client.mjs';
import { alertOf, allow, approve, decide, focused, forgive, pairWith, password, secret, tabTo, user } from './lib/pages.mjs';

const timeout = 90_000;
const NO_SCRIPT = { javaScriptEnabled: false };
const WRONG = 'The name or the password is wrong.';
const WRITE = 'services:write';

test('signing in to a board with an owner', { timeout: 10 * timeout }, async (t) => {
  const tls = await Board.start(t, 'tls');
  const boards = { tls };
  for (const kind of ['users', 'pairing', 'both', 'plain']) boards[kind] = await Board.start(t, kind);
  const browser = await open(t, { home: await trusting(t, tls.ca), name: NAME });

  /** Options: status (of which an answer may be), script, scope, board (another one). */
  const scene = (name, kind, act, { status = [], scope, board = boards[kind], ...options } = {}) =>
    t.test(`${kind}: ${name}`, { timeout }, async (t) => {
      const client = await Client.make(t, board.base, { ca: board.ca, scope });
      const { page, seen } = await newPage(t, browser, options);
      await page.goto(client.link);
      await act(page, client, board, t);
      for (const each of status) forgive(seen, each);
      nothingStrayed(seen, board.base, new URL(client.redirectUri).origin);
    });

  // ── With a password

  for (const options of [{}, NO_SCRIPT]) {
    const how = options === NO_SCRIPT ? ', without JavaScript' : '';
    await scene(`a password lets its user in${how}`, 'users', async (page, client) => {
      await password(page, 'anna');
      assert.match(await page.locator('main').innerText(), /signed in to Greenhouse as anna/);
      await works(page, client);
    }, options);

    await scene(`a code that the board shows lets its reader in, once${how}`, 'pairing', async (page, client, board) => {
      const code = board.pair();
      await pairWith(page, code.toLowerCase().replace('-', ' '));
      await approve(page).waitFor();
      await page.goto(client.link);
      await pairWith(page, code);
      assert.match(await alertOf(page, 'Pairing code'), /wrong, was used before, or is too old/);
      await pairWith(page, board.pair());
      await works(page, client);
    }, options);
  }

  await scene('a wrong password shows the page again, with the name, and the password is next', 'users', async (page, client) => {
    await password(page, 'anna', 'x');
    assert.equal(await alertOf(page, 'Password'), WRONG);
    assert.equal(await user(page).inputValue(), 'anna');
    assert.equal(await secret(page).inputValue(), '');
    assert.equal(await focused(page), 'password');
    await page.keyboard.type(PASSWORDS.anna);
    await page.keyboard.press('Enter');
    await works(page, client);
  });

  await scene('all of it from the keyboard, beginning in the first field', 'users', async (page, client) => {
    assert.equal(await focused(page), 'email');
    await page.keyboard.type('anna');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORDS.anna);
    await page.keyboard.press('Enter');
    await approve(page).waitFor();
    await tabTo(page, page.locator(`input[value="${WRITE}"]`));
    await page.keyboard.press('Space');
    await tabTo(page, approve(page));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
    assert.match((await bought(client)).scope, /services:write/);
  });

  await scene('whoever guesses waits, and reads how long', 'users', async (page, client) => {
    await guess(page);
    assert.match(await alertOf(page, 'Password'), /^There were too many attempts\. Wait \d+ seconds?, then try again\.$/);
    assert.equal(await page.locator('[aria-invalid]').count(), 0, 'nothing that was typed is called wrong');
    await decide(page, 'Cancel');
    assert.equal((await client.answer()).get('error'), 'access_denied');
  }, { status: [429], board: await Board.start(t, 'users') });

  // ── With a code

  await scene('a wrong code, and one that is none, are told at its field', 'pairing', async (page) => {
    assert.equal(await focused(page), 'code');
    await pairWith(page, 'ABCD-2345');
    assert.match(await alertOf(page, 'Pairing code'), /wrong/);
    assert.equal(await focused(page), 'code');
    await pairWith(page, '1');
    assert.match(await alertOf(page, 'Pairing code'), /eight letters and digits/);
  });

  await scene('the message stands in the form that failed', 'both', async (page, client, board) => {
    assert.equal(await focused(page), '', 'nobody knows which of the two it will be');
    await pairWith(page, 'ABCD-2345');
    assert.equal(await page.locator('#pair [role=alert]').count(), 1);
    assert.equal(await focused(page), 'code');
    await password(page, 'anna', 'x');
    assert.equal(await page.locator('#sign-in [role=alert]').count(), 1);
    assert.equal(await page.getByRole('alert').count(), 1);
    await pairWith(page, board.pair('--user', 'carl', '--scope', 'math'));
    assert.match(await page.locator('main').innerText(), /as carl.*cannot allow/s);
    await allow(page);
    assert.equal((await bought(client)).scope, 'math');
  });

  // ── What is allowed

  await scene('what changes something is unticked and says so; a client may ask for it later', 'users', async (page, client) => {
    await password(page, 'anna');
    const write = page.locator(`input[value="${WRITE}"]`);
    assert.equal(await write.isChecked(), false);
    assert.equal(await page.locator('input[name=scope]:checked').count(), 2);
    const label = await page.locator('label', { has: write }).innerText();
    assert.match(label, /Restarts one of the services of the greenhouse\s+changes things/);
    await allow(page);
    assert.doesNotMatch((await bought(client)).scope, /write/);
    // Step-up: one scope more, which is all that is asked for.
    await page.goto(client.again(WRITE));
    await password(page, 'anna');
    assert.equal(await page.locator('input[name=scope]').count(), 1);
    await approve(page).click();
    assert.equal(await page.getByRole('alert').innerText(), 'Tick what you want to allow, or reject.');
    await write.check();
    await allow(page);
    const token = await bought(client);
    assert.equal(token.scope, WRITE);
    assert.deepEqual(await client.tools(token.access_token), ['restart_service']);
  });

  await scene('who may allow little is offered little, and told', 'users', async (page, client) => {
    await password(page, 'ben');
    assert.equal(await page.locator(`input[value="${WRITE}"]`).count(), 0);
    assert.match(await page.locator('main').innerText(), /asks for services:write, which ben cannot allow on this board\./);
    await allow(page);
    assert.equal((await bought(client)).scope, 'math system:read');
  });

  await scene('who may allow nothing of it can only say so', 'users', async (page, client) => {
    await password(page, 'ben');
    assert.equal(await page.locator('input[name=scope]').count(), 0);
    await decide(page, 'Reject');
    assert.equal((await client.answer()).get('error'), 'access_denied');
  }, { scope: WRITE });

  // ── Too late, elsewhere, twice

  await scene('a page of another browser is no good', 'users', async (page) => {
    await page.context().clearCookies();
    await user(page).fill('anna');
    await secret(page).fill(PASSWORDS.anna);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'This did not work' }).waitFor();
    assert.match(await page.locator('main').innerText(), /another browser/);
  }, { status: [400] });

  await scene('what was decided is not decided again', 'users', async (page, client) => {
    await password(page, 'anna');
    const other = await page.context().newPage();
    await other.goto(client.link);
    await page.evaluate(() => (document.querySelector('form').target = 'other'));
    const [opened] = await Promise.all([page.context().waitForEvent('page'), approve(page).click()]);
    await opened.getByRole('heading', { name: 'Back at the client' }).waitFor();
    await page.evaluate(() => (document.querySelector('form').target = ''));
    await approve(page).click();
    await page.getByRole('heading', { name: 'This did not work' }).waitFor();
  }, { status: [400] });

  await t.test('users: a page that was left open for too long says so', { timeout }, async (t) => {
    const board = await Board.start(t, 'users');
    const client = await Client.make(t, board.base);
    const { page } = await newPage(t, browser);
    await page.goto(client.link);
    await board.server.program.stop();
    await Board.start(t, 'users', { state: board.state, port: board.port, env: later('+11m') });
    await user(page).fill('anna');
    await secret(page).fill(PASSWORDS.anna);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'This did not work' }).waitFor();
    assert.match(await page.locator('main').innerText(), /too old: it was good for ten minutes/);
  });

  // ── On a network

  await scene('plain HTTP works under a name of the network, and each page warns', 'plain', async (page, client, board) => {
    const warns = async () => assert.match(await page.locator('.note').innerText(), /^Not encrypted\./);
    await warns();
    await password(page, 'anna');
    await warns();
    await allow(page);
    const token = await bought(client);
    assert.equal(token.refresh_token, undefined);
    await page.goto(board.base);
    await warns();
  });

  await scene('TLS with a CA that the browser was told to trust', 'tls', async (page, client, board) => {
    const [cookie, ...more] = await page.context().cookies();
    assert.equal(more.length, 0);
    const { name, secure, httpOnly, sameSite, path } = cookie;
    const wanted = { name: '__Host-perchd', secure: true, httpOnly: true, sameSite: 'Strict', path: '/' };
    assert.deepEqual({ name, secure, httpOnly, sameSite, path }, wanted);
    assert.equal(await page.locator('.note').count(), 0, 'nothing to warn of');
    await pairWith(page, board.pair());
    await works(page, client);
  });

  await t.test('tls: the home page gives the certificate and its fingerprint', { timeout }, async (t) => {
    const { page, seen } = await newPage(t, browser);
    await page.goto(tls.base);
    assert.equal(await page.getByText(tls.fingerprint, { exact: true }).isVisible(), true);
    const link = page.getByRole('link', { name: 'download the certificate' });
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    assert.equal(download.suggestedFilename(), 'Greenhouse-ca.pem');
    const ca = new X509Certificate(await readFile(await download.path()));
    assert.equal(ca.fingerprint256, tls.fingerprint);
    assert.equal(createHash('sha256').update(ca.raw).digest('hex').toUpperCase(), tls.fingerprint.replaceAll(':', ''));
    nothingStrayed(seen, tls.base);
  });

  await t.test('tls: a browser that was told of no CA stays away', { timeout }, async (t) => {
    const stranger = await open(t, { home: await trusting(t), name: NAME });
    const { page } = await newPage(t, stranger);
    await assert.rejects(page.goto(tls.base), /ERR_CERT_AUTHORITY_INVALID/);
  });
});

/** What was allowed opens the tools that only read. */
async function works(page, client) {
  await allow(page);
  const token = await bought(client);
  assert.ok((await client.tools(token.access_token)).includes('add'));
}

async function bought(client) {
  return client.token((await client.answer()).get('code'));
}

/** As often as it takes. */
async function guess(page) {
  for (let tries = 0; tries < 6; tries += 1) await password(page, 'anna', `guess ${tries}`);
}
