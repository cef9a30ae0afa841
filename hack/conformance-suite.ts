/**
 * Runs upstream's own conformance tests, one process a row, and writes what they say to test/conformance/upstream.tsv:
 *
 *     node hack/conformance-suite.ts --e2e PATH [--need a] [--only REGEX] [--jobs 2] [--kubeconfig FILE]
 *
 * `--e2e` names upstream's e2e.test binary of the version served. Without `--kubeconfig`, against a new
 * `kobune server --api-only` with one Node object that is ready, for the suite asks whether there is one.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { startServerProcess } from '../test/conformance/support/server-process.ts';
import { kubectls } from '../test/support/kobune.ts';

const folder = resolve(import.meta.dirname, '..', 'test', 'conformance');
const { values } = parseArgs({
  options: {
    e2e: { type: 'string' },
    need: { type: 'string', default: 'a' },
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '120' },
    kubeconfig: { type: 'string' },
  },
});
if (!values.e2e) throw new Error('--e2e PATH: the e2e.test binary of upstream');

const read = (file: string): string[][] =>
  readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.split('\t'));

/** Makes the one node that the suite wants to see. */
async function makeNode(kubeconfig: string): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const amounts = { cpu: '8', memory: '32Gi', pods: '110' };
  const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }];
  const body = { metadata: { name: 'node' }, status: { capacity: amounts, allocatable: amounts, conditions } };
  const node = await core.createNode({ body });
  await core.replaceNode({ name: 'node', body: { ...node, spec: {} } });
}

/** The row by its name; the suite puts tags such as [LinuxOnly] before the last that the table does not have. */
function focusOf(name: string): string {
  const plain = name.replace(/ \[Conformance\]$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `${plain}( \\[[^\\]]+\\])* \\[Conformance\\]$`;
}

/** Runs one row; answers `passed`, `failed` or `skipped`. */
function run(name: string, kubeconfig: string, logs: string): Promise<string> {
  const seconds = Number(values.timeout);
  const args = [
    '--provider=skeleton',
    `--kubeconfig=${kubeconfig}`,
    `--kubectl-path=${[...kubectls().values()].at(-1) ?? 'kubectl'}`,
    `--ginkgo.focus=${focusOf(name)}`,
    `--ginkgo.timeout=${seconds}s`,
    '--ginkgo.no-color',
    '--ginkgo.v',
    '--allowed-not-ready-nodes=-1',
    '--minStartupPods=-1',
    '--num-nodes=1',
  ];
  return new Promise((resolveRun, reject) => {
    const child = spawn(values.e2e!, args, { timeout: (seconds + 30) * 1000, killSignal: 'SIGKILL' });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text));
    child.once('error', reject);
    child.once('close', () => {
      writeFileSync(join(logs, `${name.replace(/\W+/g, '-').slice(0, 150)}.log`), output);
      const [, passed, failed] = /(\d+) Passed \| (\d+) Failed/.exec(output) ?? [];
      resolveRun(passed === '1' ? 'passed' : passed === '0' && failed === '0' ? 'skipped' : 'failed');
    });
  });
}

await using server = values.kubeconfig ? undefined : await startServerProcess();
const kubeconfig = values.kubeconfig ?? server!.kubeconfig;
if (server) await makeNode(kubeconfig);
const logs = join(tmpdir(), 'kobune-conformance-logs');
mkdirSync(logs, { recursive: true });
const pattern = new RegExp(values.only);
const wanted = read('rows.tsv').filter(([need = '', name = '']) => values.need.includes(need) && pattern.test(name));
const results = new Map(read('upstream.tsv').map(([result = '', name = '']) => [name, result]));
const queue = wanted.map(([, name = '']) => name);
const workers = Array.from({ length: Number(values.jobs) }, async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const result = await run(name, kubeconfig, logs);
    results.set(name, result);
    console.log(`${result}  ${name}`);
  }
});
await Promise.all(workers);
const lines = [...results].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, result]) => `${result}\t${name}`);
const header = "# What upstream's own suite has said of each row: written by hack/conformance-suite.ts.";
writeFileSync(join(folder, 'upstream.tsv'), `${[header, ...lines].join('\n')}\n`);
const failed = wanted.filter(([, name = '']) => results.get(name) === 'failed').length;
console.log(`${wanted.length} rows, ${failed} failed; logs in ${logs}`);
process.exitCode = failed > 0 ? 1 : 0;
