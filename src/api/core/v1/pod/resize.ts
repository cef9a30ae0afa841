/**
 * Writes to a Pod's `/resize`: requests and limits of CPU and memory, and resize policies. Upstream:
 * pkg/registry/core/pod/strategy.go (podResizeStrategy), pkg/apis/core/validation (ValidatePodResize).
 */
import { type Draft, type FieldError, FieldPath, forbiddenField, invalidValue, semanticEqual } from '#apimachinery';
import type { SubresourceRules } from '../../../kind.ts';
import { keepField, keepMetadata } from '../../../strategies.ts';
import type { Container, Pod, PodSpec } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { internalEqual } from '../../../validation/internal-value.ts';
import { mirrorAnnotation } from '../../../validation/pod-templates.ts';
import { checkPod } from '../../../validation/pods.ts';
import { podQos, qosClass } from '../../helpers.ts';
import { dropDisabledPodFields } from './prepare.ts';

type Resources = NonNullable<PodSpec['resources']>;
type Amounts = Readonly<Record<string, string>> | undefined;

const specPath = FieldPath.of('spec');
const lists = ['containers', 'initContainers'] as const;

/** A refusal of the whole: upstream's path is one empty name, which prints so. */
const refusal = (text: string): FieldError => ({ ...forbiddenField(FieldPath.root, text), field: '[]' });

/** The old containers with the new resources; the new ones as they are when they were renamed or reordered. */
function withResources(now: readonly Container[] = [], old: readonly Container[] = []): readonly Container[] {
  if (now.some((container, i) => container.name !== old[i]?.name)) return now;
  return old.map((container, i) => {
    const { resources: _r, resizePolicy: _p, ...rest } = container;
    const { resources, resizePolicy } = now[i]!;
    return { ...rest, ...(resources && { resources }), ...(resizePolicy && { resizePolicy }) };
  });
}

