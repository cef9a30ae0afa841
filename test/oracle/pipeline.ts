/** What the API server does with one create or update, as far as the rules of a kind decide it. */
import type { KindRecord, RuleContext } from '#api/kind';
import { kindRecord } from '#api/rules';
import { builtinTypes } from '#api/tables';
import {
  type Draft,
  formatTime,
  InputError,
  invalid,
  type KubeObject,
  readJson,
  StatusError,
  withoutNulls,
  writeJson,
} from '#apimachinery';
import { beforeCreate, beforeUpdate } from '../../src/apiserver/registry/strategy.ts';
import type { ServedResource } from '../../src/apiserver/scheme/resource.ts';
import { encodeStored } from '../../src/apiserver/serialization/encode.ts';
import { admit, allocate } from './admission-model.ts';

export interface Attempt {
  readonly record: KindRecord;
  readonly body: unknown;
  readonly namespace: string;
  readonly old?: KubeObject;
  /** Name in the path of an update. */
  readonly name?: string;
}

export interface Outcome {
  readonly code: number;
  readonly message?: string;
  readonly causes?: unknown;
  readonly object?: unknown;
  readonly stored?: KubeObject;
}

const nowMs = Date.parse('2026-11-01T10:00:00Z');
let counter = 0;

export function contextFor(namespace: string, record: KindRecord): RuleContext {
  return {
    nowMs,
    namespace,
    subresource: '',
    groupVersion: record.group ? `${record.group}/${record.version}` : record.version,
    random: {
      uuid: () => `00000000-0000-4000-8000-${String(++counter).padStart(12, '0')}`,
      suffix: length => 'abcdefgh'.slice(0, length),
    },
    user: { name: 'admin', uid: '', groups: ['system:masters', 'system:authenticated'], extra: {} },
    config: { allowPrivileged: true, serviceCidrs: ['10.96.0.0/16'], nodePortRange: [30000, 32767] },
  };
}

function read(record: KindRecord, body: unknown): KubeObject {
  return readJson(JSON.stringify(body), builtinTypes.struct(record.typeName)).value as KubeObject;
}

export function run(attempt: Attempt): Outcome {
  const { record, namespace } = attempt;
  let object: Draft<KubeObject>;
  try {
    object = read(record, attempt.body) as Draft<KubeObject>;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return {
      code: 400,
      message: `${record.kind} in version "${record.version}" cannot be handled as a ${record.kind}: ${error.message}`,
    };
  }
  object.apiVersion = record.group ? `${record.group}/${record.version}` : record.version;
  object.kind = record.kind;
  object.metadata ??= {};
  record.rules.defaults?.(object as never);
  const hub = kindRecord(record.storageGroup, record.storageVersion, record.kind) ?? record;
  const converts = hub.version !== record.version || hub.group !== record.group;
  const inHub =
    converts && record.rules.toHub ? (record.rules.toHub(object as KubeObject) as Draft<KubeObject>) : object;
  if (converts) hub.rules.defaults?.(inHub as never);
  if (attempt.old) return update(hub, record, inHub, attempt);
  return create(hub, record, inHub, namespace);
}

function answer(code: number, record: KindRecord, hub: KindRecord, object: Draft<KubeObject>): Outcome {
  const struct = builtinTypes.struct(hub.typeName);
  const stored = withoutNulls(
    JSON.parse(encodeStored(object as KubeObject, struct).toString()) as Draft<KubeObject>,
    struct,
  );
  stored.metadata.resourceVersion = object.metadata.resourceVersion!;
  const shown = hub !== record && record.rules.fromHub ? record.rules.fromHub(stored) : stored;
  return { code, object: rewritten(record, shown), stored };
}

/** As it would be written: with the zero values that Go does not omit. */
function rewritten(record: KindRecord, object: KubeObject): unknown {
  return JSON.parse(writeJson(object, builtinTypes.struct(record.typeName)));
}

/** What the strategies refuse; undefined when they let it pass. */
function refusalOf(act: () => void): Outcome | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { status } = error;
    if (status.code !== 422) return { code: status.code, message: status.message };
    return { code: 422, causes: status.details?.causes };
  }
}

/** As much of a served resource as the strategies ask for. */
function served(hub: KindRecord): ServedResource {
  return { ...hub, struct: builtinTypes.struct(hub.typeName) } as unknown as ServedResource;
}

const noWarnings = (): void => {};

/** Reviews and their like are answered, not stored: they have no name of their own. */
function reviewed(hub: KindRecord, object: Draft<KubeObject>, context: RuleContext): void {
  hub.rules.prepareCreate?.(object as never, context);
  const errors = hub.rules.validate?.(object as never, null, context) ?? [];
  if (errors.length > 0) throw invalid({ group: hub.group, kind: hub.kind }, '', errors);
  hub.rules.canonicalize?.(object as never);
}

function create(hub: KindRecord, record: KindRecord, object: Draft<KubeObject>, namespace: string): Outcome {
  const context = contextFor(namespace, record);
  const { metadata } = object;
  if (hub.namespaced) metadata.namespace = metadata.namespace || namespace;
  if (hub.namespaced && metadata.namespace !== namespace) {
    return {
      code: 400,
      message: 'the namespace of the provided object does not match the namespace sent on the request',
    };
  }
  for (const key of ['creationTimestamp', 'uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const)
    delete metadata[key];
  if (hub.verbs.includes('get')) {
    metadata.uid = context.random.uuid();
    metadata.creationTimestamp = formatTime(nowMs);
  }
  if (metadata.generateName && !metadata.name) metadata.name = `${metadata.generateName.slice(0, 58)}abcde`;
  const refusal = admit(hub, object, undefined);
  if (refusal) return refusal;
  const allocated = allocate(hub, object, undefined);
  if (allocated) return allocated;
  const refused = refusalOf(() => {
    if (hub.verbs.includes('get')) beforeCreate(served(hub), object, context, noWarnings);
    else reviewed(hub, object, context);
  });
  if (refused) return refused;
  metadata.resourceVersion = String(1000 + ++counter);
  return answer(201, record, hub, object);
}

function update(hub: KindRecord, record: KindRecord, object: Draft<KubeObject>, attempt: Attempt): Outcome {
  const context = contextFor(attempt.namespace, record);
  const old = structuredClone(attempt.old!);
  const { metadata } = object;
  if (!metadata.name) {
    return {
      code: 400,
      message: `the name of the object (${attempt.name} based on URL) was undeterminable: name must be provided`,
    };
  }
  if (metadata.name !== attempt.name) {
    return {
      code: 400,
      message: `the name of the object (${metadata.name}) does not match the name on the URL (${attempt.name})`,
    };
  }
  if (hub.namespaced) metadata.namespace = metadata.namespace || attempt.namespace;
  if (hub.namespaced && metadata.namespace !== attempt.namespace) {
    return {
      code: 400,
      message: 'the namespace of the provided object does not match the namespace sent on the request',
    };
  }
  if (metadata.uid && metadata.uid !== old.metadata.uid) return { code: 409 };
  metadata.resourceVersion = old.metadata.resourceVersion!;
  const refusal = admit(hub, object, old);
  if (refusal) return refusal;
  // The allocator asks the old object for what the client left out.
  if (hub.kind === 'Service') hub.rules.prepareUpdate?.(object as never, old as never, context);
  const allocated = allocate(hub, object, old);
  if (allocated) return allocated;
  const refused = refusalOf(() => beforeUpdate(served(hub), object, old, context, noWarnings));
  if (refused) return refused;
  return answer(200, record, hub, object);
}
