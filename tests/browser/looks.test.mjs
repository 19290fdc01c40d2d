// Every page in light, in dark and on a phone: a screenshot, no accessibility violation, nothing from elsewhere, no sideways scrolling.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Perchd } from '../clients/lib/perchd.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { PAGES, WORLDS } from './lib/pages.mjs';

const screenshots = process.env.SCREENSHOTS ?? path.resolve(import.meta.dirname, '../../target/screenshots');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const timeout = 60_000;

test('the pages', { timeout: 10 * timeout }, async (t) => {
  await mkdir(screenshots, { recursive: true });
  const browser = await open(t);

  for (const [world, options] of Object.entries(WORLDS)) {
    // A server for each: one address may let only so many devices ask.
    const server = await Perchd.start(t);
    for (const [name, visit] of Object.entries(PAGES)) {
      await t.test(`${name}, ${world}`, { timeout }, async (t) => {
        const { page, seen } = await newPage(t, browser, options);
        await visit(t, page, server.base);
        await page.screenshot({ path: path.join(screenshots, `${name}-${world}.png`), fullPage: true });
        if (name === 'error') forgiveItsOwnStatus(seen);
        nothingStrayed(seen, server.base);
        await fits(page);
        await isAccessible(page);
      });
    }
  }
  console.log(`screenshots are in ${screenshots}`);
});

/** Chromium reports the 400 of an error page, which is as it should be, once. */
function forgiveItsOwnStatus(seen) {
  const status = seen.errors.findIndex((text) => /Failed to load resource: .* status of 400/.test(text));
  assert.notEqual(status, -1, 'an error page has status 400');
  seen.errors.splice(status, 1);
}

async function fits(page) {
  const { wanted, given } = await page.evaluate(() => ({
    wanted: document.documentElement.scrollWidth,
    given: document.documentElement.clientWidth,
  }));
  assert.ok(wanted <= given, `the page wants ${wanted} px and has ${given}`);
}

async function isAccessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 0, 'rules were applied');
  assert.deepEqual(
    violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`),
    [],
  );
}
