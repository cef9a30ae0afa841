/**
 * A pod's runtime class gives it overhead, a node selector and tolerations.
 * Upstream: plugin/pkg/admission/runtimeclass/admission.go, pkg/util/tolerations.
 */
import { amountsOf, equalAmounts } from '#api/quota/helpers';
import type { Pod, RuntimeClass, Toleration } from '#api/types';
import { type Draft, type KubeObject, StatusError, semanticEqual } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor, pathSegmentRefusal } from './errors.ts';
import type { Lookup } from './lookup.ts';

export function runtimeClass(lookup: Lookup): AdmissionPlugin {
  const classOf = async (attributes: AdmissionAttributes, object: KubeObject): Promise<RuntimeClass | undefined> => {
    const name = (object as unknown as Pod).spec?.runtimeClassName;
    if (name === undefined) return undefined;
    if (name === '') throw new StatusError({ code: 500, message: 'resource name may not be empty' });
    const wrong = pathSegmentRefusal(name);
    if (wrong !== undefined) throw new StatusError({ code: 500, message: wrong });
    const found = await lookup.get('node.k8s.io', 'runtimeclasses', '', name);
    if (found) return found as unknown as RuntimeClass;
    throw admissionForbidden(attributes, object, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  };
  return {
    name: 'RuntimeClass',
    handles: attributes => isFor(attributes, '', 'pods') && attributes.operation === 'CREATE',
    async admit(attributes, draft) {
      const found = await classOf(attributes, draft as unknown as KubeObject);
      if (!found) return;
      const pod = draft as unknown as Draft<Pod>;
      if (found.overhead) {
        const fixed = found.overhead.podFixed ?? {};
        const own = pod.spec.overhead ?? {};
        if (Object.keys(own).length > 0 && !sameOverhead(own, fixed)) refuseOverhead(attributes, draft!);
        pod.spec.overhead = { ...fixed };
      }
      if (!found.scheduling) return;
      mergeSelector(attributes, pod, found.scheduling.nodeSelector);
      const merged = mergeTolerations((pod.spec.tolerations ?? []) as Toleration[], found.scheduling.tolerations ?? []);
      if (merged.length > 0) pod.spec.tolerations = merged as Draft<Toleration>[];
    },
    async validate(attributes, object) {
      const found = await classOf(attributes, object!);
      const { overhead } = (object as unknown as Pod).spec;
      if (found?.overhead) {
        if (!sameOverhead(overhead, found.overhead.podFixed)) refuseOverhead(attributes, object!);
      } else if (overhead !== undefined) {
        const why = 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';
        throw admissionForbidden(attributes, object, why);
      }
      return undefined;
    },
  };
}

type Amounts = Readonly<Record<string, string>> | undefined;

function sameOverhead(a: Amounts, b: Amounts): boolean {
  return equalAmounts(amountsOf(a), amountsOf(b));
}

function refuseOverhead(attributes: AdmissionAttributes, object: KubeObject | Draft<KubeObject>): never {
  const why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
  throw admissionForbidden(attributes, object as KubeObject, why);
}

function mergeSelector(attributes: AdmissionAttributes, pod: Draft<Pod>, wanted: Amounts): void {
  if (!wanted) return;
  const own = pod.spec.nodeSelector ?? {};
  for (const [key, value] of Object.entries(wanted)) {
    const has = own[key];
    if (has === undefined || has === value) continue;
    const why = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${has}`;
    throw admissionForbidden(attributes, pod as unknown as KubeObject, why);
  }
  pod.spec.nodeSelector = { ...own, ...wanted };
}

/** All of both, without those that another one covers. */
export function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [at, each] of all.entries()) {
    if (merged.some(other => covers(other, each))) continue;
    if (all.slice(at + 1).some(other => !semanticEqual(each, other) && covers(other, each))) continue;
    merged.push(each);
  }
  return merged;
}

/** Whether `wide` tolerates all that `each` does. */
export function covers(wide: Toleration, each: Toleration): boolean {
  if (semanticEqual(wide, each)) return true;
  if ((each.key ?? '') !== (wide.key ?? '') && (wide.key || wide.operator !== 'Exists')) return false;
  if ((each.effect ?? '') !== (wide.effect ?? '') && wide.effect) return false;
  if (wide.effect === 'NoExecute' && wide.tolerationSeconds !== undefined) {
    if (each.tolerationSeconds === undefined || each.tolerationSeconds > wide.tolerationSeconds) return false;
  }
  if (wide.operator === 'Exists') return true;
  if (wide.operator !== 'Equal' && wide.operator) return false;
  return each.operator === 'Equal' && (each.value ?? '') === (wide.value ?? '');
}
