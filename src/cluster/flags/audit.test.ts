import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { auditFlags } from './audit.ts';
import { GivenFlags } from './flag.ts';

const folder = mkdtempSync(join(tmpdir(), 'kobune-audit-flags-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const policy = join(folder, 'policy.yaml');
writeFileSync(policy, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n');

function settings(flags: Readonly<Record<string, string>>) {
  return auditFlags.settings(new GivenFlags(Object.entries(flags).map(([name, value]) => [`audit-${name}`, [value]])));
}

test('without flags there is nothing to set', () => {
  assert.deepEqual(settings({}), { apiServer: {} });
});

test('a log and a webhook have the defaults of upstream', () => {
  const { audit } = settings({ 'policy-file': policy, 'log-path': '/l', 'webhook-config-file': '/w' }).apiServer;
  assert.deepEqual(audit!.policy!.rules, [{ level: 'Metadata' }]);
  const truncate = { enabled: false, maxBatchSizeBytes: 10_485_760, maxEventSizeBytes: 102_400 };
  assert.deepEqual(audit!.log, {
    mode: 'blocking',
    batch: { bufferSize: 10_000, maxBatchSize: 1, maxBatchWaitMs: 0, throttle: undefined, isAsync: false },
    truncate,
    version: 'audit.k8s.io/v1',
    format: 'json',
    maxAgeDays: 366,
    maxBackups: 100,
    maxSizeMb: 100,
    compress: false,
    path: '/l',
  });
  assert.deepEqual(audit!.webhook, {
    mode: 'batch',
    batch: {
      bufferSize: 10_000,
      maxBatchSize: 400,
      maxBatchWaitMs: 30_000,
      throttle: { qps: 10, burst: 15 },
      isAsync: true,
    },
    truncate,
    version: 'audit.k8s.io/v1',
    initialBackoffMs: 10_000,
    configFile: '/w',
  });
});

test('each flag reaches its setting', () => {
  const { audit } = settings({
    'log-path': '-',
    'log-mode': 'batch',
    'log-maxsize': '2000000000',
    'log-compress': 'true',
    'log-batch-throttle-enable': 'true',
    'log-batch-throttle-qps': '0.5',
    'log-batch-throttle-burst': '2',
    'log-batch-max-wait': '1m',
    'log-truncate-enabled': 'true',
    'log-truncate-max-event-size': '2000',
    'webhook-config-file': '/w',
    'webhook-batch-initial-backoff': '2s',
    'webhook-batch-throttle-enable': 'false',
  }).apiServer;
  const { log, webhook } = audit!;
  assert.deepEqual([log!.path, log!.mode, log!.maxSizeMb, log!.compress], ['-', 'batch', 2_000_000_000, true]);
  assert.deepEqual(log!.batch.throttle, { qps: 0.5, burst: 2 });
  assert.deepEqual([log!.batch.maxBatchWaitMs, log!.truncate.enabled], [60_000, true]);
  assert.equal(log!.truncate.maxEventSizeBytes, 2000);
  assert.deepEqual([webhook!.initialBackoffMs, webhook!.batch.throttle], [2000, undefined]);
});

test('what is wrong is refused in the words of upstream', () => {
  const log = { 'log-path': '/l' };
  const table: ReadonlyArray<readonly [Readonly<Record<string, string>>, string]> = [
    [
      { ...log, 'log-mode': 'x', 'log-format': 'y', 'log-maxage': '-1', 'log-version': 'audit.k8s.io/v1beta1' },
      '[invalid audit log mode x, allowed modes are "batch,blocking,blocking-strict", invalid group version, allowed versions are ["audit.k8s.io/v1"], invalid audit log format y, allowed formats are "legacy,json", --audit-log-maxage -1 can\'t be a negative number]',
    ],
    [
      { ...log, 'log-mode': 'batch', 'log-batch-throttle-enable': 'true' },
      'invalid audit batch log throttle QPS 0, must be a positive number',
    ],
    [
      { ...log, 'log-mode': 'batch', 'log-batch-buffer-size': '0' },
      'invalid audit batch log buffer size 0, must be a positive number',
    ],
    [
      { 'webhook-config-file': '/w', 'webhook-truncate-max-batch-size': '1' },
      'invalid audit truncate webhook max batch size 1, must be greater than max event size (102400)',
    ],
    [
      { 'log-maxage': 'x' },
      'invalid argument "x" for "--audit-log-maxage" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      { 'policy-file': '/nowhere' },
      'loading audit policy file: failed to read file path "/nowhere": open /nowhere: no such file or directory',
    ],
  ];
  for (const [flags, message] of table) assert.throws(() => settings(flags), { message });
  assert.deepEqual(settings({ 'log-mode': 'x' }), { apiServer: {} }, 'what is not used is not looked at');
});
