import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRuntimeConfig, leftOut, servedBy } from './api-enablement.ts';
import { checkFeatures, FeatureGates } from './feature-gates.ts';

describe('feature gates', () => {
  const refusals: ReadonlyArray<readonly [settings: Record<string, boolean>, message: RegExp]> = [
    [{ Nope: true }, /^unrecognized feature gate: Nope$/],
    [{ APIServerTracing: false }, /^cannot set feature gate APIServerTracing to false, feature is locked to true$/],
    [{ GenericWorkload: true }, /^cannot set feature gate GenericWorkload to true: this server has it as false only /],
    [
      { ClusterTrustBundleProjection: true },
      /^ClusterTrustBundleProjection is enabled, but depends on features that are disabled: \[ClusterTrustBundle\]$/,
    ],
  ];
  for (const [settings, message] of refusals)
    it(`refuse ${JSON.stringify(settings)}`, () => assert.throws(() => checkFeatures(settings), { message }));

  it('take what they are by default, and what can be switched', () => {
    const settings = { APIServerTracing: true, GenericWorkload: false, ClusterTrustBundle: true };
    const features = new FeatureGates(checkFeatures(settings));
    assert.equal(features.enabled('ClusterTrustBundle'), true);
    assert.equal(features.enabled('WatchList'), true);
    assert.equal(features.enabled('GenericWorkload'), false);
  });
});

describe('what is served', () => {
  const bundles = { ClusterTrustBundle: true };
  const served = (config: Record<string, string>, features: Record<string, boolean> = {}): string[] =>
    servedBy(config, new FeatureGates(features)).resources.map(
      each => `${each.group}/${each.version}/${each.resource}`,
    );
  const beta = 'certificates.k8s.io/v1beta1/clustertrustbundles';
  const alpha = 'certificates.k8s.io/v1alpha1/clustertrustbundles';

  it('is one constant while nothing is said', () => {
    assert.equal(servedBy({}, new FeatureGates()), servedBy({}, new FeatureGates(bundles)));
  });

  it('has a kind behind a feature only when both the feature and its version are on', () => {
    assert.equal(served({ 'certificates.k8s.io/v1beta1': 'true' }).includes(beta), false);
    assert.equal(served({}, bundles).includes(beta), false);
    assert.equal(served({ [beta]: '' }, bundles).includes(beta), true);
    assert.deepEqual(
      served({ 'api/beta': 'true' }, bundles).filter(each => each === beta || each === alpha),
      [beta],
    );
  });

  it('heeds the most particular word', () => {
    const config = { 'api/all': 'true', 'certificates.k8s.io/v1alpha1': 'false', 'apps/v1/daemonsets': 'false' };
    const all = served(config, bundles);
    assert.equal(all.includes(beta), true);
    assert.equal(all.includes(alpha), false);
    assert.equal(all.includes('apps/v1/daemonsets'), false);
    assert.equal(all.includes('apps/v1/deployments'), true);
  });

  it('has no group without a kind, and puts stabler versions first', () => {
    const { groups } = servedBy({ 'api/all': 'true', 'policy/v1': 'false' }, new FeatureGates(bundles));
    assert.equal(
      groups.find(({ name }) => name === 'policy'),
      undefined,
    );
    const { versions } = groups.find(({ name }) => name === 'certificates.k8s.io')!;
    assert.deepEqual(versions, ['v1', 'v1beta1', 'v1alpha1']);
  });

  it('says what a whole stage leaves out', () => {
    assert.deepEqual(leftOut({}), []);
    assert.deepEqual(leftOut({ 'api/beta': 'true' }).slice(0, 1), ['coordination.k8s.io/v1beta1/leasecandidates']);
  });

  const refusals: ReadonlyArray<readonly [config: Record<string, string>, message: RegExp]> = [
    [{ 'api/all': 'false' }, /^invalid runtime-config with only api\/all=false$/],
    [{ 'foo/v1': 'true' }, /^unknown api groups foo\/v1$/],
    [{ 'apps/v9': 'true' }, /^group version apps\/v9 that has not been registered$/],
    [{ 'apps/v1': 'x' }, /^invalid value of apps\/v1: x, err: strconv.ParseBool: parsing "x": invalid syntax$/],
    [
      { 'resource.k8s.io/v1beta1': 'true' },
      /^--runtime-config resource.k8s.io\/v1beta1: this server does not have it /,
    ],
  ];
  for (const [config, message] of refusals)
    it(`refuses ${JSON.stringify(config)}`, () => assert.throws(() => checkRuntimeConfig(config), { message }));
});
