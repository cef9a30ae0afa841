/**
 * Turns every `Deviation:` line of the sources into docs/compatibility.md, by layer, and adds the recorded answers that
 * differ (test/oracle/differences.json). With `--check` it only says
 * whether the document is up to date.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const documentPath = join(root, 'docs', 'compatibility.md');

interface Deviation {
  readonly file: string;
  readonly text: string;
}

/** A deviation runs from its marker to the end of the comment's paragraph. */
function deviationsOf(file: string): Deviation[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const found: Deviation[] = [];
  for (let at = 0; at < lines.length; at++) {
    const start = lines[at]!.match(/^\s*(?:\/\/|\/?\*+)\s*Deviation:\s*(.*)$/);
    if (!start) continue;
    const words = [start[1]!.replace(/\s*\*\/\s*$/, '')];
    while (!lines[at]!.includes('*/')) {
      const next = lines[at + 1]?.match(/^\s*(?:\/\/|\*(?!\/))\s*(\S.*)$/);
      if (!next || /^(Deviation:|@|Upstream:)/.test(next[1]!)) break;
      words.push(next[1]!.replace(/\s*\*\/\s*$/, ''));
      at++;
    }
    found.push({ file, text: words.join(' ').trim() });
  }
  return found;
}

/** Recorded answers of the original that ours is known not to give, each group with its reason. */
interface KnownDifference {
  readonly reason: string;
  readonly rows: readonly string[];
}

interface Differences {
  readonly known: readonly KnownDifference[];
  /** Given under the flags of the recording, and not by default. */
  readonly configured: readonly KnownDifference[];
}

function renderRecorded({ known, configured }: Differences): string {
  const list = (each: readonly KnownDifference[], sort = ''): string =>
    each.map(({ reason, rows }) => `- ${sort}${reason} (${rows.map(row => `\`${row}\``).join(', ')})\n`).join('');
  return `
## Recorded answers that differ

${list(known, 'Deviation: ')}
## Recorded answers that take a flag

${list(configured)}`;
}

/** The document's text. */
function render(deviations: readonly Deviation[], differences: Differences): string {
  const byLayer = new Map<string, Deviation[]>();
  for (const deviation of deviations) {
    const layer = deviation.file.split('/')[1]!;
    byLayer.set(layer, [...(byLayer.get(layer) ?? []), deviation]);
  }
  const sections = [...byLayer]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([layer, list]) => {
      const rows = list.map(each => `- ${each.text} (\`${each.file}\`)`);
      return `## ${layer}\n\n${rows.join('\n')}\n`;
    });
  return `# Where Kobune differs from Kubernetes v1.36

Generated from the \`Deviation:\` lines of the sources by \`node hack/compatibility.ts\`; do not edit.

${sections.join('\n')}${renderRecorded(differences)}`;
}

const files = globSync('src/**/*.ts', { cwd: root }).sort();
if (files.length < 20) throw new Error(`saw only ${files.length} files`);
const differencesPath = join(root, 'test', 'oracle', 'differences.json');
const differences = JSON.parse(readFileSync(differencesPath, 'utf8')) as Differences;
const text = render(files.flatMap(deviationsOf), differences);
if (process.argv.includes('--check')) {
  if (!existsSync(documentPath) || readFileSync(documentPath, 'utf8') !== text) {
    console.error('docs/compatibility.md is out of date: node hack/compatibility.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(documentPath, text);
  console.log(`docs/compatibility.md: ${text.split('\n- ').length - 1} deviations`);
}
