// A person with a browser: follows the link, fills in the form that is there, presses a button, and is sent back to the client.
import { parse } from 'node-html-parser';
import { until } from './wait.mjs';

const ACCEPT = 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';
const STEPS_MAX = 10;

export class Person {
  /** `decision` is what the button says; `scopes` the boxes to leave ticked, all that are ticked when not given; `code` what the board shows. */
  constructor({ email = 'ada@example.org', password = 'difference engine', decision = 'Approve', scopes, code } = {}) {
    Object.assign(this, { email, password, decision, scopes, code });
    this.cookies = new Map();
    this.pages = [];
  }

  /** Walks from `link` to another origin; returns that URL and, unless `stopAtCallback`, what answered there. */
  async signIn(link, { stopAtCallback = false } = {}) {
    const home = new URL(link).origin;
    let request = { url: new URL(link), init: {} };
    for (let step = 0; step < STEPS_MAX; step += 1) {
      if (request.url.origin !== home) {
        if (stopAtCallback) return { callback: request.url };
        const answer = await this.callBack(request.url);
        return { callback: request.url, status: answer.status, text: await answer.text() };
      }
      const answer = await this.fetch(request.url, { redirect: 'manual', ...request.init });
      request = answer.headers.has('location') ? redirected(answer, request.url) : await this.answerPage(answer, request.url);
      if (!request) break;
    }
    throw new Error(`no way back to the client: ${this.pages.join(' > ')}`);
  }

  /** Walks from `link` to a page that asks nothing more, as the one does that lets a device in; returns what that page is called. */
  async allow(link) {
    let request = { url: new URL(link), init: {} };
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const answer = await this.fetch(request.url, { redirect: 'error', ...request.init });
      request = await this.answerPage(answer, request.url);
      if (!request) return this.pages.at(-1);
    }
    throw new Error(`still asked after ${STEPS_MAX} steps: ${this.pages.join(' > ')}`);
  }

  /** A client may open the browser before it listens; people are slower than this program, so it waits. */
  async callBack(url) {
    return until(`the client to listen at ${url.host}`, 15, () =>
      this.fetch(url, { redirect: 'follow' }).catch((error) => {
        if (error.cause?.code !== 'ECONNREFUSED') throw error;
      }),
    );
  }

  async fetch(url, init) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { accept: ACCEPT, ...init.headers, ...(cookie && { cookie }) };
    const answer = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(60_000) });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.cookies.set(name, value);
    }
    return answer;
  }

  async answerPage(answer, url) {
    const html = await answer.text();
    const page = parse(html);
    const title = page.querySelector('h1')?.text.trim() ?? '';
    this.pages.push(title);
    const form = page.querySelector('form');
    if (!form && answer.ok) return undefined;
    if (!form) throw new Error(`${answer.status} without a form at ${url.pathname}: ${page.textContent.replace(/\s+/g, ' ')}`);
    return { url: new URL(form.getAttribute('action') ?? '', url), init: post(url, this.fill(form)) };
  }

  fill(form) {
    const fields = new URLSearchParams();
    for (const input of form.querySelectorAll('input')) {
      const value = this.value(input);
      if (value !== undefined) fields.append(input.getAttribute('name'), value);
    }
    const button = this.button(form);
    if (button.getAttribute('name')) fields.append(button.getAttribute('name'), button.getAttribute('value') ?? '');
    return fields;
  }

  value(input) {
    const given = input.getAttribute('value') ?? '';
    if (input.getAttribute('autocomplete') === 'username') return this.email;
    if (input.getAttribute('autocomplete') === 'one-time-code') return this.code ?? given;
    switch (input.getAttribute('type')) {
      case 'email':
        return this.email;
      case 'password':
        return this.password;
      case 'checkbox':
        return (this.scopes ? this.scopes.includes(given) : input.hasAttribute('checked')) ? given : undefined;
      case 'submit':
        return undefined;
      default:
        return given;
    }
  }

  /** The button with the decision on it; on a page that asks for none, the first one. */
  button(form) {
    const buttons = form.querySelectorAll('button, input[type=submit]');
    const says = (button) => button.text.trim() || button.getAttribute('value');
    const wanted = buttons.find((button) => says(button) === this.decision);
    if (!wanted && buttons.length > 1 && !form.querySelector('input[type=password], input[autocomplete=one-time-code]')) {
      throw new Error(`no button says ${this.decision}, only ${buttons.map(says).join(', ')}`);
    }
    return wanted ?? buttons[0];
  }
}

function redirected(answer, url) {
  if (answer.status !== 302 && answer.status !== 303) throw new Error(`a redirect with status ${answer.status} would post again`);
  return { url: new URL(answer.headers.get('location'), url), init: {} };
}

function post(url, fields) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: url.origin, 'sec-fetch-site': 'same-origin' };
  return { method: 'POST', headers, body: fields.toString() };
}
