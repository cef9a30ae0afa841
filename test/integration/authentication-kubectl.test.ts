/** `kubectl auth whoami` and `kubectl create token`, with real kubectls, as users use them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createClient, nodes, pods, secrets, serviceAccounts } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

const run = promisify(execFile);
const folder = '/usr/lib/google-cloud-sdk/bin';
const kubectls = ['kubectl.1.29', 'kubectl.1.33'].map(name => `${folder}/${name}`).filter(path => existsSync(path));

let server: TestApiServer;
let kubeconfig: string;
const uids = new Map<string, string>();
before(async () => {
  server = await startTestApiServer();
  kubeconfig = server.kubeconfig();
  const client = createClient(server.transport());
  await client
    .resource(serviceAccounts)
    .namespace('default')
    .create({ metadata: { name: 'bot' } });
  const pod = { metadata: { name: 'p' }, spec: { serviceAccountName: 'bot', containers: [{ name: 'c', image: 'i' }] } };
  const made = await Promise.all([
    client
      .resource(pods)
      .namespace('default')
      .create(pod as never),
    client
      .resource(secrets)
      .namespace('default')
      .create({ metadata: { name: 's' } }),
    client.resource(nodes).create({ metadata: { name: 'n' } } as never),
  ]);
  for (const { kind, metadata } of made) uids.set(kind ?? '', metadata.uid!);
});
after(() => server[Symbol.asyncDispose]());

type Claims = Readonly<Record<string, unknown>> & { readonly 'kubernetes.io': Readonly<Record<string, unknown>> };

const claimsOf = (token: string): Claims => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

describe('kubectl', { skip: kubectls.length === 0 && `no kubectl in ${folder}` }, () => {
  for (const path of kubectls) {
    const kubectl = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, HOME: '/nonexistent' };
      return (await run(path, ['--kubeconfig', kubeconfig, ...args], { env })).stdout.trim();
    };
    const failure = (...args: string[]): Promise<string> =>
      kubectl(...args).then(
        () => 'no failure',
        (error: { stderr: string }) => error.stderr.trim(),
      );
    const name = path.split('/').at(-1);

    test(`${name} auth whoami tells who one is, and as whom one acts`, async () => {
      const table = await kubectl('auth', 'whoami');
      assert.match(
        table,
        /^ATTRIBUTE +VALUE\nUsername +kubernetes-admin\nGroups +\[system:masters system:authenticated\]/,
      );
      assert.match(table, /Extra: authentication\.kubernetes\.io\/credential-id +\[X509SHA256=[0-9a-f]{64}\]/);
      const as = JSON.parse(await kubectl('auth', 'whoami', '-o', 'json', '--as=bob', '--as-group=g1', '--as-uid=u'));
      assert.deepEqual(as.status.userInfo, { username: 'bob', uid: 'u', groups: ['g1', 'system:authenticated'] });
    });

    test(`${name} create token gives one for whom, for what and for how long is said`, async () => {
      const plain = await kubectl('create', 'token', 'bot');
      assert.equal(claimsOf(plain)['sub'], 'system:serviceaccount:default:bot');
      assert.equal(
        await kubectl(
          '--token',
          plain,
          'auth',
          'whoami',
          '-o',
          'jsonpath={.status.userInfo.username}',
          ...noCertificate(),
        ),
        'system:serviceaccount:default:bot',
      );
      const args = ['--audience=vault', '--audience=other', '--duration=20m', '-n', 'default'];
      const other = claimsOf(await kubectl('create', 'token', 'bot', ...args));
      assert.deepEqual(other['aud'], ['vault', 'other']);
      assert.equal(Number(other['exp']) - Number(other['iat']), 1200);
      const request = JSON.parse(await kubectl('create', 'token', 'bot', '-o', 'json'));
      assert.equal(request.kind, 'TokenRequest');
      assert.equal(request.spec.expirationSeconds, 3600);
      assert.match(request.status.token, /^ey/);
    });

    test(`${name} create token binds it to an object`, async () => {
      const bound = async (kind: string, object: string, ...more: string[]): Promise<Claims['kubernetes.io']> =>
        claimsOf(
          await kubectl(
            'create',
            'token',
            'bot',
            `--bound-object-kind=${kind}`,
            `--bound-object-name=${object}`,
            ...more,
          ),
        )['kubernetes.io'];
      const uid = (kind: string): string => uids.get(kind)!;
      assert.deepEqual((await bound('Pod', 'p'))['pod'], { name: 'p', uid: uid('Pod') });
      const secret = await bound('Secret', 's', `--bound-object-uid=${uid('Secret')}`);
      assert.deepEqual(secret['secret'], { name: 's', uid: uid('Secret') });
      // Nodes came to kubectl in v1.31.
      if (name === 'kubectl.1.33')
        assert.deepEqual((await bound('Node', 'n'))['node'], { name: 'n', uid: uid('Node') });
      const wrong = ['--bound-object-kind=Secret', '--bound-object-name=s', '--bound-object-uid=other'];
      assert.match(
        await failure('create', 'token', 'bot', ...wrong),
        /the UID in the bound object reference \(other\) does not match/,
      );
    });

    test(`${name} create token says why not`, async () => {
      const tooShort = await failure('create', 'token', 'bot', '--duration=1m');
      assert.match(
        tooShort,
        /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes/,
      );
      const nobody = 'error: failed to create token: serviceaccounts "nobody" not found';
      assert.equal(await failure('create', 'token', 'nobody'), nobody);
    });
  }
});

/** The certificate of the kubeconfig would come first. */
function noCertificate(): string[] {
  return [
    '--client-certificate=',
    '--client-key=',
    '--user=',
    '--server',
    server.url,
    '--insecure-skip-tls-verify',
    '--kubeconfig=/dev/null',
  ];
}
