/**
 * What users ask kubectl about rights and certificates: `auth can-i`, `auth reconcile`, `auth whoami`, `create token`,
 * `certificate approve` and `deny`, with real kubectls against the API alone.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { promisedKubectls } from '../support/kobune.ts';
import { type Output, runCommand } from '../support/program.ts';

const versions = promisedKubectls().filter(([version]) => Number(version.split('.')[1]) >= 27);
const skip = versions.length === 0 && 'no kubectl of 1.27 or newer is installed';

describe('kubectl about rights', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-kubectl-'));
  let server: TestApiServer;
  let config: string;

  before(async () => {
    server = await startTestApiServer({ controllers: true });
    config = server.kubeconfig();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const kubectl = (path: string, ...args: string[]): Promise<Output> =>
    runCommand(path, ['--kubeconfig', config, '--cache-dir', join(directory, 'cache'), ...args], {});
  const file = (name: string, object: object): string => {
    const path = join(directory, name);
    writeFileSync(path, JSON.stringify(object));
    return path;
  };
  const role = (verbs: readonly string[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'reader', namespace: 'default' },
    rules: [{ apiGroups: [''], resources: ['pods', 'pods/log'], verbs }],
  });
  const binding = (name: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'reader', namespace: 'default' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
  });

  for (const [version, path] of versions) {
    it(`${version}: auth reconcile makes roles and adds to them, and can-i follows`, async () => {
      const reader = `jane-${version}`;
      const made = await kubectl(path, 'auth', 'reconcile', '-f', file('role.json', role(['get'])));
      assert.equal(made.code, 0, made.stderr);
      const bound = await kubectl(path, 'auth', 'reconcile', '-f', file('binding.json', binding(reader)));
      assert.match(bound.stdout, /rolebinding\.rbac\.authorization\.k8s\.io\/reader reconciled/);
      const can = (...args: string[]) => kubectl(path, 'auth', 'can-i', ...args, '--as', reader, '-n', 'default');
      await untilYes(() => can('get', 'pods'));
      assert.equal((await can('get', 'pods', '--subresource=log')).stdout, 'yes\n');
      const no = await can('delete', 'pods');
      assert.equal(no.stdout, 'no\n');
      assert.equal(no.code, 1);
      assert.equal((await can('get', '/metrics')).stdout, 'no\n');
      const more = await kubectl(path, 'auth', 'reconcile', '-f', file('role.json', role(['get', 'list'])));
      assert.match(more.stdout, /role\.rbac\.authorization\.k8s\.io\/reader reconciled/);
      await untilYes(() => can('list', 'pods'));
      const same = await kubectl(path, 'auth', 'reconcile', '-f', file('role.json', role(['get'])));
      assert.match(same.stdout, /role\.rbac\.authorization\.k8s\.io\/reader unchanged|reconciled/);
      assert.equal((await can('list', 'pods')).stdout, 'yes\n', 'reconciling takes nothing away');
    });

    it(`${version}: can-i --list shows what there is to show`, async () => {
      const as = ['--as', `jane-${version}`, '--as-group', 'system:authenticated', '-n', 'default'];
      const { code, stdout, stderr } = await kubectl(path, 'auth', 'can-i', '--list', ...as);
      assert.equal(code, 0, stderr);
      const rows = stdout.split('\n').map(line => line.replaceAll(/ {2,}/g, ' | '));
      assert.equal(rows[0], 'Resources | Non-Resource URLs | Resource Names | Verbs');
      assert.ok(
        rows.some(row => /^pods\/log \| \[\] \| \[\] \| \[get/.test(row)),
        stdout,
      );
      assert.ok(
        rows.some(row => row.startsWith('selfsubjectreviews.authentication.k8s.io')),
        stdout,
      );
      assert.match(stdout, /\[\/healthz\] +\[\] +\[get\]/);
    });

    it(`${version}: can-i --list of a node says that there may be more`, async () => {
      const as = ['--as', 'system:node:a', '--as-group', 'system:nodes'];
      const { stderr } = await kubectl(path, 'auth', 'can-i', '--list', ...as);
      assert.match(
        stderr,
        /[Ww]arning: the list may be incomplete: node authorizer does not support user rule resolution/,
      );
    });

    // Before 1.28 it asks for a version of SelfSubjectReview that is gone.
    const tooOld = Number(version.split('.')[1]) < 28 && 'whoami asks for authentication.k8s.io/v1beta1';
    it(`${version}: whoami, and create token as whom it makes one`, { skip: tooOld }, async () => {
      const { stdout } = await kubectl(path, 'auth', 'whoami', '-o', 'json');
      const { userInfo } = (JSON.parse(stdout) as { status: { userInfo: { username: string; groups: string[] } } })
        .status;
      assert.equal(userInfo.username, 'kubernetes-admin');
      assert.deepEqual(userInfo.groups, ['system:masters', 'system:authenticated']);
      const made = await kubectl(path, 'create', 'token', 'default', '--duration', '10m', '-n', 'default');
      assert.equal(made.code, 0, made.stderr);
      const bearer = writeKubeconfig(version, made.stdout.trim());
      const asked = await runCommand(path, ['--kubeconfig', bearer, 'auth', 'whoami', '-o', 'json'], {});
      assert.equal(asked.code, 0, asked.stderr);
      assert.equal(JSON.parse(asked.stdout).status.userInfo.username, 'system:serviceaccount:default:default');
    });

    it(`${version}: certificate approve and deny`, async () => {
      for (const verb of ['approve', 'deny'] as const) {
        const name = `${verb}-${version}`;
        const spec = { request: await requestPem(), signerName: 'example.com/any', usages: ['client auth'] };
        const request = {
          apiVersion: 'certificates.k8s.io/v1',
          kind: 'CertificateSigningRequest',
          metadata: { name },
          spec,
        };
        assert.equal((await kubectl(path, 'create', '-f', file('csr.json', request))).code, 0);
        const done = await kubectl(path, 'certificate', verb, name);
        const what = verb === 'approve' ? 'approved' : 'denied';
        assert.equal(done.stdout, `certificatesigningrequest.certificates.k8s.io/${name} ${what}\n`, done.stderr);
        const shown = await kubectl(path, 'get', 'csr', name, '--no-headers');
        assert.match(shown.stdout, verb === 'approve' ? /Approved/ : /Denied/);
        const other = verb === 'approve' ? 'deny' : 'approve';
        assert.notEqual((await kubectl(path, 'certificate', other, name)).code, 0, 'what is decided stays');
      }
    });
  }

  function writeKubeconfig(version: string, token: string): string {
    const cluster = { server: server.url, 'insecure-skip-tls-verify': true };
    return file(`token-${version}.json`, {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    });
  }
});

/** Authorizers follow the store by a watch. */
async function untilYes(ask: () => Promise<Output>): Promise<void> {
  let last: Output | undefined;
  for (let tries = 0; tries < 20; tries++) {
    last = await ask();
    if (last.stdout === 'yes\n') return;
  }
  assert.fail(`never allowed: ${last?.stdout}${last?.stderr}`);
}

async function requestPem(): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=somebody',
    keys: keys as never,
    signingAlgorithm: algorithm,
  });
  return Buffer.from(request.toString('pem')).toString('base64');
}
