/**
 * Field ownership of one endpoint (a kind in a version, main or subresource): tracking of updates, and server-side
 * apply. Upstream: apimachinery pkg/util/managedfields/internal/*.go, the whole chain of managers, in the order in
 * which upstream nests them.
 *
 * Objects are in the endpoint's API version. Nothing that is given is changed; what is answered may share structure
 * with it.
 */

import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { readJson } from '../json/read.ts';
import { writeOrdered, writeSorted } from '../json/write.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta.ts';
import { checkUnstructured } from '../patch/from-unstructured.ts';
import { cloneJson } from '../patch/json-patch.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { badRequest, StatusError } from '../status.ts';
import { formatTime } from '../time.ts';
import { maxAnnotationsBytes } from '../validation/object-meta.ts';
import { compareValues, fieldSetOf } from './compare.ts';
import { type FieldSet, hasPath, isEmptySet, setOfFields, subtractSet, unionSets } from './field-set.ts';
import { capManagers, decodeManagers, encodeManagers, type Manager, type Managers, managerKey } from './managers.ts';
import { pathText } from './path-element.ts';
import { equalValues, isMap, type JsonMap, type Typed, withZeros } from './typed.ts';
import { type FieldConflict, FieldConflictsError, Updater } from './updater.ts';
import { validateTyped, validationText } from './validate.ts';

export interface FieldManagerOptions {
  /** The kind's type in `apiVersion`; `any` for a custom resource without a schema. */
  readonly node: TypeNode;
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for the main resource, else `status`, `scale` … */
  readonly subresource: string;
  /** A built-in kind, whose objects show Go's zero values and are decoded again after an apply. */
  readonly builtin: boolean;
  /** Paths, by API version, that a write here never owns, with all below: `status` for the main resource. */
  readonly resetFields?: Readonly<Record<string, FieldSet>>;
  /** The object in another version of its kind, with that version's type; undefined when there is none. */
  convert?(object: KubeObject, apiVersion: string): { object: KubeObject; node: TypeNode } | undefined;
}

export interface UpdateOptions {
  readonly manager: string;
  /** Wall milliseconds of the write. */
  readonly nowMs: number;
}

export interface ApplyOptions extends UpdateOptions {
  /** Take over what others own instead of refusing. */
  readonly force: boolean;
}

/** Metadata that nobody owns. */
const stripped: FieldSet = setOfFields(
  'apiVersion',
  'kind',
  'metadata',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.clusterName',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
);
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
const currentOperation = '\0current';

/** Tracks ownership for one endpoint. Holds no state between calls. */
export class FieldManager {
  readonly #options: FieldManagerOptions;
  readonly #updater: Updater;

