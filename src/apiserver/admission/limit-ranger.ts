/**
 * Limit ranges: what containers get that ask for nothing, and the bounds of what they and claims may ask for.
 * Upstream: plugin/pkg/admission/limitranger/admission.go. Where upstream goes through Go maps, amounts are told by name.
 */
import { aggregateLimits, aggregateRequests } from '#api/core/helpers';
import { type Amounts, amountsOf } from '#api/quota/helpers';
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, PodSpec } from '#api/types';
import { type Draft, type KubeObject, Quantity } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden } from './errors.ts';
import type { Lookup } from './lookup.ts';

const annotation = 'kubernetes.io/limit-ranger';
/** Upstream's MaxMilliValue: up to here amounts are compared in thousandths. */
const maxMilliValue = 9_223_372_036_854_775n;

function supports({ operation, resource, subresource, old }: AdmissionAttributes): boolean {
  if (resource.group !== '' || old?.metadata.deletionTimestamp) return false;
  const isPod = resource.resource === 'pods';
  if (subresource === 'resize') return isPod && operation === 'UPDATE';
  if (subresource !== '') return false;
  if (isPod) return operation === 'CREATE';
  return resource.resource === 'persistentvolumeclaims' && (operation === 'CREATE' || operation === 'UPDATE');
}

