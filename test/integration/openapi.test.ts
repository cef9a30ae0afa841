/**
 * OpenAPI against what the original was recorded to answer, and as real kubectl reads it from our server. Skipped, with
 * the reason, where the reference data or kubectl is absent.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openapiV2, openapiV3 } from '#api/openapi';
import { oracleRows, referenceFolder } from '../reference.ts';
import { startTestApiServer } from '../support/api-server.ts';

const run = promisify(execFile);

/** Texts that Kobune has in words of its own, or not at all. */
function withoutTexts(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === 'description' ? undefined : each)));
}

function pointer(value: unknown, path: string): unknown {
  let found = value;
  for (const part of path.split('/').slice(1)) found = (found as Record<string, unknown> | undefined)?.[part];
  return found;
}

test('recorded schemas', { skip: referenceFolder() ? false : 'no reference data beside the repository' }, () => {
  const documents = { 'discovery/openapi-v3-core': openapiV3('api/v1'), 'discovery/openapi-v2': openapiV2() };
  for (const [id, document] of Object.entries(documents)) {
    const row = oracleRows('discovery').find(each => each.id === id);
    for (const [at, value] of Object.entries(row!.steps[0]!.expect!.only!)) {
      assert.deepEqual(withoutTexts(pointer(document, at)), withoutTexts(value), at);
    }
  }
});

test('whoever keeps the index by its date sees a definition that was made within the same second', async () => {
  await using server = await startTestApiServer();
  const read = (headers: Record<string, string>) =>
    server.transport().request({ method: 'GET', path: '/openapi/v3', headers });
  const kept = (await read({})).headers['last-modified']!;
  const again = await read({ 'if-modified-since': kept });
  assert.equal(again.status, 200);
  assert.ok('paths' in ((await again.json()) as object));
});

/** `kubectl` and its versions beside it: `kubectl.1.27` …; none where it is not installed. */
async function kubectls(): Promise<string[]> {
  const found = await run('sh', ['-c', 'readlink -f "$(command -v kubectl)"']).catch(() => undefined);
  const main = found?.stdout.trim();
  if (!main) return [];
  const folder = dirname(main);
  const versions = readdirSync(folder).filter(name => /^kubectl\.1\.\d+$/.test(name));
  return [main, ...versions.map(name => join(folder, name))];
}

const programs = await kubectls();

test('kubectl explains kinds', { skip: programs.length > 0 ? false : 'no kubectl here' }, async t => {
  await using server = await startTestApiServer();
  const kubeconfig = server.kubeconfig();
  for (const program of programs) {
    await t.test(program, async () => {
      const explain = async (...args: string[]): Promise<string> => {
        const { stdout } = await run(program, ['--kubeconfig', kubeconfig, 'explain', ...args]);
        return stdout;
      };
      const strategy = await explain('deployment.spec.strategy.rollingUpdate');
      assert.match(strategy, /GROUP:\s+apps\n.*KIND:\s+Deployment/s);
      assert.match(strategy, /maxSurge\s+<IntOrString>/);
      const all = await explain('pod.spec.containers', '--recursive');
      assert.match(all, /livenessProbe\s+<Probe>/);
      assert.match(all, /containerPort\s+<integer> -required-/);
      await assert.rejects(explain('pod.spec.none'), /field "none" does not exist/);
    });
  }
});
