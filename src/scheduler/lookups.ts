/** Answers plugins' questions from informers. Upstream: plugins/helper/spread.go, util/utils.go. */
import type { Pod } from '#api/types';
import {
  controllerOf,
  type LabelSelector,
  LabelsSelector,
  labelSelectorAsSelector,
  selectorFromSet,
} from '#apimachinery';
import { type InformerFactory, namespaces, replicaSets, replicationControllers, services, statefulSets } from '#client';
import type { Lookups } from './framework.ts';

/** Registers its informers with `informers`, which the caller starts. */
export function createLookups(informers: InformerFactory): Lookups {
  const namespaceInformer = informers.informer(namespaces);
  const serviceInformer = informers.informer(services);
  const sets = {
    ReplicaSet: informers.informer(replicaSets),
    StatefulSet: informers.informer(statefulSets),
  };
  const controllers = informers.informer(replicationControllers);

  const ownerSelector = (pod: Pod): LabelsSelector | undefined => {
    const owner = controllerOf(pod);
    if (!owner) return undefined;
    const key = `${pod.metadata.namespace}/${owner.name}`;
    if (owner.kind === 'ReplicaSet' || owner.kind === 'StatefulSet') {
      const selector = sets[owner.kind].get(key)?.spec.selector as LabelSelector | undefined;
      return selector && labelSelectorAsSelector(selector);
    }
    if (owner.kind !== 'ReplicationController') return undefined;
    const selector = controllers.get(key)?.spec.selector;
    return selector && selectorFromSet(selector);
  };
  return {
    namespaceLabels: name => namespaceInformer.get(name)?.metadata.labels ?? {},
    siblingSelector(pod) {
      let all = LabelsSelector.everything;
      for (const service of serviceInformer.list(pod.metadata.namespace)) {
        const selector = selectorFromSet(service.spec.selector);
        if (!selector.isEmpty && selector.matches(pod.metadata.labels)) all = all.and(...selector.requirements);
      }
      const owner = ownerSelector(pod);
      if (owner) all = all.and(...owner.requirements);
      return all.isEmpty ? undefined : all;
    },
  };
}
