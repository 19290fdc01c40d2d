// The pages of perchd, and how a person gets to each and past it.
import assert from 'node:assert/strict';
import { PASSWORDS } from './board.mjs';
import { Client } from './client.mjs';
import { Device } from './device.mjs';

/** Which board each is on, and how to get there: `visit` leaves `page` on the page of its name. */
export const PAGES = {
  home: ['demo', async (t, page, board) => page.goto(board.base)],
  'home-tls': ['tls', async (t, page, board) => page.goto(board.base)],
  'home-plain': ['plain', async (t, page, board) => page.goto(board.base)],
  'sign-in': ['demo', begin],
  'sign-in-users': ['users', begin],
  'sign-in-pairing': ['pairing', begin],
  'sign-in-both': ['both', begin],
  'sign-in-plain': ['plain', begin],
  'sign-in-tls': ['tls', begin],
  'wrong-password': ['users', async (t, page, board) => {
    await begin(t, page, board);
    await password(page, 'anna', 'x');
  }],
  'wrong-code': ['pairing', async (t, page, board) => {
    await begin(t, page, board);
    await pairWith(page, 'ABCD-2345');
  }],
  'wrong-code-of-both': ['both', async (t, page, board) => {
    await begin(t, page, board);
    await pairWith(page, 'ABCD-2345');
  }],
  throttled: ['pairing', async (t, page, board) => {
    await begin(t, page, board);
    for (let tries = 0; tries < 6; tries += 1) await pairWith(page, 'ABCD-2345');
  }, 429],
  consent: ['users', async (t, page, board) => {
    await begin(t, page, board);
    await password(page, 'anna');
  }],
  'consent-limited': ['users', async (t, page, board) => {
    await begin(t, page, board);
    await password(page, 'ben');
  }],
  'consent-step-up': ['users', async (t, page, board) => {
    await page.goto((await Client.make(t, board.base, { scope: 'services:write' })).link);
    await password(page, 'anna');
    await approve(page).click();
    await page.getByRole('alert').waitFor();
  }],
  'consent-nothing': ['users', async (t, page, board) => {
    await page.goto((await Client.make(t, board.base, { scope: 'services:write' })).link);
    await password(page, 'ben');
  }],
  'approvals-sign-in': ['approval', async (t, page, board) => page.goto(`${board.base}/approvals`)],
  approvals: ['approval', async (t, page, board) => {
    const words = 'a word, and "another" with $(marks); '.repeat(4);
    await Promise.all(['hello', words].map((word) => call(board, word)));
    await enterApprovals(page, board);
  }],
  'approvals-rejected': ['approval', async (t, page, board) => {
    await call(board, 'to be rejected');
    await enterApprovals(page, board);
    await planOf(page, 'to be rejected').getByRole('button', { name: 'Reject', exact: true }).click();
    await page.getByRole('status').waitFor();
  }],
  'home-called': ['demo', async (t, page, board) => {
    await add(board, 1, 'two');
    await add(board, 1, 2);
    await page.goto(board.base);
  }],
  'home-users': ['users', async (t, page, board) => page.goto(board.base)],
  'owner-sign-in': ['users', async (t, page, board) => page.goto(`${board.base}/owner`)],
  owner: ['both', async (t, page, board) => {
    await add(board, 1, 2);
    await enterOwner(page, board);
  }],
  'owner-revoked': ['approval', async (t, page, board) => {
    await add(board, 1, 2);
    await enterOwner(page, board);
    await revoke(page, 'test');
  }],
  'owner-limited': ['both', async (t, page, board) => {
    await enterOwner(page, board, 'ben');
  }],
  device: ['demo', async (t, page, board) => page.goto((await Device.make(board.base)).linkWithCode)],
  'device-empty': ['demo', async (t, page, board) => page.goto(`${board.base}/device`)],
  'device-unknown': ['demo', async (t, page, board) => {
    await page.goto(`${board.base}/device`);
    await enter(page, 'BCDF-GHJK');
    await page.getByRole('alert').waitFor();
  }],
  'device-sign-in': ['demo', async (t, page, board) => {
    const device = await Device.make(board.base);
    await page.goto(device.link);
    await enter(page, device.userCode);
    await user(page).waitFor();
  }],
  'device-allowed': ['demo', (t, page, board) => device(t, page, board, 'Approve', 'Allowed')],
  'device-rejected': ['demo', (t, page, board) => device(t, page, board, 'Reject', 'Rejected')],
  'another-browser': ['users', async (t, page, board) => {
    await begin(t, page, board);
    await page.context().clearCookies();
    await password(page, 'anna');
  }, 400],
  'not-found': ['demo', async (t, page, board) => page.goto(`${board.base}/nothing`), 404],
  'unknown-client': ['demo', async (t, page, board) => page.goto(`${board.base}/authorize?response_type=code&client_id=nobody`), 400],
};

