// Every page in light and dark, from a small telephone to a desktop: screenshots, no accessibility violation, nothing from
// elsewhere, no sideways scrolling, and few bytes.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Board, NAME, trusting } from './lib/board.mjs';
import { newPage, nothingStrayed, open } from './lib/chromium.mjs';
import { forgive, PAGES } from './lib/pages.mjs';

const screenshots = process.env.SCREENSHOTS ?? path.resolve(import.meta.dirname, '../../target/tests/screenshots');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const timeout = 90_000;
const SCHEMES = ['light', 'dark'];
const WIDTHS = [320, 390, 768, 1280];
/** The least that shows both lights and both ends. */
const SHOWN = ['light 1280', 'dark 390', 'light 320'];
const BYTES_MAX = 20_000;

test('the pages', { timeout: 10 * timeout }, async (t) => {
  await mkdir(screenshots, { recursive: true });
  const boards = {};
  for (const kind of new Set(Object.values(PAGES).map(([kind]) => kind))) boards[kind] = await Board.start(t, kind);
  const browser = await open(t, { home: await trusting(t, boards.tls.ca), name: NAME });

  for (const [name, [kind, visit, status]] of Object.entries(PAGES)) {
    await t.test(name, { timeout }, async (t) => {
      const { page, seen } = await newPage(t, browser);
      await visit(t, page, boards[kind]);
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 800 });
          await fits(page, width);
          if (SHOWN.includes(`${colorScheme} ${width}`)) {
            await page.screenshot({ path: path.join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
          }
        }
        await isAccessible(page);
      }
      if (status) forgive(seen, status);
      nothingStrayed(seen, boards[kind].base);
      const bytes = Buffer.byteLength(await page.content());
      assert.ok(bytes <= BYTES_MAX, `${bytes} bytes`);
    });
  }
  console.log(`screenshots are in ${screenshots}`);
});

async function fits(page, width) {
  const wanted = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wanted <= width, `the page wants ${wanted} px and has ${width}`);
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
