import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, PriorityLevelConfiguration } from '#api/types';
import { MetricsRegistry, SteppedClock, silentLogger } from '#base';
import { Configuration } from './configuration.ts';
import { type DefaultObject, flowSchemas, priorityLevels } from './defaults.ts';
import { FlowControlMetrics } from './metrics.ts';
import { estimateWork } from './work-estimate.ts';

const apiVersion = 'flowcontrol.apiserver.k8s.io/v1';
const named = <T>(kind: string, of: ReadonlyArray<DefaultObject<unknown>>): T[] =>
  of.map(({ name, spec }) => ({ apiVersion, kind, metadata: { name, uid: `uid-${name}` }, spec })) as T[];
const levels = named<PriorityLevelConfiguration>('PriorityLevelConfiguration', priorityLevels);
const schemas = named<FlowSchema>('FlowSchema', flowSchemas);

function configuration(): { configuration: Configuration; clock: SteppedClock } {
  const clock = new SteppedClock();
  const metrics = new FlowControlMetrics(new MetricsRegistry(), clock);
  return {
    configuration: new Configuration({ clock, logger: silentLogger, metrics, serverLimit: 600 }, () => {}),
    clock,
  };
}

const limits = (of: Configuration): Record<string, number> =>
  Object.fromEntries([...of.levels].map(([name, level]) => [name, level.currentLimit]));

describe('flow control configuration', () => {
  it('begins with the mandatory objects', () => {
    const { configuration: fresh } = configuration();
    assert.deepEqual([...fresh.levels.keys()].sort(), ['catch-all', 'exempt']);
    assert.deepEqual(
      fresh.schemas.map(each => each.name),
      ['exempt', 'catch-all'],
    );
  });

  it('divides the seats as upstream does', () => {
    const { configuration: fresh } = configuration();
    fresh.digest(levels, schemas);
    const nominal = Object.fromEntries([...fresh.levels].map(([name, level]) => [name, level.nominalLimit]));
    assert.deepEqual(nominal, {
      'catch-all': 13,
      exempt: 0,
      'global-default': 49,
      'leader-election': 25,
      'node-high': 98,
      system: 74,
      'workload-high': 98,
      'workload-low': 245,
    });
    assert.deepEqual(limits(fresh), {
      'catch-all': 30,
      exempt: 0,
      'global-default': 56,
      'leader-election': 58,
      'node-high': 170,
      system: 117,
      'workload-high': 114,
      'workload-low': 56,
    });
  });

  it('lends to the level with demand what others do not use, and takes it back', async () => {
    const { configuration: fresh, clock } = configuration();
    fresh.digest(levels, schemas);
    const busy = fresh.levels.get('workload-low')!;
    const schema = fresh.schemas.find(each => each.name === 'service-accounts')!;
    const digest = { info: { namespace: '' }, user: { name: 'u' } } as never;
    const work = { initialSeats: 1, finalSeats: 0, additionalLatencyMs: 0 };
    const tickets = Array.from({ length: 300 }, () => busy.queues.start({ flow: schema.flow(digest), work }));
    assert.equal(busy.queues.executing, 56);
    for (let period = 0; period < 3; period++) {
      await clock.advance(10_000);
      fresh.adjust();
    }
    assert.equal(busy.currentLimit > 245, true, String(busy.currentLimit));
    assert.equal(busy.queues.executing, Math.min(300, busy.currentLimit));
    for (const ticket of tickets) if (ticket) busy.queues.finish(ticket);
    for (let hour = 0; hour < 3; hour++) {
      for (let period = 0; period < 360; period++) {
        await clock.advance(10_000);
        fresh.adjust();
      }
    }
    assert.equal(busy.currentLimit < 100, true, String(busy.currentLimit));
  });

  it('says of each schema whether its level exists, once', () => {
    const { configuration: fresh } = configuration();
    const dangling: FlowSchema = {
      ...schemas[0]!,
      metadata: { name: 'lost' },
      spec: { ...schemas[0]!.spec, priorityLevelConfiguration: { name: 'none' } },
    };
    const conditions = fresh.digest(levels, [dangling]);
    assert.deepEqual(conditions, [
      {
        schema: 'lost',
        status: 'True',
        reason: 'NotFound',
        message:
          'This FlowSchema references the PriorityLevelConfiguration object named "none" but there is no such object',
      },
    ]);
    assert.equal(
      fresh.schemas.some(each => each.name === 'lost'),
      false,
    );
    const { schema: _schema, ...condition } = conditions[0]!;
    const status = { conditions: [{ type: 'Dangling', ...condition }] };
    assert.deepEqual(fresh.digest(levels, [{ ...dangling, status }]), []);
  });

  it('keeps a level that is gone until its requests have ended', () => {
    const { configuration: fresh } = configuration();
    fresh.digest(levels, schemas);
    const level = fresh.levels.get('system')!;
    const schema = fresh.schemas.find(each => each.name === 'system-nodes')!;
    const work = { initialSeats: 1, finalSeats: 0, additionalLatencyMs: 0 };
    const digest = { info: { namespace: '' }, user: { name: 'u' } } as never;
    const ticket = level.queues.start({ flow: schema.flow(digest), work })!;
    const without = levels.filter(each => each.metadata.name !== 'system');
    fresh.digest(without, schemas);
    assert.equal(fresh.levels.get('system')?.quiescing, true);
    level.queues.finish(ticket);
    fresh.digest(without, schemas);
    assert.equal(fresh.levels.has('system'), false);
  });
});

