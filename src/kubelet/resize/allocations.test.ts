import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import type { Pod } from '../api-objects.ts';
import { Allocations } from './allocations.ts';

function sized(cpu: string, restartPolicy = 'NotRequired'): Pod {
  const resources = { requests: { cpu }, limits: { cpu } };
  const resizePolicy = [{ resourceName: 'cpu', restartPolicy }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'sized', namespace: 'default', uid: 'u', generation: 2 },
    spec: { containers: [{ name: 'main', resources, resizePolicy }] },
  };
}

test('a resize is granted, given to the container, and over; or waits with a reason', () => {
  const events: string[] = [];
  const eventAbout = (_about: object, _type: string, reason: string): void => void events.push(reason);
  const recorder = { eventAbout, event: () => {} };
  const allocations = new Allocations({ clock: new SteppedClock(), recorder });
  const node = { allocatable: { cpu: '2' }, refuse: () => undefined };
  const running = new Set(['main']);
  const first = sized('100m');
  allocations.admit(first);
  allocations.actuate('u', first.spec.containers[0]!);
  assert.deepEqual(allocations.toUpdate(allocations.resolve(first, node), running), []);

  const larger = allocations.resolve(sized('200m'), node);
  assert.equal(allocations.conditions(larger)[0]?.type, 'PodResizeInProgress');
  const [update] = allocations.toUpdate(larger, running);
  assert.equal(update?.resources?.limits?.['cpu'], '200m');
  allocations.actuate('u', update!);
  allocations.finish(larger);
  assert.deepEqual(allocations.conditions(larger), []);

  const tooLarge = allocations.resolve(sized('500'), node);
  assert.equal(tooLarge.spec.containers[0]!.resources?.limits?.['cpu'], '200m');
  const [pending] = allocations.conditions(tooLarge);
  assert.deepEqual([pending?.type, pending?.reason], ['PodResizePending', 'Infeasible']);
  const full = { ...node, refuse: () => ({ reason: 'OutOfcpu', message: 'full' }) };
  allocations.resolve(sized('1'), full);
  assert.equal(allocations.conditions(first)[0]?.reason, 'Deferred');
  assert.deepEqual(events, ['ResizeStarted', 'ResizeCompleted', 'ResizeInfeasible', 'ResizeDeferred']);

  const restarting = sized('300m', 'RestartContainer');
  assert.equal(allocations.needsRestart('u', restarting.spec.containers[0]!), true);
  assert.equal(allocations.needsRestart('u', sized('300m').spec.containers[0]!), false);
});