  constructor(options: FieldManagerOptions) {
    this.#options = options;
    this.#updater = new Updater({
      convert: (value, apiVersion) => this.#convert(value, apiVersion),
      ...(options.resetFields && { resetFields: options.resetFields }),
    });
  }

  /**
   * `next`, which is about to replace `live` (null on create), with its managers brought up to date. An object whose
   * managers cannot be tracked is answered without any, as upstream does.
   */
  update<T extends KubeObject>(live: KubeObject | null, next: T, options: UpdateOptions): T {
    const bare = withManagers(next, undefined);
    if (live !== null && this.#keepsManagers(live, next) && isUnchanged(withManagers(live, undefined), bare)) {
      return withManagers(bare, live.metadata.managedFields);
    }
    const managers = this.#managersOfUpdate(live, next);
    if (managers.size === 0 && live !== null && live.metadata.uid) return bare;
    try {
      this.#track(live, bare, managers, options);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return bare;
    }
    capManagers(managers);
    return withManagers(bare, encodeManagers(managers));
  }

  /**
   * The object that applying `config` to `live` (null when there is none) gives, not yet defaulted. Throws StatusError
   * for conflicts (409) and bad requests (400), InputError `patchFailed` for what upstream answers with a bare 500.
   */
  apply(live: KubeObject | null, config: JsonMap, options: ApplyOptions): KubeObject {
    this.#checkKind(config);
    let managers: Managers;
    try {
      managers = decodeManagers(live?.metadata.managedFields, true);
    } catch (error) {
      throw failed(`failed to decode managed fields: ${(error as Error).message}`);
    }
    const base =
      live ?? ({ apiVersion: this.#options.apiVersion, kind: this.#options.kind, metadata: {} } as KubeObject);
    const bare = withManagers(base, undefined);
    if (managers.size === 0) this.#track(null, bare, managers, { manager: 'before-first-apply', nowMs: options.nowMs });
    this.#checkConfig(config);
    try {
      return this.#applyOver(bare, config, managers, options);
    } catch (error) {
      if (!(error instanceof FieldConflictsError)) throw error;
      return this.#resolveConflicts(bare, config, managers, options, error);
    }
  }

  #applyOver(live: KubeObject, config: JsonMap, given: Managers, options: ApplyOptions): KubeObject {
    const managers = new Map(given);
    const self = this.#manager(options.manager, 'Apply');
    const key = managerKey(self);
    const { node, apiVersion, builtin } = this.#options;
    const before = managers.get(key);
    const applying: Manager = before?.time === undefined ? self : { ...self, time: before.time };
    const typed = this.#typed(live);
    const result = this.#updater.apply(typed, { value: config, node, apiVersion }, managers, applying, options.force);
    const own = managers.get(key);
    if (own !== undefined) {
      const set = subtractSet(own.set, stripped);
      if (isEmptySet(set)) managers.delete(key);
      else managers.set(key, { ...own, set, ...(result !== undefined && { time: formatTime(options.nowMs) }) });
    }
    let object = live;
    if (result !== undefined) {
      // What upstream converts back into Go's types is made canonical here the same way.
      object = (builtin ? this.#decoded(result.value, config) : result.value) as KubeObject;
      if (!isMap(object.metadata)) object = { ...object, metadata: {} };
    }
    if (options.manager === 'kubectl') object = withLastApplied(object, config);
    return withManagers(object, encodeManagers(managers));
  }

  /** A merged value as Go's type holds it. */
  #decoded(value: unknown, config: JsonMap): unknown {
    const { node } = this.#options;
    try {
      return readJson(writeOrdered(value), node).value;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    const plain = cloneJson(value) as Record<string, unknown>;
    try {
      checkUnstructured(plain, node);
      return readJson(writeOrdered(plain), node).value;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { name, kind } = this.#named(config);
      const why = `unable to convert unstructured object to ${kind}: ${error.message}`;
      throw failed(`failed to convert new object (${name}; ${kind}) to proper version: ${why}`);
    }
  }

  /** How messages name an applied configuration and its kind. */
  #named(config: JsonMap): { readonly name: string; readonly kind: string } {
    const { apiVersion, kind } = this.#options;
    const metadata = isMap(config['metadata']) ? config['metadata'] : {};
    const told = (member: unknown): string => (typeof member === 'string' ? member : '');
    const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
    return { name: `${told(metadata['namespace'])}/${told(metadata['name'])}`, kind: `${version}, Kind=${kind}` };
  }

  /** Manager `kubectl` may take over what client-side apply left behind, as its annotation tells. */
  #resolveConflicts(
    live: KubeObject,
    config: JsonMap,
    managers: Managers,
    options: ApplyOptions,
    error: FieldConflictsError,
  ): KubeObject {
    const allowed = options.manager === 'kubectl' ? this.#lastAppliedSet(live) : undefined;
    const left =
      allowed === undefined ? error.conflicts : error.conflicts.filter(({ path }) => !hasPath(allowed, path));
    if (left.length > 0) throw conflictError(left);
    return this.#applyOver(live, config, managers, { ...options, force: true });
  }

  /** What the last-applied annotation names and the live object still has as it was named. */
  #lastAppliedSet(live: KubeObject): FieldSet | undefined {
    const text = live.metadata.annotations?.[lastAppliedAnnotation];
    if (!text) return undefined;
    const { node, apiVersion } = this.#options;
    try {
      const value = JSON.parse(text) as unknown;
      if (!isMap(value) || value['apiVersion'] !== apiVersion || validateTyped(node, value).length > 0)
        return undefined;
      const { added, modified, removed } = compareValues(node, value, this.#typed(live).value);
      return subtractSet(subtractSet(subtractSet(fieldSetOf(node, value), modified), added), removed);
    } catch {
      return undefined;
    }
  }

  #checkKind(config: JsonMap): void {
    const { apiVersion, kind } = this.#options;
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    const given = { apiVersion: text(config['apiVersion']), kind: text(config['kind']) };
    if (given.apiVersion === apiVersion && given.kind === kind) return;
    const version = given.apiVersion;
    throw badRequest(
      `invalid object type: ${version.includes('/') || version === '' ? version || '/' : `/${version}`}, Kind=${given.kind}`,
    );
  }

  #checkConfig(config: JsonMap): void {
    const { node } = this.#options;
    const metadata = isMap(config['metadata']) ? config['metadata'] : {};
    if (Array.isArray(metadata['managedFields'])) {
      throw badRequest('metadata.managedFields must be nil');
    }
    const errors = validateTyped(node, config);
    if (errors.length === 0) return;
    const { name, kind } = this.#named(config);
    throw failed(`failed to create typed patch object (${name}; ${kind}): ${validationText(errors)}`);
  }

  /** Lets the writer own what it changed. */
  #track(live: KubeObject | null, next: KubeObject, managers: Managers, { manager, nowMs }: UpdateOptions): void {
    const before = this.#typed(live === null ? null : withManagers(live, undefined));
    const after = this.#typed(next);
    const self = this.#manager(manager || 'unknown', 'Update');
    this.#updater.update(before, after, managers, self, currentOperation);
    const own = managers.get(currentOperation);
    if (own === undefined) return;
    managers.delete(currentOperation);
    const set = subtractSet(own.set, stripped);
    if (isEmptySet(set)) return;
    const key = managerKey(self);
    const previous = managers.get(key);
    const owned = previous === undefined ? set : unionSets(set, previous.set);
    managers.set(key, { ...self, set: owned, time: formatTime(nowMs) });
  }

  #managersOfUpdate(live: KubeObject | null, next: KubeObject): Managers {
    const ofLive = (): Managers => decodeOrEmpty(live?.metadata.managedFields, true);
    const entries = next.metadata.managedFields;
    if (this.#keepsManagers(live, next)) return ofLive();
    if (isReset(entries)) return new Map();
    try {
      return decodeManagers(entries, false);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return ofLive();
    }
  }

  /** True when the write says nothing about managers: clients leave them out, or send back what they read. */
  #keepsManagers(live: KubeObject | null, next: KubeObject): boolean {
    const entries = next.metadata.managedFields;
    if (this.#options.subresource !== '' || entries === undefined || entries === null) return true;
    return live !== null && !isReset(entries) && equalValues(entries, live.metadata.managedFields);
  }

  #manager(name: string, operation: 'Apply' | 'Update'): Manager {
    const { apiVersion, subresource } = this.#options;
    return { name, operation, apiVersion, subresource, set: {} };
  }

  #typed(object: KubeObject | null): Typed {
    const { apiVersion, builtin, node } = this.#options;
    const value = object ?? { apiVersion, kind: this.#options.kind };
    return { value: builtin ? withZeros(value, node) : value, node, apiVersion };
  }

  #convert(value: Typed, apiVersion: string): Typed | undefined {
    const { builtin } = this.#options;
    const converted = this.#options.convert?.(value.value as KubeObject, apiVersion);
    if (converted === undefined) return undefined;
    const { object, node } = converted;
    return { value: builtin ? withZeros(object, node) : object, node, apiVersion };
  }
}