describe('work estimates', () => {
  const info = (verb: string, more: object = {}): never =>
    ({ verb, group: '', version: 'v1', resource: 'pods', subresource: '', namespace: '', name: '', ...more }) as never;
  const estimate = (of: never, text: string, watches = 0): readonly number[] => {
    const sources = { stats: () => ({ count: 10_000, averageBytes: 2000 }), watchCount: () => watches };
    const query = {
      pairs: text === '' ? [] : [...new URLSearchParams(text)],
      get: (name: string) => new URLSearchParams(text).get(name) ?? undefined,
    };
    const { initialSeats, finalSeats, additionalLatencyMs } = estimateWork(sources, of, query as never, 0, () => {});
    return [initialSeats, finalSeats, additionalLatencyMs];
  };

  it('of lists go by the bytes that are loaded', () => {
    assert.deepEqual(estimate(info('list'), ''), [10, 0, 0]);
    assert.deepEqual(estimate(info('list'), 'limit=50&resourceVersion=0'), [1, 0, 0]);
    assert.deepEqual(estimate(info('list'), 'limit=500'), [10, 0, 0]);
    assert.deepEqual(estimate(info('list'), 'limit=500&continue=x'), [10, 0, 0]);
    assert.deepEqual(estimate(info('list'), 'limit=500&continue=x&labelSelector=a'), [100, 0, 0]);
    assert.deepEqual(estimate(info('list', { name: 'one' }), 'fieldSelector=metadata.name=one'), [1, 0, 0]);
    assert.deepEqual(estimate(info('list'), 'limit=many'), [100, 0, 0]);
  });

  it('of watches count what they send at first', () => {
    assert.deepEqual(estimate(info('watch'), 'watch=1&resourceVersion=17'), [1, 0, 0]);
    assert.deepEqual(estimate(info('watch'), 'watch=1'), [10, 0, 0]);
    assert.deepEqual(estimate(info('watch'), 'watch=1&resourceVersion=17&sendInitialEvents=true'), [10, 0, 0]);
  });

  it('of writes go by the watches that they wake', () => {
    assert.deepEqual(estimate(info('create'), '', 9), [1, 0, 0]);
    assert.deepEqual(estimate(info('create'), '', 25), [1, 3, 5]);
    assert.deepEqual(estimate(info('patch'), '', 1000), [1, 10, 50]);
    assert.deepEqual(
      estimate(info('create', { resource: 'serviceaccounts', subresource: 'token' }), '', 1000),
      [1, 0, 0],
    );
    assert.deepEqual(estimate(info('get'), '', 1000), [1, 0, 0]);
  });
});
