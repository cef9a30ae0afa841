/**
 * Lists the pods behind every Service that has a selector, as EndpointSlices.
 * Upstream: pkg/controller/endpointslice/endpointslice_controller.go.
 */
import type { Pod, Service } from '#api/types';
import { isStatusError, objectKey, selectorFromSet } from '#apimachinery';
import { createController, endpointSlices, nodes, pods, services } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { controllerReference, isNamespaceTerminating } from '../pod-control.ts';
import { desiredGroups, managedBy, managedByLabel, reconcileSlices, serviceNameLabel, sliceLabels } from './slices.ts';

const byService = 'service';

import { createTriggerTimes, withTriggerTime } from './trigger-times.ts';

export const endpointSliceController: ControllerDefinition = {
  name: 'endpointslice-controller',
  serviceAccount: 'endpointslice-controller',
  setUp: context => setUpEndpointSlices(context),
};

/** Keys of the Services that select a pod with these labels. */
function servicesSelecting(all: Iterable<Service>, labels: Readonly<Record<string, string>>): string[] {
  const keys: string[] = [];
  for (const service of all) {
    const selector = Object.entries(service.spec.selector ?? {});
    if (selector.length > 0 && selector.every(([key, value]) => labels[key] === value)) keys.push(objectKey(service));
  }
  return keys;
}

/** Adds the keys of Services that a pod's change concerns. */
export function watchPods(context: ControllerContext, add: (key: string) => void): void {
  const serviceInformer = context.informers.informer(services);
  const changed = (pod: Pod): void => {
    for (const key of servicesSelecting(serviceInformer.list(pod.metadata.namespace), pod.metadata.labels ?? {}))
      add(key);
  };
  context.informers.informer(pods).addHandler({
    added: changed,
    updated(pod, old) {
      changed(pod);
      if (pod.metadata.labels !== old.metadata.labels) changed(old);
    },
    deleted: changed,
  });
}

function setUpEndpointSlices(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client } = context;
  const triggers = createTriggerTimes();
  const serviceInformer = context.informers.informer(services);
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  const sliceInformer = context.informers.informer(endpointSlices);
  sliceInformer.addIndex(byService, slice => {
    const { [serviceNameLabel]: name, [managedByLabel]: manager } = slice.metadata.labels ?? {};
    return name && manager === managedBy ? [`${slice.metadata.namespace}/${name}`] : [];
  });

  const controller = createController(context, {
    name: 'endpointslice',
    workers: 5,
    async reconcile(key) {
      const service = serviceInformer.get(key);
      // The slices of a Service that is gone are garbage, and collected as such.
      if (!service) triggers.forget(key);
      if (!service || service.metadata.deletionTimestamp || service.spec.type === 'ExternalName') return;
      if (Object.keys(service.spec.selector ?? {}).length === 0) return;
      const selector = selectorFromSet(service.spec.selector);
      const { namespace = '' } = service.metadata;
      const selected = [...podInformer.list(namespace)].filter(pod => selector.matches(pod.metadata.labels ?? {}));
      const desired = desiredGroups(service, selected, name => nodeInformer.get(name));
      const existing = [...sliceInformer.byIndex(byService, key)].filter(slice => !slice.metadata.deletionTimestamp);
      await write(service, reconcileSlices(service, existing, desired), triggers.next(service, selected));
    },
  });

  const write = async (
    service: Service,
    changes: ReturnType<typeof reconcileSlices>,
    changedAt: string | undefined,
  ): Promise<void> => {
    const { namespace = '', name = '' } = service.metadata;
    const slices = client.resource(endpointSlices).namespace(namespace);
    try {
      for (const slice of changes.create) {
        await slices.create({
          metadata: {
            generateName: `${name}-`,
            labels: sliceLabels(service),
            ...withTriggerTime(undefined, changedAt),
            ownerReferences: [controllerReference({ ...service, apiVersion: 'v1', kind: 'Service' })],
          },
          ...slice,
        });
      }
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
    for (const slice of changes.update) {
      const { annotations, ...metadata } = slice.metadata;
      await slices.update({ ...slice, metadata: { ...metadata, ...withTriggerTime(annotations, changedAt) } });
    }
    for (const slice of changes.remove) {
      await slices.delete(slice.metadata.name!).catch(error => {
        if (!isStatusError(error, 'NotFound')) throw error;
      });
    }
  };

  serviceInformer.addHandler({
    added: service => controller.queue.add(objectKey(service)),
    updated: service => controller.queue.add(objectKey(service)),
  });
  watchPods(context, controller.queue.add);
  const sliceChanged = (slice: {
    metadata: { namespace?: string; labels?: Readonly<Record<string, string>> };
  }): void => {
    const { [serviceNameLabel]: name, [managedByLabel]: manager } = slice.metadata.labels ?? {};
    if (name && manager === managedBy) controller.queue.add(`${slice.metadata.namespace}/${name}`);
  };
  sliceInformer.addHandler({ updated: sliceChanged, deleted: sliceChanged });
  return controller;
}
