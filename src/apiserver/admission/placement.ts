/**
 * Where the pods of a namespace may go: its node selector, and the taints that they tolerate. Off by default.
 * Upstream: plugin/pkg/admission/{podnodeselector,podtolerationrestriction}.
 */
import { qosClass } from '#api/core/helpers';
import type { Pod, Toleration } from '#api/types';
import { type Draft, type KubeObject, notFound, StatusError } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';
import { covers, mergeTolerations } from './runtime-class.ts';

type Labels = Readonly<Record<string, string>>;

/** By namespace; `clusterDefaultNodeSelector` for those that do not say. */
export type NodeSelectors = Readonly<Record<string, string | undefined>>;

const selectorAnnotation = 'scheduler.alpha.kubernetes.io/node-selector';

/** `a=b, c=d`. */
function parseLabels(text: string | undefined): Labels {
  const pairs = (text ?? '').split(',').filter(part => part.trim() !== '');
  return Object.fromEntries(
    pairs.map(part => {
      const [key = '', value, more] = part.split('=');
      if (value === undefined || more !== undefined) {
        throw new StatusError({ code: 500, message: `invalid selector: [${part}]` });
      }
      return [key.trim(), value.trim()];
    }),
  );
}

async function namespaceOf(lookup: Lookup, name: string): Promise<KubeObject> {
  const found = await lookup.get('', 'namespaces', '', name);
  if (!found) throw notFound({ group: '', resource: 'namespaces' }, name);
  return found;
}

export function podNodeSelector(lookup: Lookup, selectors: NodeSelectors = {}): AdmissionPlugin {
  const check = async (attributes: AdmissionAttributes, pod: Pod): Promise<Labels> => {
    const namespace = await namespaceOf(lookup, attributes.namespace);
    const said = namespace.metadata.annotations?.[selectorAnnotation];
    const wanted = parseLabels(said ?? selectors['clusterDefaultNodeSelector']);
    const own = pod.spec.nodeSelector ?? {};
    if (Object.entries(wanted).some(([key, value]) => own[key] !== undefined && own[key] !== value)) {
      const why = 'pod node label selector conflicts with its namespace node label selector';
      throw admissionForbidden(attributes, pod as unknown as KubeObject, why);
    }
    return wanted;
  };
  return {
    name: 'PodNodeSelector',
    handles: attributes => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
    async admit(attributes, draft) {
      const pod = draft as unknown as Draft<Pod>;
      const wanted = await check(attributes, pod as unknown as Pod);
      if (Object.keys(wanted).length > 0) pod.spec.nodeSelector = { ...wanted, ...pod.spec.nodeSelector };
    },
    async validate(attributes, object) {
      const pod = object as unknown as Pod;
      await check(attributes, pod);
      const allowed = parseLabels(selectors[attributes.namespace]);
      if (Object.keys(allowed).length === 0) return;
      if (Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => allowed[key] === value)) return;
      const why = 'pod node label selector labels conflict with its namespace whitelist';
      throw admissionForbidden(attributes, object, why);
    },
  };
}

/** `podtolerationrestriction.admission.k8s.io/v1alpha1 Configuration`: of namespaces that do not say. */
export interface TolerationConfiguration {
  readonly default?: readonly Toleration[];
  readonly whitelist?: readonly Toleration[];
}

const defaultAnnotation = 'scheduler.alpha.kubernetes.io/defaultTolerations';
const whitelistAnnotation = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist';

function tolerationsIn(namespace: KubeObject, annotation: string): readonly Toleration[] | undefined {
  const text = namespace.metadata.annotations?.[annotation];
  if (text === undefined) return undefined;
  try {
    return text === '' ? [] : (JSON.parse(text) as Toleration[]);
  } catch (error) {
    throw new StatusError({ code: 500, message: error instanceof Error ? error.message : String(error) });
  }
}

export function podTolerationRestriction(lookup: Lookup, configuration: TolerationConfiguration = {}): AdmissionPlugin {
  return {
    name: 'PodTolerationRestriction',
    handles: attributes =>
      isFor(attributes, '', 'pods') && (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE'),
    async admit(attributes, draft) {
      const { spec } = draft as unknown as Draft<Pod>;
      const extra: Toleration[] = [];
      if (attributes.operation === 'CREATE') {
        const namespace = await namespaceOf(lookup, attributes.namespace);
        extra.push(...(tolerationsIn(namespace, defaultAnnotation) ?? configuration.default ?? []));
      }
      if (qosClass(spec as Pod['spec']) !== 'BestEffort') {
        extra.push({ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' });
      }
      if (extra.length === 0) return;
      spec.tolerations = mergeTolerations((spec.tolerations ?? []) as Toleration[], extra) as Draft<Toleration>[];
    },
    async validate(attributes, object) {
      const tolerations = (object as unknown as Pod).spec.tolerations ?? [];
      if (tolerations.length === 0) return;
      const own = tolerationsIn(await namespaceOf(lookup, attributes.namespace), whitelistAnnotation);
      const allowed = own ?? configuration.whitelist ?? [];
      if (allowed.length === 0 || tolerations.every(each => allowed.some(wide => covers(wide, each)))) return;
      const scope = own ? 'namespace' : 'cluster';
      const message = `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${scope} whitelist`;
      throw new StatusError({ code: 500, message });
    },
  };
}
