// A child process that keeps what it printed, is ended by its own pid, and is gone when its test is over.
import { spawn } from 'node:child_process';
import { within } from './wait.mjs';

export class Program {
  /** Starts `command`; `t` is the test that owns it. Options: env, cwd, uid, input (a pipe to stdin), name, group (end its children too). */
  constructor(t, command, args, options = {}) {
    this.name = options.name ?? command;
    this.stdout = '';
    this.stderr = '';
    this.child = spawn(command, args, {
      env: options.env ?? process.env,
      cwd: options.cwd,
      detached: options.group,
      uid: options.uid,
      stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ code: null, signal: null, error }));
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.ended.then((end) => (this.end = end));
    t.after(() => this.kill());
    if (options.group) t.after(() => endGroup(this.child.pid));
    t.after(() => t.passed || console.error(this.transcript()));
  }

  /** Waits for the process to end by itself. */
  async finish(seconds) {
    return within(`${this.name} to end`, seconds, this.ended);
  }

  /** Asks it to stop and insists that it does. */
  async stop(seconds = 10) {
    if (!this.end) this.child.kill('SIGTERM');
    return this.finish(seconds);
  }

  /** Ends it as a power cut does. */
  async kill() {
    if (!this.end) this.child.kill('SIGKILL');
    return this.finish(10);
  }

  transcript() {
    const tail = (text) => text.split('\n').slice(-40).join('\n');
    return `--- ${this.name}, stdout\n${tail(this.stdout)}\n--- ${this.name}, stderr\n${tail(this.stderr)}`;
  }
}

/** Whatever a script left in the background. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
