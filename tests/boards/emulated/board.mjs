// A whole board under emulation: made from a fresh disk, started, used through a root shell on a serial line, and cut from power.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { know } from '../../clients/lib/hosts.mjs';
import { folder } from '../../clients/lib/perchd.mjs';
import { Program } from '../../clients/lib/program.mjs';
import { until, within } from '../../clients/lib/wait.mjs';

const run = promisify(execFile);
const PORT = 8787;
const logs = path.resolve(import.meta.dirname, '../../../', process.env.CARGO_TARGET_DIR ?? 'target', 'tests');

// Emulation on a busy machine is slow, and its end is not awaited for its own sake: what breaks is told long before.
const BOOT_SECS = 600;
const COMMAND_SECS = 240;

export class Board {
  /** A new board of this machine, with `files` ({"/path/on/board": "path here"}) on its disk. It has no power yet. */
  static async make(t, machine, files) {
    const board = new Board();
    Object.assign(board, { t, machine, name: machine.name, boots: 0 });
    const made = await run(path.join(import.meta.dirname, 'image'), [machine.name]);
    board.image = made.stdout.trim();
    board.folder = await folder(t);
    board.disk = path.join(board.folder, 'disk.img');
    await run('cp', ['--sparse=always', '--reflink=auto', path.join(board.image, 'disk.img'), board.disk]);
    for (const [there, here] of Object.entries(files)) await board.lay(there, here);
    // An address of this machine's own for this board, so that it has its usual port.
    board.address = `127.${1 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
    board.host = `${machine.name}.local`;
    board.base = `https://${board.host}:${PORT}`;
    know(board.host, board.address);
    return board;
  }

  /** Puts a file onto the disk, which no kernel may have mounted. debugfs tells of failures in words alone. */
  async lay(there, here) {
    const { stderr } = await run('/usr/sbin/debugfs', ['-w', '-R', `write ${here} ${there}`, this.disk]);
    assert.match(stderr, /^debugfs [^\n]*\n$/, `${here} was written`);
  }

  /** Gives it power, and waits for its shell. `clock` is what its clock says, where it has one. */
  async boot({ clock } = {}) {
    this.boots += 1;
    const socket = (name) => path.join(this.folder, `${name}.${this.boots}`);
    await mkdir(logs, { recursive: true });
    this.console = path.join(logs, `${this.name}.${this.boots}.console`);
    const args = this.machine.args({
      folder: this.image,
      network: `user,id=net,restrict=on,hostfwd=tcp:${this.address}:${PORT}-:${PORT}`,
      shell: `socket,id=shell,path=${socket('shell')},server=on,wait=off`,
      console: this.console,
    });
    args.push('-drive', `file=${this.disk},format=raw,${this.machine.drive}`);
    args.push('-kernel', `${this.image}/kernel`, '-initrd', `${this.image}/initrd`);
    args.push('-append', `${this.machine.append} loglevel=4 systemd.default_timeout_start_sec=900 net.ifnames=0 audit=0`);
    args.push('-display', 'none', '-no-reboot', '-monitor', 'none', '-qmp', `unix:${socket('qmp')},server=on,wait=off`);
    if (clock) args.push('-rtc', `base=${clock}`);
    this.say(`power on${clock ? `, the clock says ${clock}` : ''}`);
    this.emulator = new Program(this.t, this.machine.qemu, args, { name: this.machine.qemu });
    this.shell = new Lines(await this.connect(socket('shell')));
    this.qmp = new Lines(await this.connect(socket('qmp')));
    const started = Date.now();
    await this.line(this.shell, BOOT_SECS, 'the shell', (line) => line === 'ready');
    this.say(`its shell is there after ${Math.round((Date.now() - started) / 1000)} s`);
  }

  /** Waits, but not for an emulator that is gone. */
  async within(what, seconds, promise) {
    const ended = this.emulator.ended.then(async () => {
      const console = await readFile(this.console, 'utf8').catch(() => '');
      throw new Error(`the emulator ended before ${what}\n--- console\n${console.slice(-3000)}`);
    });
    ended.catch(() => {});
    return within(`${what} on ${this.name}`, seconds, Promise.race([promise, ended]));
  }

