import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { MetricsRegistry, SteppedClock, silentLogger } from '#base';
import type { TokenClaims } from '#pki';
import type { Lookup } from '../../admission/lookup.ts';
import { boundTokens } from './bound.ts';
import { legacyTokens } from './legacy.ts';
import { ServiceAccountMetrics } from './metrics.ts';

function lookupOf(objects: Readonly<Record<string, Partial<KubeObject['metadata']>>>): Lookup {
  return {
    async get(_group, resource, namespace, name) {
      const metadata = objects[`${resource}/${namespace}/${name}`];
      return metadata && ({ apiVersion: 'v1', kind: '', metadata: { name, ...metadata } } as KubeObject);
    },
    list: async () => [],
  };
}

const account = { 'serviceaccounts/ns/bot': { uid: 'u1' } };
const own = { namespace: 'ns', serviceaccount: { name: 'bot', uid: 'u1' } };

describe('bound tokens', () => {
  const clock = new SteppedClock();
  const now = Math.floor(clock.now() / 1000);
  const registry = new MetricsRegistry();
  const metrics = new ServiceAccountMetrics(registry);
  const check = async (claims: TokenClaims, objects: object = {}): Promise<string> => {
    const validate = boundTokens({ lookup: lookupOf({ ...account, ...objects }), clock, metrics });
    const all = { sub: 'system:serviceaccount:ns:bot', 'kubernetes.io': own, ...claims };
    return validate(all, '', {}).then(
      found => found.name,
      (error: Error) => error.message,
    );
  };

  it('hold in their time, give or take a minute', async () => {
    const good = 'system:serviceaccount:ns:bot';
    assert.equal(await check({ exp: now - 59, nbf: now + 59, iat: now + 59 }), good);
    assert.equal(await check({ exp: now - 61 }), 'service account token has expired');
    assert.equal(await check({ nbf: now + 61 }), 'service account token is not valid yet');
    assert.equal(await check({ iat: now + 61 }), 'service account token is issued in the future');
    assert.match(await check({ exp: 'soon' }), /expected number value to unmarshal NumericDate/);
  });

  it('outlive what they are bound to by a minute', async () => {
    const gone = (seconds: number) => ({
      uid: 'p1',
      deletionTimestamp: new Date((now - seconds) * 1000).toISOString(),
    });
    const bound = { 'kubernetes.io': { ...own, pod: { name: 'p', uid: 'p1' } } };
    assert.equal(await check(bound, { 'pods/ns/p': gone(50) }), 'system:serviceaccount:ns:bot');
    assert.equal(await check(bound, { 'pods/ns/p': gone(70) }), 'service account token has been invalidated');
    assert.equal(await check(bound), 'service account token has been invalidated');
    const other = 'pod UID (p2) does not match service account pod ref claim (p1)';
    assert.equal(await check(bound, { 'pods/ns/p': { uid: 'p2' } }), other);
    const node = { 'kubernetes.io': { ...own, node: { name: 'n', uid: 'n1' } } };
    assert.equal(await check(node, { 'nodes//n': { uid: 'n1' } }), 'system:serviceaccount:ns:bot');
    const otherNode = 'node UID (n2) does not match service account node ref claim (n1)';
    assert.equal(await check(node, { 'nodes//n': { uid: 'n2' } }), otherNode);
    const both = { 'kubernetes.io': { ...own, pod: { name: 'p', uid: 'p1' }, node: { name: 'n', uid: 'n1' } } };
    assert.equal(await check(both, { 'pods/ns/p': { uid: 'p1' } }), 'system:serviceaccount:ns:bot', 'the pod counts');
  });

  it('are counted as stale when their bearer should have asked for another', async () => {
    await check({ 'kubernetes.io': { ...own, warnafter: now + 10 } });
    await check({ 'kubernetes.io': { ...own, warnafter: now - 10 } });
    const text = registry.render();
    assert.match(text, /^serviceaccount_valid_tokens_total 1$/m);
    assert.match(text, /^serviceaccount_stale_tokens_total 1$/m);
  });

  it('without the claims of one are nobody’s', async () => {
    for (const claim of [undefined, null, {}, 'x', { namespace: 'ns' }]) {
      assert.match(await check({ 'kubernetes.io': claim }), /^serviceaccounts "" not found$/);
    }
  });
});

describe('tokens in Secrets', () => {
  const prefix = 'kubernetes.io/serviceaccount/';
  const claims = {
    sub: 'system:serviceaccount:ns:bot',
    [`${prefix}namespace`]: 'ns',
    [`${prefix}secret.name`]: 's',
    [`${prefix}service-account.name`]: 'bot',
    [`${prefix}service-account.uid`]: 'u1',
  };

  it('that are not held against the Secret need whole claims alone', async () => {
    const metrics = new ServiceAccountMetrics(new MetricsRegistry());
    const labelSecret = (): Promise<void> => Promise.reject(new Error('nothing is to be written'));
    const deps = { lookup: undefined, clock: new SteppedClock(), logger: silentLogger, metrics, labelSecret };
    const validate = legacyTokens(deps);
    const check = (all: TokenClaims): Promise<string> =>
      validate(all, '', {}).then(
        found => found.name,
        (error: Error) => error.message,
      );
    assert.equal(await check(claims), 'system:serviceaccount:ns:bot');
    assert.equal(await check({ ...claims, sub: '' }), 'sub claim is missing');
    assert.equal(await check({ ...claims, sub: 'system:serviceaccount:ns:other' }), 'sub claim is invalid');
    const missing = { namespace: 'namespace', 'secret.name': 'secretName', 'service-account.uid': 'serviceAccountUID' };
    for (const [name, told] of Object.entries(missing)) {
      assert.equal(await check({ ...claims, [prefix + name]: undefined }), `${told} claim is missing`);
    }
  });
});
