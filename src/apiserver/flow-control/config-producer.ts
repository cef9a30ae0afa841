/**
 * Keeps the objects that a server brings along: missing ones are made anew; specs that nobody took over are set back
 * (annotation `apf.kubernetes.io/autoupdate-spec`), those of the mandatory ones always; what an older server brought
 * along and this one does not goes. Upstream: pkg/registry/flowcontrol/{rest/storage_flowcontrol,ensurer/strategy}.go.
 */
import { type Draft, type KubeObject, semanticEqual } from '#apimachinery';
import type { Clock, Logger } from '#base';
import { type DefaultObject, flowSchemas, mandatoryNames, priorityLevels } from './defaults.ts';
import type { FlowControlObjects, FlowControlResource, FlowControlWriter } from './objects.ts';

const fieldManager = 'api-priority-and-fairness-config-producer-v1';
const annotation = 'apf.kubernetes.io/autoupdate-spec';
const apiVersion = 'flowcontrol.apiserver.k8s.io/v1';
const periodMs = 60_000;

export interface ProducerDeps {
  readonly objects: FlowControlObjects;
  readonly writer: FlowControlWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Kind {
  readonly kind: string;
  readonly resource: FlowControlResource;
  readonly defaults: ReadonlyArray<DefaultObject<object>>;
}

const levelKind: Kind = {
  kind: 'PriorityLevelConfiguration',
  resource: 'prioritylevelconfigurations',
  defaults: priorityLevels,
};
const schemaKind: Kind = { kind: 'FlowSchema', resource: 'flowschemas', defaults: flowSchemas };

/** Puts things right once, and every minute until `signal` aborts. */
export async function keepDefaults(deps: ProducerDeps, signal: AbortSignal): Promise<void> {
  await ensureDefaults(deps);
  const ticker = deps.clock.setTicker(() => {
    ensureDefaults(deps).catch(error => {
      if (!signal.aborted) deps.logger.warn('flow control defaults are looked at again later', { error });
    });
  }, periodMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
}

/** Levels before the schemas that name them; schemas go before their levels. */
async function ensureDefaults({ objects, writer }: ProducerDeps): Promise<void> {
  const levels = new Map((await objects.levels()).map(each => [each.metadata.name ?? '', each as KubeObject]));
  const schemas = new Map(
    (await objects.schemas()).map(each => [each.metadata.name ?? '', each as unknown as KubeObject]),
  );
  await ensureKind(writer, levelKind, levels);
  await ensureKind(writer, schemaKind, schemas);
  await removeObsolete(writer, schemaKind, schemas);
  await removeObsolete(writer, levelKind, levels);
}

async function ensureKind(
  writer: FlowControlWriter,
  { kind, resource, defaults }: Kind,
  present: ReadonlyMap<string, KubeObject>,
): Promise<void> {
  const one = async ({ name, spec }: DefaultObject<object>): Promise<void> => {
    const current = present.get(name);
    if (!current) {
      const metadata = { name, annotations: { [annotation]: 'true' } };
      await writer.create(resource, { apiVersion, kind, metadata, spec: structuredClone(spec) }, fieldManager);
      return;
    }
    const revised = revise(current, name, spec);
    if (revised) await writer.update(resource, revised, fieldManager);
  };
  await Promise.all(defaults.map(one));
}

/** The object as it should be, or undefined when it is. */
function revise(current: KubeObject, name: string, spec: object): Draft<KubeObject> | undefined {
  const said = current.metadata.annotations?.[annotation];
  const isOurs = mandatoryNames.has(name) || (parseBool(said) ?? current.metadata.generation === 1);
  const wanted = name === 'exempt' && 'exempt' in spec ? withSharesOf(current, spec) : spec;
  const specChanged = isOurs && !semanticEqual(wanted, current['spec']);
  const annotationChanged = parseBool(said) !== isOurs;
  if (!specChanged && !annotationChanged) return undefined;
  const revised = structuredClone(current) as Draft<KubeObject>;
  if (specChanged) revised['spec'] = structuredClone(wanted);
  if (annotationChanged)
    revised.metadata.annotations = { ...revised.metadata.annotations, [annotation]: String(isOurs) };
  return revised;
}

/** The shares of the exempt level are its operator's to set. */
function withSharesOf(current: KubeObject, spec: object): object {
  const now = (current['spec'] as { exempt?: object } | undefined)?.exempt;
  return now ? { ...spec, exempt: now } : spec;
}

async function removeObsolete(
  writer: FlowControlWriter,
  { resource, defaults }: Kind,
  present: ReadonlyMap<string, KubeObject>,
): Promise<void> {
  for (const [name, { metadata }] of present) {
    if (defaults.some(each => each.name === name)) continue;
    if (parseBool(metadata.annotations?.[annotation]) === true) await writer.delete(resource, name);
  }
}

/** Go's strconv.ParseBool. */
function parseBool(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined;
}