  /** Reads from one of its ends up to the line that `isWanted`, and returns it. */
  async line(from, seconds, what, isWanted) {
    return this.within(what, seconds, from.line(isWanted));
  }

  async connect(socket) {
    const connected = () =>
      new Promise((resolve) => {
        const connection = net.connect(socket, () => resolve(connection)).once('error', () => resolve(undefined));
      });
    return until('the emulator to start', 30, () => {
      if (this.emulator.end) throw new Error(`no emulator: ${this.emulator.end.error ?? this.emulator.transcript()}`);
      return connected();
    });
  }

  /** Takes its power away, in the midst of whatever it does. */
  async cutPower() {
    await this.emulator.kill();
    this.say('power cut');
  }

  /** Runs a command on the board as root; returns what it printed. One that fails is an error. */
  async sh(command, seconds) {
    const { status, output } = await this.run(command, seconds);
    assert.equal(status, 0, `${command}\n${output}`);
    return output;
  }

  async run(command, seconds = COMMAND_SECS) {
    this.type(command);
    let output = '';
    const last = await this.line(this.shell, seconds, `the end of ${command}`, (line) => {
      if (line.startsWith('> ')) output += line.slice(2);
      return line.startsWith('= ');
    });
    return { status: Number(last.slice(2)), output: Buffer.from(output, 'base64').toString().trimEnd() };
  }

  /** Types a command without waiting for its end. */
  type(command) {
    this.shell.send(Buffer.from(command).toString('base64'));
  }

  /** Waits for a line that the shell says, without being the end of a command. */
  async said(isWanted) {
    return this.line(this.shell, COMMAND_SECS, 'the shell', isWanted);
  }

  /** The lines that came and that nobody waited for. */
  rest() {
    return this.shell.lines.splice(0);
  }

  /** Waits until a command on the board succeeds. */
  async until(what, seconds, command) {
    return until(`${what} on ${this.name}`, seconds, async () => (await this.run(command)).status === 0);
  }

  /** Puts a text into a file on the board. */
  async write(file, text) {
    await this.sh(`base64 -d >'${file}' <<'END'\n${Buffer.from(text).toString('base64')}\nEND`);
  }

  /** What the network's time would do: nothing else tells it what day it is. */
  async setClock() {
    await this.sh(`date -u -s @${Math.floor(Date.now() / 1000)}`);
  }

  /** Says a command to QEMU's monitor, which sees the machine from outside. */
  async monitor(command) {
    if (!this.qmp.isOpen) {
      this.qmp.send(JSON.stringify({ execute: 'qmp_capabilities' }));
      this.qmp.isOpen = true;
      await this.line(this.qmp, COMMAND_SECS, "QEMU's greeting", (line) => /"return"/.test(line));
    }
    this.qmp.send(JSON.stringify({ execute: 'human-monitor-command', arguments: { 'command-line': command } }));
    const answer = await this.line(this.qmp, COMMAND_SECS, command, (line) => /"(return|error)"/.test(line));
    return JSON.parse(answer).return;
  }

  /** Has this process trust the board's CA, as its owner would who fetched it; a client is given the file. */
  async trust() {
    this.ca = path.join(this.folder, 'ca.pem');
    const pem = await this.sh('cat /var/lib/perchd/ca.pem');
    await writeFile(this.ca, `${pem}\n`);
    setDefaultCACertificates([pem]);
  }

  say(what) {
    console.log(`${this.name}: ${what}`);
  }
}

/** A socket that speaks in lines. */
class Lines {
  constructor(socket) {
    Object.assign(this, { socket, lines: [] });
    let rest = '';
    socket.setEncoding('utf8').on('error', () => {});
    socket.on('data', (text) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop();
      this.lines.push(...lines);
      socket.emit('lines');
    });
  }

  send(line) {
    this.socket.write(`${line}\n`);
  }

  /** Reads up to the line that `isWanted`, and returns it. */
  async line(isWanted) {
    for (;;) {
      while (this.lines.length > 0) {
        const line = this.lines.shift();
        if (isWanted(line)) return line;
      }
      await once(this.socket, 'lines');
    }
  }
}
