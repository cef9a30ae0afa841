import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GivenFlags } from './flag.ts';
import { serverSettings } from './flags.ts';

const settings = (...flags: Array<readonly [name: string, value: string]>) =>
  serverSettings(new GivenFlags(flags.map(([name, value]) => [name, [value]] as const)));

describe('flags without effect', () => {
  it('are said to have none, and only when they ask for something', () => {
    assert.deepEqual(settings(['watch-cache-sizes', 'pods#100'], ['watch-cache', 'true']).remarks, [
      '--watch-cache-sizes changes nothing here: what a watch can go back to is bounded by bytes',
    ]);
    assert.equal(settings(['contention-profiling', 'false']).remarks, undefined);
  });

  const refusals: ReadonlyArray<readonly [flag: string, value: string, message: RegExp]> = [
    ['watch-cache', 'false', /^--watch-cache cannot be honoured: .* \(docs\/security.md, Flags without effect\).$/],
    ['watch-cache-sizes', 'x', /^invalid value of watch cache size: x$/],
    ['watch-cache-sizes', 'pods#-1', /^watch cache size cannot be negative: pods#-1$/],
    ['etcd-servers-overrides', 'x', /^--etcd-servers-overrides invalid, must be of format: group\/resource#servers, /],
    ['log-json-split-stream', 'true', /^options.json.splitStream: Forbidden: Feature LoggingAlphaOptions is disabled$/],
    ['coordinated-leadership-lease-duration', '1s', /^--coordinated-leadership-lease-duration must be greater than /],
    ['storage-initialization-timeout', '-1s', /^--storage-initialization-timeout can not be negative value$/],
    ['vmodule', 'x', /^invalid argument "x" for "--vmodule" flag: "x" does not have the pattern=N format$/],
    ['logging-format', 'xml', /^format: Invalid value: "xml": Unsupported log format$/],
    ['v', 'x', /^invalid argument "x" for "-v, --v" flag: strconv.ParseUint: parsing "x": invalid syntax$/],
    ['allow-metric-labels', 'foo', /flag: foo must be formatted as key=value$/],
    ['tls-curve-preferences', '29,29', /^duplicate curve preference 29$/],
    ['tls-curve-preferences', '1', /^curve preference 1 is not supported by the current Go version$/],
    ['admission-control', 'Foo', /^admission-control plugin "Foo" is unknown$/],
    ['emulated-version', '1.20', /^emulation version 1.20 is not between \[1.33, 1.36.0\]$/],
    ['feature-gates', 'foo', /^missing bool value for foo$/],
    [
      'feature-gates',
      'AllAlpha=x',
      /^invalid value of AllAlpha=x, err: strconv.ParseBool: parsing "x": invalid syntax$/,
    ],
  ];
  for (const [flag, value, message] of refusals)
    it(`refuse --${flag}=${value}`, () => assert.throws(() => settings([flag, value]), { message }));

  it('of admission in its older form name exactly the plugins that are on', () => {
    const { apiServer } = settings(['admission-control', 'NamespaceLifecycle,AlwaysAdmit']);
    assert.deepEqual(apiServer.enableAdmissionPlugins, ['AlwaysAdmit']);
    assert.equal(apiServer.disableAdmissionPlugins?.includes('NamespaceLifecycle'), false);
    assert.equal(apiServer.disableAdmissionPlugins?.includes('ResourceQuota'), true);
  });
});
