/**
 * What every kind of the API can do, by the methods that the official client has for it, and one scenario of all of it
 * that each kind's row runs: upstream's suite has a test "should support … API operations" for each, and they differ
 * only in the objects.
 */
import assert from 'node:assert/strict';
import {
  type ApiConstructor,
  type ApiType,
  type KubernetesObject,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { refusal, type Subject } from './subject.ts';

/** A kind and where its objects are. */
export interface KindUnderTest {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly api: ApiConstructor<ApiType>;
  /** Absent: the kind has no namespaces. */
  readonly namespace?: string;
}

export type Thing = KubernetesObject & Record<string, any>;

export const mergePatch: ReturnType<typeof setHeaderOptions> = setHeaderOptions(
  'Content-Type',
  PatchStrategy.MergePatch,
);
export const strategicPatch: ReturnType<typeof setHeaderOptions> = setHeaderOptions(
  'Content-Type',
  PatchStrategy.StrategicMergePatch,
);

/** The client's methods of one kind under short names. */
export class Operations {
  readonly path: string;
  readonly #client: Record<string, (parameters: object, options?: object) => Promise<any>>;
  readonly #target: KindUnderTest;

  constructor(subject: Subject, target: KindUnderTest) {
    this.#target = target;
    this.#client = subject.api(target.api) as never;
    const root = target.group === '' ? `/api/${target.version}` : `/apis/${target.group}/${target.version}`;
    this.path = `${root}${target.namespace ? `/namespaces/${target.namespace}` : ''}/${target.resource}`;
  }

  #call(verb: string, suffix: string, parameters: object, options?: object): Promise<any> {
    const { namespace, kind } = this.#target;
    const method = `${verb}${namespace ? 'Namespaced' : ''}${kind}${suffix}`;
    assert.ok(method in this.#client, `the client has no ${method}`);
    return this.#client[method]!({ ...(namespace && { namespace }), ...parameters }, options);
  }

  create = (body: Thing): Promise<Thing> => this.#call('create', '', { body });
  read = (name: string, part = ''): Promise<Thing> => this.#call('read', part, { name });
  list = (options: object = {}): Promise<{ metadata: any; items: Thing[] }> => this.#call('list', '', options);
  replace = (body: Thing, part = ''): Promise<Thing> =>
    this.#call('replace', part, { name: body.metadata!.name, body });
  patch = (name: string, body: object, part = '', options: object = mergePatch): Promise<Thing> =>
    this.#call('patch', part, { name, body }, options);
  delete = (name: string): Promise<unknown> => this.#call('delete', '', { name });
  deleteCollection = (labelSelector: string): Promise<unknown> => this.#call('deleteCollection', '', { labelSelector });

  /** In all namespaces. */
  async listAll(options: object = {}): Promise<{ items: Thing[] }> {
    return this.#client[`list${this.#target.kind}ForAllNamespaces`]!(options);
  }
}

export interface Scenario {
  /** A new object of the kind; name and labels are set by the scenario, unless it has a name of its own. */
  make(index: number): Thing;
  /** A status to patch in, and to replace it with. */
  readonly status?: {
    readonly patch: object;
    readonly replace: object;
    /** True: a write to the status leaves metadata as it is, too. */
    readonly keepsMetadata?: boolean;
  };
  /** False: objects cannot be replaced (upstream's test does not either). */
  readonly replaces?: boolean;
  /** Called with a kind's operations and a living object before deletion begins. */
  more?(operations: Operations, object: Thing): Promise<void>;
}

/** Discovery, create, read, list, watch, patch, replace, status, delete, delete of a collection. */
export async function apiOperations(subject: Subject, target: KindUnderTest, scenario: Scenario): Promise<void> {
  const operations = new Operations(subject, target);
  await discovered(subject, target);
  const label = subject.unique('operations');
  const labelSelector = `conformance=${label}`;
  const made: Thing[] = [];
  for (let index = 0; index < 3; index++) {
    const object = scenario.make(index);
    object.metadata = { name: subject.unique('object'), ...object.metadata, labels: { conformance: label } };
    made.push(await operations.create(object));
  }
  const names = made.map(object => object.metadata!.name!);
  const first = await operations.read(names[0]!);
  assert.equal(first.metadata!.uid, made[0]!.metadata!.uid);
  const listed = await operations.list({ labelSelector });
  assert.deepEqual(listed.items.map(item => item.metadata!.name).sort(), [...names].sort());
  if (target.namespace) assert.equal((await operations.listAll({ labelSelector })).items.length, 3);

  using watch = await subject.watch(operations.path, {
    labelSelector,
    resourceVersion: listed.metadata.resourceVersion,
  });
  await changed(operations, first, scenario, watch.next);
  if (scenario.status) await statusChanged(operations, names[0]!, scenario.status);
  await scenario.more?.(operations, await operations.read(names[0]!));

  await operations.delete(names[0]!);
  await watch.until('DELETED', object => object.metadata.name === names[0]);
  await refusal(404, operations.read(names[0]!));
  assert.equal((await operations.list({ labelSelector })).items.length, 2);
  await operations.deleteCollection(labelSelector);
  await watch.until('DELETED', object => object.metadata.name === names[2]);
  assert.equal((await operations.list({ labelSelector })).items.length, 0);
}

async function changed(
  operations: Operations,
  first: Thing,
  scenario: Scenario,
  next: (type: string) => Promise<any>,
): Promise<void> {
  const name = first.metadata!.name!;
  const patched = await operations.patch(name, { metadata: { annotations: { patched: 'true' } } });
  assert.equal(patched.metadata!.annotations!['patched'], 'true');
  assertLater(patched, first);
  assert.equal((await next('MODIFIED')).metadata.annotations.patched, 'true');
  if (scenario.replaces === false) return;
  patched.metadata!.annotations!['updated'] = 'true';
  const replaced = await operations.replace(patched);
  assert.equal(replaced.metadata!.annotations!['updated'], 'true');
  assertLater(replaced, patched);
  assert.equal((await next('MODIFIED')).metadata.annotations.updated, 'true');
}

/** What is written to status is there, and nothing else is changed by it. */
async function statusChanged(
  operations: Operations,
  name: string,
  { patch, replace, keepsMetadata }: NonNullable<Scenario['status']>,
): Promise<void> {
  const patched = await operations.patch(
    name,
    { metadata: { annotations: { patchedstatus: 'true' } }, status: patch },
    'Status',
  );
  assert.equal(patched.metadata!.annotations!['patchedstatus'], keepsMetadata ? undefined : 'true');
  assertContains(patched['status'], patch);
  const read = await operations.read(name, 'Status');
  assertContains(read['status'], patch);
  const replaced = await operations.replace({ ...read, status: replace } as Thing, 'Status');
  assertContains(replaced['status'], replace);
  const { spec } = await operations.read(name);
  assert.deepEqual(spec, read['spec']);
}

/** All of `expected` is in `actual`, as JSON. */
export function assertContains(actual: unknown, expected: unknown): void {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
  assert.partialDeepStrictEqual(plain(actual) as object, plain(expected) as object);
}

/** `object` is of a later revision. */
export function assertLater(object: KubernetesObject, than: KubernetesObject): void {
  const revision = ({ metadata }: KubernetesObject): bigint => BigInt(metadata!.resourceVersion!);
  assert.ok(revision(object) > revision(than), `${revision(object)} after ${revision(than)}`);
}

/** The group, its version and the resource stand in the discovery documents. */
async function discovered(subject: Subject, { group, version, resource, kind }: KindUnderTest): Promise<void> {
  if (group !== '') {
    const { groups } = await subject.get('/apis');
    const found = groups.find((each: { name: string }) => each.name === group);
    assert.ok(
      found?.versions.some((each: { version: string }) => each.version === version),
      `${group}/${version} in /apis`,
    );
    assert.equal((await subject.get(`/apis/${group}`)).kind, 'APIGroup');
  }
  const list = await subject.get(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
  const one = list.resources.find((each: { name: string }) => each.name === resource);
  assert.equal(one?.kind, kind);
}
