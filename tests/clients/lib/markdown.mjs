// Reads the tested blocks of a Markdown file: ```sh run-NAME, and the ```text right after it, which is what it must print.

/** Tests by name: a list of { line, script, output } in the order of the file. */
export function testedBlocks(markdown) {
  const tests = new Map();
  let last;
  for (const fence of fences(markdown)) {
    const name = /^sh run-(\S+)/.exec(fence.info)?.[1];
    if (name) {
      last = { line: fence.line, end: fence.end, script: fence.text };
      tests.set(name, [...(tests.get(name) ?? []), last]);
    } else if (fence.info === 'text' && last && fence.line <= last.end + 2) {
      last.output = fence.text;
    } else {
      last = undefined;
    }
  }
  return tests;
}

/** A pattern for what is printed: … stands for the rest of a word or line, and alone on a line for any lines. */
export function pattern(output) {
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const lines = output.split('\n').map((line) => (line.trim() === '…' ? '[^]*?' : line.split('…').map(escape).join('.*?')));
  return new RegExp(`^${lines.join('\n')}$`);
}

export function* fences(markdown) {
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const info = /^```(\S.*)$/.exec(lines[at])?.[1];
    if (!info) continue;
    const end = lines.indexOf('```', at + 1);
    if (end < 0) throw new Error(`line ${at + 1}: a block without an end`);
    yield { line: at + 1, end: end + 1, info: info.trim(), text: lines.slice(at + 1, end).join('\n') };
    at = end;
  }
}
