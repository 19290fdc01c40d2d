// Letting a device in with a real browser: the code is typed or compared, and Approve and Reject do what they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd } from '../clients/lib/perchd.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { Device } from './lib/device.mjs';
import { confirm, enter, signIn, user } from './lib/pages.mjs';

const timeout = 60_000;

test('letting a device in with Chromium', { timeout: 5 * timeout }, async (t) => {
  const browser = await open(t);
  const server = await Perchd.start(t);

  const scene = (name, act, options) =>
    t.test(name, { timeout }, async (t) => {
      const device = await Device.make(server.base);
      const { page, seen } = await newPage(t, browser, options);
      await act(page, device);
      nothingStrayed(seen, server.base);
    });

  const decide = async (page, button, heading) => {
    await page.getByRole('button', { name: button, exact: true }).click();
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
  };

  await scene('a code that is typed, and Approve, bring tokens', async (page, device) => {
    await page.goto(device.link);
    await enter(page, device.userCode.toLowerCase().replace('-', ' '));
    assert.match(await page.locator('main').innerText(), new RegExp(`Kitchen display.*${device.userCode}`, 's'));
    await signIn(page);
    await decide(page, 'Approve', 'Allowed');
    assert.equal(typeof (await device.poll()).access_token, 'string');
  });

  await scene('a code in the address is there to be compared, and Reject brings access_denied', async (page, device) => {
    await page.goto(device.linkWithCode);
    assert.equal(await page.getByLabel('Code').inputValue(), device.userCode);
    assert.equal((await device.poll()).error, 'authorization_pending', 'to open the link allows nothing');
    await confirm(page);
    await signIn(page);
    await decide(page, 'Reject', 'Rejected');
    assert.equal((await device.poll()).error, 'access_denied');
  });

  await scene('a wrong code is told, and the right one goes on from there', async (page, device) => {
    await page.goto(device.link);
    await enter(page, 'BCDF-GHJK');
    await page.getByRole('alert').waitFor();
    await enter(page, device.userCode);
    await signIn(page);
    await decide(page, 'Approve', 'Allowed');
  });

  await scene(
    'everything can be done from the keyboard, without JavaScript',
    async (page, device) => {
      await page.goto(device.link);
      await page.getByLabel('Code').focus();
      await page.keyboard.type(device.userCode);
      await page.keyboard.press('Enter');
      await user(page).focus();
      await page.keyboard.type('ada@example.org');
      await page.locator('input[type=password]').focus();
      await page.keyboard.type('difference engine');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Approve', exact: true }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Allowed', exact: true }).waitFor();
    },
    { javaScriptEnabled: false },
  );
});