async function begin(t, page, board) {
  await page.goto((await Client.make(t, board.base, { ca: board.ca })).link);
}

async function device(t, page, board, button, heading) {
  await page.goto((await Device.make(board.base)).linkWithCode);
  await confirm(page);
  await signIn(page);
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('heading', { name: heading }).waitFor();
}

export const secret = (page) => page.locator('input[type=password]');
export const user = (page) => page.locator('input[type=email], input[autocomplete=username]');

export async function signIn(page) {
  await user(page).fill('ada@example.org');
  await page.locator('input[type=password]').fill('difference engine');
  await page.getByRole('button').first().click();
  await page.getByRole('button', { name: 'Approve', exact: true }).waitFor();
}

/** Sends a user's name and a password: his own, if not another is given. */
export async function password(page, name, typed = PASSWORDS[name]) {
  await user(page).fill(name);
  await secret(page).fill(typed);
  await sent(page, page.getByRole('button', { name: 'Sign in', exact: true }));
}

/** Sends a code from the board. */
export async function pairWith(page, code) {
  await page.getByLabel('Pairing code').fill(code);
  await sent(page, page.getByRole('button', { name: 'Pair', exact: true }));
}

/** Until the answer to a form is there, which may be the same page once more. */
async function sent(page, button) {
  await Promise.all([page.waitForEvent('load'), button.click()]);
}

export const approve = (page) => page.getByRole('button', { name: 'Approve', exact: true });

/** Approves, and goes back to the client. */
export const allow = (page) => decide(page, 'Approve');

/** The message of a page that is shown again, which the field of this label must point to. */
export async function alertOf(page, label) {
  const described = await page.getByLabel(label, { exact: true }).getAttribute('aria-describedby');
  assert.ok(described.split(' ').includes('alert'), `${label} is described by ${described}`);
  return page.locator('#alert[role=alert]').innerText();
}

/** The id of what has the focus; empty when nothing has. */
export const focused = (page) => page.evaluate(() => document.activeElement.id);

/** Chromium reports an error's status, which is as it should be. */
export function forgive(seen, status) {
  const rest = seen.errors.filter((text) => !text.includes(`Failed to load resource: the server responded with a status of ${status}`));
  assert.notEqual(rest.length, seen.errors.length, `a page has status ${status}`);
  seen.errors = rest;
}

/** Asks for what a person must approve, as a client that cannot show pages; what it is told. */
export async function call(board, word, token = board.token('note:write')) {
  const params = { name: 'note', arguments: { word } };
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const answer = await fetch(`${board.base}/mcp`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200);
  return (await answer.json()).result;
}

/** Signs in to the page where people approve. */
export async function enterApprovals(page, board, name = 'anna') {
  await page.goto(`${board.base}/approvals`);
  await password(page, name);
  await page.getByRole('heading', { name: 'Approvals', exact: true }).waitFor();
}

/** Calls `add`, as a program with a token that the owner has made. */
export async function add(board, a, b, token = board.token('math')) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const params = { name: 'add', arguments: { a, b } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const answer = await fetch(`${board.base}/mcp`, { method: 'POST', headers, body });
  await answer.text();
  return answer.status;
}

/** Signs in to the page that shows who uses the board. */
export async function enterOwner(page, board, name = 'anna') {
  await page.goto(`${board.base}/owner`);
  await password(page, name);
  await page.getByRole('heading', { name: 'Clients', exact: true }).waitFor();
}

/** Takes back what this client holds. */
export async function revoke(page, name) {
  await page.getByRole('button', { name: `Revoke ${name}`, exact: true }).first().click();
  await page.getByRole('status').waitFor();
}

/** What the page shows of the call with this word. */
export const planOf = (page, word) => page.getByRole('listitem').filter({ hasText: word });

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
