/**
 * The older listing of the pods behind a Service: one Endpoints object of the Service's name.
 * Upstream: pkg/controller/endpoint/endpoints_controller.go.
 */
import type { Endpoints, Pod, Service } from '#api/types';
import { isStatusError, objectKey, selectorFromSet, semanticEqual, writeSorted } from '#apimachinery';
import { createController, endpoints, pods, services } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { watchPods } from '../endpoint-slice/endpoint-slice.ts';
import { targetPort } from '../endpoint-slice/slices.ts';
import { createTriggerTimes, withTriggerTime } from '../endpoint-slice/trigger-times.ts';
import { isNamespaceTerminating, isPodReady } from '../pod-control.ts';

const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const manager = 'endpoint-controller';
const headlessLabel = 'service.kubernetes.io/headless';
/** Addresses an object holds at most; more are cut and the object says so. */
const maxAddresses = 1000;

type Subset = NonNullable<Endpoints['subsets']>[number];

export const endpointsController: ControllerDefinition = {
  name: 'endpoints-controller',
  serviceAccount: 'endpoint-controller',
  setUp: context => setUpEndpoints(context),
};

/** The subsets that the pods behind a Service make: one a distinct set of ports, addresses in order. */
function endpointSubsets(service: Service, selected: readonly Pod[]): Subset[] {
  const groups = new Map<string, { ready: object[]; notReady: object[]; ports: object[] }>();
  for (const pod of selected) {
    const ip = pod.status?.podIP;
    if (!ip || pod.metadata.deletionTimestamp) continue;
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') continue;
    const ports = (service.spec.ports ?? []).flatMap(port => {
      const number = targetPort(pod, port);
      if (number === undefined) return [];
      return [
        {
          ...(port.name && { name: port.name }),
          port: number,
          protocol: port.protocol ?? 'TCP',
          ...(port.appProtocol && { appProtocol: port.appProtocol }),
        },
      ];
    });
    if (ports.length === 0 && (service.spec.ports?.length ?? 0) > 0) continue;
    const key = writeSorted(ports);
    const group = groups.get(key) ?? { ready: [], notReady: [], ports };
    groups.set(key, group);
    const { hostname, subdomain, nodeName } = pod.spec;
    const address = {
      ip,
      ...(hostname && subdomain === service.metadata.name && { hostname }),
      ...(nodeName && { nodeName }),
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace!, name: pod.metadata.name!, uid: pod.metadata.uid! },
    };
    const ready = service.spec.publishNotReadyAddresses || isPodReady(pod);
    (ready ? group.ready : group.notReady).push(address);
  }
  const byIp = (a: object, b: object): number => ((a as { ip: string }).ip < (b as { ip: string }).ip ? -1 : 1);
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ready, notReady, ports }]) => ({
      ...(ready.length > 0 && { addresses: ready.sort(byIp).slice(0, maxAddresses) }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byIp).slice(0, maxAddresses) }),
      ...(ports.length > 0 && { ports }),
    })) as Subset[];
}

function setUpEndpoints(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const triggers = createTriggerTimes();
  const serviceInformer = context.informers.informer(services);
  const podInformer = context.informers.informer(pods);
  const endpointsInformer = context.informers.informer(endpoints);
  const controller = createController(context, {
    name: 'endpoints',
    workers: 5,
    async reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const resource = context.client.resource(endpoints).namespace(namespace);
      const service = serviceInformer.get(key);
      const current = endpointsInformer.get(key);
      if (!service) {
        triggers.forget(key);
        if (current?.metadata.labels?.[managedByLabel] === manager) await ignoreMissing(resource.delete(name));
        return;
      }
      if (service.spec.type === 'ExternalName' || Object.keys(service.spec.selector ?? {}).length === 0) return;
      const selector = selectorFromSet(service.spec.selector);
      const selected = [...podInformer.list(namespace)].filter(pod => selector.matches(pod.metadata.labels ?? {}));
      const subsets = endpointSubsets(service, selected);
      const changedAt = triggers.next(service, selected);
      const labels = {
        ...service.metadata.labels,
        [managedByLabel]: manager,
        ...(service.spec.clusterIP === 'None' && { [headlessLabel]: '' }),
      };
      if (!current) {
        await resource
          .create({
            metadata: { name, labels, ...withTriggerTime(service.metadata.annotations, changedAt) },
            ...(subsets.length > 0 && { subsets }),
          })
          .catch(error => {
            if (!isNamespaceTerminating(error)) throw error;
          });
      } else if (
        !semanticEqual(current.subsets ?? [], subsets) ||
        !semanticEqual(current.metadata.labels ?? {}, labels)
      ) {
        const { annotations: _, ...metadata } = current.metadata;
        const trigger = withTriggerTime(service.metadata.annotations, changedAt);
        await resource.update({ ...current, metadata: { ...metadata, labels, ...trigger }, subsets } as Endpoints);
      }
    },
  });
  serviceInformer.addHandler({
    added: service => controller.queue.add(objectKey(service)),
    updated: service => controller.queue.add(objectKey(service)),
    deleted: service => controller.queue.add(objectKey(service)),
  });
  endpointsInformer.addHandler({ deleted: object => controller.queue.add(objectKey(object)) });
  watchPods(context, controller.queue.add);
  return controller;
}

async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  await work.catch(error => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}