function prepare(draft: Draft<Pod>, old: Pod): void {
  const now = draft.spec as PodSpec;
  if (lists.some(list => (now[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0))) return;
  const { resources: _, ...rest } = old.spec;
  const spec = structuredClone({ ...rest, ...(now.resources && { resources: now.resources }) }) as Draft<PodSpec>;
  for (const list of lists) {
    if (now[list]) spec[list] = structuredClone(withResources(now[list], old.spec[list])) as Draft<Container>[];
  }
  draft.spec = spec;
  keepField(draft, old, 'status');
  keepMetadata(draft, old);
  dropDisabledPodFields(draft.spec, old.spec);
}

/** Whether the node that runs the pod knows of resizing, as far as the status of its containers shows it. */
function nodeResizes(pod: Pod): boolean {
  const running = pod.status?.containerStatuses?.find(each => each.state?.running);
  return running === undefined || running.resources !== undefined;
}

const isSet = (resources: Resources | undefined): boolean =>
  Object.keys(resources?.requests ?? {}).length + Object.keys(resources?.limits ?? {}).length > 0;

function isRemoved(now: Amounts = {}, old: Amounts = {}): boolean {
  return Object.keys(old).some(name => now[name] === undefined);
}

/** CPU and memory set back to what they were; the rest must be the same. */
function withOldAmounts(now: Amounts, old: Amounts): Amounts {
  if (!now && !old) return undefined;
  const { cpu: _c, memory: _m, ...rest } = now ?? {};
  const kept = ['cpu', 'memory'].filter(name => old?.[name] !== undefined).map(name => [name, old![name]!] as const);
  return { ...rest, ...Object.fromEntries(kept) };
}

const orNone = (amounts: Amounts): Amounts => (Object.keys(amounts ?? {}).length === 0 ? undefined : amounts);

function withOldResources(now: Resources | undefined, old: Resources | undefined): object {
  const limits = orNone(withOldAmounts(now?.limits, old?.limits));
  const requests = orNone(withOldAmounts(now?.requests, old?.requests));
  return { ...(limits && { limits }), ...(requests && { requests }) };
}

function checkPodLevel(errors: Errors, now: Resources | undefined, old: Resources | undefined): void {
  if (!isSet(now) && !isSet(old)) return;
  const path = specPath.child('resources');
  if (old && !now) {
    errors.push(forbiddenField(path, 'pod-level resources cannot be removed'));
    return;
  }
  for (const list of ['requests', 'limits'] as const) {
    if (!isRemoved(now?.[list], old?.[list])) continue;
    errors.push(forbiddenField(path.child(list), `pod-level resource ${list} cannot be removed`));
  }
  const claims = (each: Resources | undefined): unknown => each?.claims ?? [];
  const same = semanticEqual(withOldResources(now, old), withOldResources(old, old));
  if (same && semanticEqual(claims(now), claims(old))) return;
  errors.push(forbiddenField(specPath, 'only cpu and memory resources are mutable at pod-level'));
}

/** Answers false when there are other containers than before, which ends the validation. */
function checkOrder(errors: Errors, now: PodSpec, old: PodSpec): boolean {
  const before = errors.length;
  for (const list of lists) {
    const path = specPath.child(list);
    const [has, had] = [now[list] ?? [], old[list] ?? []];
    if (has.length !== had.length) {
      errors.push(forbiddenField(path, `${list} may not be added or removed on resize`));
      continue;
    }
    had.forEach(({ name }, i) => {
      if (has[i]!.name === name) return;
      errors.push(forbiddenField(path.index(i).child('name'), `${list} may not be renamed or reordered on resize`));
    });
  }
  return errors.length === before;
}

function checkRemoved(errors: Errors, now: PodSpec, old: PodSpec): void {
  for (const list of ['initContainers', 'containers'] as const) {
    (old[list] ?? []).forEach((before, i) => {
      const path = specPath.child(list).index(i).child('resources');
      for (const kind of ['requests', 'limits'] as const) {
        if (!isRemoved(now[list]![i]!.resources?.[kind], before.resources?.[kind])) continue;
        errors.push(forbiddenField(path.child(kind), `resource ${kind} cannot be removed`));
      }
    });
  }
}

/** Whether nothing but CPU and memory differs. Upstream sets claims aside, so a container that has some never passes. */
function differsOtherwise(now: Container, old: Container): boolean {
  return !semanticEqual(
    { ...now, resources: withOldResources(now.resources, old.resources) },
    { resources: {}, ...old },
  );
}

function checkOthers(errors: Errors, now: PodSpec, old: PodSpec): void {
  now.containers.forEach((container, i) => {
    if (!differsOtherwise(container, old.containers[i]!)) return;
    errors.push(forbiddenField(specPath, 'only cpu and memory resources are mutable'));
  });
  now.initContainers?.forEach((container, i) => {
    const before = old.initContainers![i]!;
    const path = specPath.child('initContainers').index(i);
    if (differsOtherwise(container, before)) {
      errors.push(forbiddenField(path, 'only cpu and memory resources for init or sidecar containers are mutable'));
    }
    if (container.restartPolicy === 'Always' || internalEqual('core.Container', container, before)) return;
    for (const { restartPolicy } of container.resizePolicy ?? []) {
      if (restartPolicy !== 'RestartContainer') continue;
      const text = 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized';
      errors.push(forbiddenField(path, text));
    }
  });
}

/** What is left when all that may change is taken away. */
function rest({ containers: _c, initContainers: _i, resources: _r, ...spec }: PodSpec): object {
  return spec;
}

export const podResize: SubresourceRules<Pod> = {
  metaOnUpdate: ['change', 'full'],
  prepare,
  validate(pod, old, context) {
    const errors: Errors = [];
    checkPod(errors, pod, old, context);
    if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) return [refusal('static pods cannot be resized')];
    if (old.spec.os?.name === 'windows') return [refusal('windows pods cannot be resized')];
    if (podQos(old) !== qosClass(pod.spec)) {
      const text = 'Pod QOS Class may not change as a result of resizing';
      errors.push(invalidValue(specPath, pod.status?.qosClass ?? '', text));
    }
    if (!nodeResizes(old)) errors.push(forbiddenField(specPath, 'Pod running on node without support for resize'));
    checkPodLevel(errors, pod.spec.resources, old.spec.resources);
    if (old.status?.nodeAllocatableResourceClaimStatuses?.length) {
      errors.push(forbiddenField(specPath, 'pods with node allocatable resource claims cannot be resized'));
    }
    if (!checkOrder(errors, pod.spec, old.spec)) return errors;
    checkRemoved(errors, pod.spec, old.spec);
    checkOthers(errors, pod.spec, old.spec);
    if (errors.length === 0 && !internalEqual('core.PodSpec', rest(pod.spec), rest(old.spec))) {
      errors.push(forbiddenField(specPath, 'only cpu and memory resources are mutable'));
    }
    return errors;
  },
};
