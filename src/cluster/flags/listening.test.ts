import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GivenFlags } from './flag.ts';
import { serverSettings } from './flags.ts';

const settings = (...flags: Array<readonly [name: string, ...values: string[]]>) =>
  serverSettings(new GivenFlags(flags.map(([name, ...values]) => [name, values] as const)));

describe('flags of where the API listens', () => {
  it('are taken as they are given', () => {
    const { listening, apiServer } = settings(
      ['secure-port', '7443'],
      ['bind-address', '0.0.0.0'],
      ['advertise-address', '10.1.2.3'],
      ['disable-http2-serving', 'true'],
      ['http2-max-streams-per-connection', '250'],
      ['cors-allowed-origins', '^https://a\\.example$,//b\\.example(:|$)'],
      ['strict-transport-security-directives', 'max-age=31536000,includeSubDomains'],
    );
    assert.deepEqual(listening, {
      port: 7443,
      address: '0.0.0.0',
      advertiseAddress: '10.1.2.3',
      listener: { maxConcurrentStreams: 250, http1Only: true },
    });
    assert.deepEqual(apiServer.corsAllowedOrigins, ['^https://a\\.example$', '//b\\.example(:|$)']);
    assert.deepEqual(apiServer.hstsDirectives, ['max-age=31536000', 'includeSubDomains']);
  });

  const refusals: ReadonlyArray<readonly [flag: string, value: string, expected: RegExp]> = [
    ['secure-port', '0', /^--secure-port 0 must be between 1 and 65535, inclusive. It cannot be turned off with 0$/],
    ['bind-address', 'here', /^invalid argument "here" for "--bind-address" flag: failed to parse IP: "here"$/],
    ['cors-allowed-origins', 'example.com', /does not pin to start\/end of host in the origin header, help: /],
    ['cors-allowed-origins', '^(a$', /^--cors-allowed-origins has an invalid regular expression: error parsing regexp/],
    ['strict-transport-security-directives', 'max-age', /^--strict-transport-security-directives invalid, allowed/],
    ['service-node-port-range', '9-1', /flag: end port cannot be less than start port: 9-1$/],
    ['service-node-port-range', '1-70000', /flag: the port range cannot be greater than 65535: 1-70000$/],
    ['service-node-port-range', '1-2+3', /flag: unable to parse port range: 1-2\+3$/],
    ['kubernetes-service-node-port', '80', /^kubernetes service node port range 30000-32767 doesn't contain 80$/],
    ['endpoint-reconciler-type', 'some', /^Reconciler not implemented: some$/],
    ['apiserver-count', '0', /^--apiserver-count should be a positive number, but value '0' provided$/],
  ];
  for (const [flag, value, expected] of refusals)
    it(`refuse --${flag}=${value} in upstream’s words`, () =>
      assert.throws(() => settings([flag, value]), { message: expected }));

  it('read ranges of ports as upstream does', () => {
    assert.deepEqual(settings(['service-node-port-range', '30000+10']).apiServer.nodePortRange, [30000, 30010]);
    assert.deepEqual(settings(['service-node-port-range', '30000']).apiServer.nodePortRange, [30000, 30000]);
  });
});
