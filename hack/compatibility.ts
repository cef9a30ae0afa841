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

function renderKnown(known: readonly KnownDifference[]): string {
  if (known.length === 0) return '';
  const rows = known.map(
    ({ reason, rows: ids }) => `- Deviation: ${reason} (${ids.map(id => `\`${id}\``).join(', ')})`,
  );
  return `\n## Recorded answers that differ\n\n${rows.join('\n')}\n`;
}

/** The document's text. */
function render(deviations: readonly Deviation[], known: readonly KnownDifference[]): string {
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

${sections.join('\n')}${renderKnown(known)}`;
}

const files = globSync('src/**/*.ts', { cwd: root }).sort();
if (files.length < 20) throw new Error(`saw only ${files.length} files`);
const differencesPath = join(root, 'test', 'oracle', 'differences.json');
const { known } = JSON.parse(readFileSync(differencesPath, 'utf8')) as { known: readonly KnownDifference[] };
const text = render(files.flatMap(deviationsOf), known);
if (process.argv.includes('--check')) {
  if (!existsSync(documentPath) || readFileSync(documentPath, 'utf8') !== text) {
    console.error('docs/compatibility.md is out of date: node hack/compatibility.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(documentPath, text);
  console.log(`docs/compatibility.md: ${text.split('\n- ').length - 1} deviations`);
}