export function limitRanger(lookup: Lookup): AdmissionPlugin {
  const ranges = async (namespace: string): Promise<LimitRange[]> =>
    (await lookup.list('', 'limitranges', namespace)) as unknown as LimitRange[];
  return {
    name: 'LimitRanger',
    handles: supports,
    async admit(attributes, draft) {
      if (attributes.resource.resource !== 'pods') return;
      for (const range of await ranges(attributes.namespace)) mergeDefaults(draft as unknown as Draft<Pod>, range);
    },
    async validate(attributes, object) {
      const problemsOf = attributes.resource.resource === 'pods' ? podProblems : claimProblems;
      for (const range of await ranges(attributes.namespace)) {
        const problems = [...new Set((range.spec?.limits ?? []).flatMap(limit => problemsOf(limit, object!)))];
        if (problems.length === 0) continue;
        const text = problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`;
        throw admissionForbidden(attributes, object, text);
      }
    },
  };
}

function mergeDefaults(pod: Draft<Pod>, range: LimitRange): void {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const limit of range.spec?.limits ?? []) {
    if (limit.type !== 'Container') continue;
    Object.assign(requests, limit.defaultRequest);
    Object.assign(limits, limit.default);
  }
  const told: string[] = [];
  for (const container of pod.spec?.containers ?? []) merge(container, { requests, limits }, 'container', told);
  for (const container of pod.spec?.initContainers ?? []) {
    merge(container, { requests, limits }, 'init container', told);
  }
  if (told.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${told.join('; ')}`,
  };
}

function merge(
  container: Draft<Container>,
  defaults: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>,
  what: string,
  told: string[],
): void {
  for (const list of ['requests', 'limits'] as const) {
    const own = container.resources?.[list] ?? {};
    const added = Object.keys(defaults[list]).filter(name => own[name] === undefined);
    if (added.length === 0) continue;
    const resources = (container.resources ??= {});
    resources[list] = { ...own, ...Object.fromEntries(added.map(name => [name, defaults[list][name]!])) };
    told.push(`${added.sort().join(', ')} ${list === 'requests' ? 'request' : 'limit'} for ${what} ${container.name}`);
  }
}

interface Asked {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

function sorted(list: Readonly<Record<string, string>> | undefined): Array<[string, Quantity]> {
  return [...amountsOf(list)].sort(([a], [b]) => (a < b ? -1 : 1));
}

function podProblems(limit: LimitRangeItem, object: KubeObject): string[] {
  const { spec } = object as unknown as Pod;
  if (limit.type === 'Pod') return bounds(limit, podAmounts(spec));
  if (limit.type !== 'Container') return [];
  return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
    bounds(limit, { requests: amountsOf(resources?.requests), limits: amountsOf(resources?.limits) }),
  );
}

/** What the whole pod asks for; what it says itself of processors and memory goes before its containers. */
function podAmounts(spec: PodSpec): Asked {
  const own = (sum: Amounts, list: Readonly<Record<string, string>> | undefined): Amounts => {
    const supported = [...amountsOf(list)].filter(([name]) => name === 'cpu' || name === 'memory');
    return new Map([...sum, ...supported]);
  };
  return {
    requests: own(aggregateRequests(spec), spec.resources?.requests),
    limits: own(aggregateLimits(spec), spec.resources?.limits),
  };
}

function claimProblems(limit: LimitRangeItem, object: KubeObject): string[] {
  if (limit.type !== 'PersistentVolumeClaim') return [];
  const claim = object as unknown as PersistentVolumeClaim;
  const requests = amountsOf(claim.spec?.resources?.requests);
  const problems = sorted(limit.min).map(([name, least]) =>
    tooLittle(limit.type, name, least, { requests, limits: new Map() }),
  );
  for (const [name, most] of sorted(limit.max)) {
    const request = requests.get(name);
    const start = `maximum ${name} usage per ${limit.type} is ${most}`;
    if (!request) problems.push(`${start}.  No request is specified`);
    else if (compared(request, most) > 0) problems.push(`${start}, but request is ${request}`);
  }
  return problems.filter((problem): problem is string => problem !== undefined);
}

function bounds(limit: LimitRangeItem, asked: Asked): string[] {
  return [
    ...sorted(limit.min).map(([name, least]) => tooLittle(limit.type, name, least, asked)),
    ...sorted(limit.max).map(([name, most]) => tooMuch(limit.type, name, most, asked)),
    ...sorted(limit.maxLimitRequestRatio).map(([name, ratio]) => tooFar(limit.type, name, ratio, asked)),
  ].filter((problem): problem is string => problem !== undefined);
}

/** In thousandths where that does not overflow, else in units rounded up. */
function compared(a: Quantity, b: Quantity): number {
  const inUnits = [a, b].some(each => each.scaledValue(0) > maxMilliValue);
  const value = (each: Quantity): bigint => each.scaledValue(inUnits ? 0 : -3);
  return value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
}

function tooLittle(type: string, name: string, least: Quantity, { requests, limits }: Asked): string | undefined {
  const request = requests.get(name);
  const limit = limits.get(name);
  const start = `minimum ${name} usage per ${type} is ${least}`;
  if (!request) return `${start}.  No request is specified`;
  if (compared(request, least) < 0) return `${start}, but request is ${request}`;
  if (limit && compared(limit, least) < 0) return `${start}, but limit is ${limit}`;
  return undefined;
}

function tooMuch(type: string, name: string, most: Quantity, { requests, limits }: Asked): string | undefined {
  const request = requests.get(name);
  const limit = limits.get(name);
  const start = `maximum ${name} usage per ${type} is ${most}`;
  if (!limit) return `${start}.  No limit is specified`;
  if (compared(limit, most) > 0) return `${start}, but limit is ${limit}`;
  if (request && compared(request, most) > 0) return `${start}, but request is ${request}`;
  return undefined;
}

function tooFar(type: string, name: string, most: Quantity, { requests, limits }: Asked): string | undefined {
  const request = requests.get(name) ?? Quantity.zero;
  const limit = limits.get(name) ?? Quantity.zero;
  const start = `${name} max limit to request ratio per ${type} is ${most}`;
  if (request.isZero) return `${start}, but no request is specified or request is 0`;
  if (limit.isZero) return `${start}, but no limit is specified or limit is 0`;
  const inUnits = [request, limit, most].some(each => each.scaledValue(0) > maxMilliValue);
  const value = (each: Quantity): number => Number(each.scaledValue(inUnits ? 0 : -3));
  const ratio = value(limit) / value(request);
  const exact = most.scaledValue(0) <= maxMilliValue;
  const over = exact ? ratio * 1000 > Number(most.scaledValue(-3)) : ratio > Number(most.scaledValue(0));
  return over ? `${start}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
