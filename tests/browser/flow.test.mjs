// Signing in with a real browser: by mouse, by keyboard, without JavaScript; Approve and Reject do what they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd } from '../clients/lib/perchd.mjs';
import { Client } from './lib/client.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { decide, signIn, tabTo, user } from './lib/pages.mjs';

const timeout = 60_000;

test('signing in with Chromium', { timeout: 5 * timeout }, async (t) => {
  const browser = await open(t);
  const server = await Perchd.start(t);

  const scene = (name, act, options) =>
    t.test(name, { timeout }, async (t) => {
      const client = await Client.make(t, server.base);
      const { page, seen } = await newPage(t, browser, options);
      await page.goto(client.link);
      await act(page, client);
      nothingStrayed(seen, server.base, new URL(client.redirectUri).origin);
    });

  await scene('Approve brings a code that buys a token that lists tools', async (page, client) => {
    await signIn(page);
    await decide(page, 'Approve');
    await tokenWorks(client);
  });

  await scene('Reject brings access_denied and no code', async (page, client) => {
    await signIn(page);
    await decide(page, 'Reject');
    const answer = await client.answer();
    assert.equal(answer.get('error'), 'access_denied');
    assert.equal(answer.get('code'), null);
  });

  await scene('Cancel, before anybody signed in, brings access_denied too', async (page, client) => {
    await decide(page, 'Cancel');
    const answer = await client.answer();
    assert.equal(answer.get('error'), 'access_denied');
    assert.equal(answer.get('code'), null);
  });

  await scene('a box that was unticked is not granted', async (page, client) => {
    await signIn(page);
    const box = page.locator('input[type=checkbox][name=scope]').first();
    const scope = await box.getAttribute('value');
    await box.uncheck();
    await decide(page, 'Approve');
    const token = await client.token((await client.answer()).get('code'));
    assert.ok(!token.scope.split(' ').includes(scope), `${scope} was not granted`);
  });

  await scene('the consent page names the client, where it lives, and what it asks for', async (page, client) => {
    await signIn(page);
    const text = await page.locator('body').innerText();
    assert.match(text, /Claude Desktop/);
    assert.ok(text.includes(new URL(client.redirectUri).hostname), 'the host that the answer goes to');
    assert.ok((await page.locator('input[type=checkbox][name=scope]').count()) > 0);
  });

  await scene('everything can be done from the keyboard', async (page, client) => {
    await tabTo(page, user(page));
    await page.keyboard.type('ada@example.org');
    await tabTo(page, page.locator('input[type=password]'));
    await page.keyboard.type('difference engine');
    await page.keyboard.press('Enter');
    const approve = page.getByRole('button', { name: 'Approve', exact: true });
    await approve.waitFor();
    await tabTo(page, approve);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
    await tokenWorks(client);
  });

  await scene('two tabs at once do not spoil each other', async (page, client) => {
    const other = await page.context().newPage();
    await other.goto(client.link);
    await signIn(page);
    await signIn(other);
    await decide(page, 'Approve');
    await decide(other, 'Reject');
    await tokenWorks(client);
  });

  const withoutScript = { javaScriptEnabled: false };
  await scene(
    'everything works without JavaScript',
    async (page, client) => {
      await signIn(page);
      await decide(page, 'Approve');
      await tokenWorks(client);
    },
    withoutScript,
  );
});

async function tokenWorks(client) {
  const answer = await client.answer();
  const token = await client.token(answer.get('code'));
  assert.equal(token.token_type.toLowerCase(), 'bearer');
  assert.ok((await client.tools(token.access_token)).includes('add'));
}