/** Compares first what writes change most, so that a change is seen early. */
function isUnchanged(live: KubeObject, next: KubeObject): boolean {
  return (
    equalValues(live['status'], next['status']) && equalValues(live['spec'], next['spec']) && equalValues(live, next)
  );
}

function failed(message: string): InputError {
  return new InputError('patchFailed', message);
}

/** Upstream: no entry at all, or one empty one, asks for a fresh start. */
function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (entries === undefined || entries === null) return false;
  if (entries.length === 0) return true;
  return entries.length === 1 && Object.keys(entries[0]!).length === 0;
}

function decodeOrEmpty(entries: readonly ManagedFieldsEntry[] | undefined, trusted: boolean): Managers {
  try {
    return decodeManagers(entries, trusted);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return new Map();
  }
}

/** The object with these managers; itself when it has none and gets none. */
function withManagers<T extends KubeObject>(object: T, entries: readonly ManagedFieldsEntry[] | undefined): T {
  const { managedFields, ...metadata } = object.metadata;
  if (entries === undefined && managedFields === undefined) return object;
  return { ...object, metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries } };
}

/** Keeps the annotation of client-side apply in step, where there is one. */
function withLastApplied(object: KubeObject, config: JsonMap): KubeObject {
  const annotations = object.metadata.annotations;
  if (!annotations?.[lastAppliedAnnotation]) return object;
  const metadata = { ...(config['metadata'] as JsonMap) };
  if (isMap(metadata['annotations'])) {
    const { [lastAppliedAnnotation]: _, ...rest } = metadata['annotations'];
    metadata['annotations'] = rest;
    if (Object.keys(rest).length === 0) delete metadata['annotations'];
  }
  const text = `${writeSorted({ ...config, metadata })}\n`;
  const { [lastAppliedAnnotation]: _, ...others } = annotations;
  let sizeBytes = Buffer.byteLength(lastAppliedAnnotation) + Buffer.byteLength(text);
  for (const [key, value] of Object.entries(others)) sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  const next = sizeBytes > maxAnnotationsBytes ? others : { ...annotations, [lastAppliedAnnotation]: text };
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

/** How messages name a manager. */
function managerText({ name, subresource, operation, apiVersion }: Manager): string {
  const where = subresource === '' ? goQuote(name) : `${goQuote(name)} with subresource ${goQuote(subresource)}`;
  return operation === 'Update' ? `${where} using ${apiVersion}` : where;
}

/** 409 with a cause for each conflict. Upstream: internal/conflict.go. */
function conflictError(conflicts: readonly FieldConflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(manager)}`,
    field: pathText(path),
  }));
  return new StatusError({ code: 409, reason: 'Conflict', message: conflictText(conflicts), details: { causes } });
}

function conflictText(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${managerText(first!.manager)}: ${pathText(first!.path)}`;
  }
  const lines: string[] = [];
  let current: Manager | undefined;
  for (const { manager, path } of conflicts) {
    if (manager !== current) lines.push(`conflicts with ${managerText(manager)}:`);
    current = manager;
    lines.push(`- ${pathText(path)}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/**
 * `next` with the times of `live`'s entries where nothing else in the two objects differs, so that a write that
 * changes nothing is none. `same` says whether two objects with the same entries are one: for a built-in kind `{}` and
 * nothing are the same map. Upstream: apiserver pkg/endpoints/handlers/fieldmanager/equality.go.
 */
export function ignoreManagedFieldsTimestamps<T extends KubeObject>(
  next: T,
  live: KubeObject,
  same: (next: KubeObject, live: KubeObject) => boolean = sameButVersion,
): T {
  const entries = next.metadata.managedFields;
  const before = live.metadata.managedFields;
  if (entries === undefined || before === undefined || entries.length !== before.length) return next;
  const untimed = (list: readonly ManagedFieldsEntry[]): unknown => list.map(({ time: _, ...entry }) => entry);
  if (!equalValues(untimed(entries), untimed(before))) return next;
  const timed = withManagers(next, before);
  return same(timed, live) ? timed : next;
}

function sameButVersion(next: KubeObject, live: KubeObject): boolean {
  const bare = (object: KubeObject): unknown => {
    const { resourceVersion: _, ...metadata } = object.metadata;
    return { ...object, metadata };
  };
  return equalValues(bare(next), bare(live));
}
