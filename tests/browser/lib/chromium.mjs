// Debian's Chromium, and a page that remembers whatever went wrong on it.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser that ends with its test. Options: home (a folder whose certificates it trusts), name (found on this computer). */
export async function open(t, { home, name } = {}) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const args = name ? [...FLAGS, `--host-resolver-rules=MAP ${name} 127.0.0.1`] : FLAGS;
  const env = home ? { ...process.env, HOME: home } : process.env;
  const browser = await chromium.launch({ executablePath, args, env, timeout: 60_000 });
  t.after(() => browser.close());
  return browser;
}

/** A page in a context of its own. `stray` collects console errors, page errors and the origins that it asked. */
export async function newPage(t, browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const seen = { errors: [], origins: new Set() };
  page.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('request', (request) => request.url().startsWith('data:') || seen.origins.add(new URL(request.url()).origin));
  return { page, seen };
}

/** Nothing was refused, nothing failed, and no origin was asked but these. */
export function nothingStrayed(seen, ...origins) {
  assert.deepEqual(seen.errors, []);
  assert.deepEqual(
    [...seen.origins].filter((origin) => !origins.includes(origin)),
    [],
  );
}
