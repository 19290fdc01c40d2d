// The pages of perchd, and how a person gets to each and past it.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';
import { Device } from './device.mjs';

export const WORLDS = {
  light: { colorScheme: 'light', viewport: { width: 1024, height: 768 } },
  dark: { colorScheme: 'dark', viewport: { width: 1024, height: 768 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

/** Each leaves `page` on the page of its name. */
export const PAGES = {
  home: async (t, page, base) => page.goto(base),
  'sign-in': async (t, page, base) => page.goto((await Client.make(t, base)).link),
  consent: async (t, page, base) => {
    await page.goto((await Client.make(t, base)).link);
    await signIn(page);
  },
  device: async (t, page, base) => page.goto((await Device.make(base)).linkWithCode),
  'device-unknown': async (t, page, base) => {
    await page.goto(`${base}/device`);
    await enter(page, 'BCDF-GHJK');
    await page.getByRole('alert').waitFor();
  },
  'device-sign-in': async (t, page, base) => {
    const device = await Device.make(base);
    await page.goto(device.link);
    await enter(page, device.userCode);
    await user(page).waitFor();
  },
  'device-allowed': async (t, page, base) => {
    await page.goto((await Device.make(base)).linkWithCode);
    await confirm(page);
    await signIn(page);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByRole('heading', { name: 'Allowed' }).waitFor();
  },
  error: async (t, page, base) => page.goto(`${base}/authorize?response_type=code&client_id=nobody`),
};

export const user = (page) => page.locator('input[type=email], input[autocomplete=username]');

export async function signIn(page) {
  await user(page).fill('ada@example.org');
  await page.locator('input[type=password]').fill('difference engine');
  await page.getByRole('button').first().click();
  await page.getByRole('button', { name: 'Approve', exact: true }).waitFor();
}

/** Types the code that a device shows. */
export async function enter(page, userCode) {
  await page.getByLabel('Code').fill(userCode);
  await confirm(page);
}

export async function confirm(page) {
  await page.getByRole('button', { name: 'My device shows this code', exact: true }).click();
}

export async function decide(page, button) {
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
}

/** Tab goes on until the wanted element has the focus. */
export async function tabTo(page, locator) {
  for (let step = 0; step < 30; step += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab never reaches ${locator}`);
}
