import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GivenFlags } from './flag.ts';
import { flowControlFlags } from './flow-control.ts';
import { shutdownFlags } from './shutdown.ts';

const given = (...flags: ReadonlyArray<readonly [string, string]>): GivenFlags =>
  new GivenFlags(flags.map(([name, value]) => [name, [value]] as const));

describe('flags of limits and of the end', () => {
  it('are upstream’s defaults when nothing is said', () => {
    assert.deepEqual(flowControlFlags.settings(given()).apiServer.flowControl, {
      enabled: true,
      maxReads: 400,
      maxWrites: 200,
    });
    assert.deepEqual(shutdownFlags.settings(given()).apiServer, {
      shutdown: { delayMs: 0, watchGraceMs: 0, sendRetryAfter: false, goawayChance: 0 },
    });
  });

  it('are taken as they are given', () => {
    const { apiServer } = shutdownFlags.settings(
      given(
        ['request-timeout', '30s'],
        ['min-request-timeout', '60'],
        ['livez-grace-period', '10s'],
        ['shutdown-delay-duration', '5s'],
        ['shutdown-watch-termination-grace-period', '1m'],
        ['shutdown-send-retry-after', 'true'],
        ['goaway-chance', '0.001'],
      ),
    );
    assert.deepEqual(apiServer, {
      requestTimeoutMs: 30_000,
      minRequestTimeoutMs: 60_000,
      livezGraceMs: 10_000,
      shutdown: { delayMs: 5000, watchGraceMs: 60_000, sendRetryAfter: true, goawayChance: 0.001 },
    });
  });

  it('refuse what upstream refuses, in its words', () => {
    const refusals: ReadonlyArray<readonly [flag: string, value: string, message: string]> = [
      ['goaway-chance', '0.5', '--goaway-chance can not be less than 0 or greater than 0.02.'],
      ['request-timeout', '-1s', '--request-timeout can not be negative value.'],
      ['min-request-timeout', '-1', '--min-request-timeout can not be negative value.'],
      ['livez-grace-period', '-1s', '--livez-grace-period can not be a negative value.'],
      ['shutdown-delay-duration', '-1s', '--shutdown-delay-duration can not be negative value.'],
    ];
    for (const [flag, value, message] of refusals) {
      assert.throws(() => shutdownFlags.settings(given([flag, value])), { message });
    }
    const limits = (flag: string, value: string) => () => flowControlFlags.settings(given([flag, value]));
    assert.throws(limits('max-requests-inflight', '-1'), {
      message: '--max-requests-inflight can not be negative value.',
    });
    assert.throws(
      () => flowControlFlags.settings(given(['max-requests-inflight', '0'], ['max-mutating-requests-inflight', '0'])),
      { message: /MaxRequestsInFlight=0 and MaxMutatingRequestsInFlight=0; they must add up to something positive/ },
    );
  });
});
