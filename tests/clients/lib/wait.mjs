// Waiting with a deadline: no test can hang, and the error says what it waited for.
import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until `look` returns something truthy, and returns it. */
export async function until(what, seconds, look) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(50);
  }
}

/** The promise, or an error when it has not settled in time. */
export async function within(what, seconds, promise) {
  const timer = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${seconds} s for ${what}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
