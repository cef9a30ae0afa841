/**
 * Field ownership of one endpoint (a kind in a version, main or subresource): tracking of updates, and server-side
 * apply. Upstream: apimachinery pkg/util/managedfields/internal/*.go, the whole chain of managers, in the order in
 * which upstream nests them.
 *
 * Objects are in the endpoint's API version. Nothing that is given is changed; what is answered may share structure
 * with it.
 */

import { InputError } from '../input-error.ts';
import { readJson } from '../json/read.ts';
import { writeOrdered } from '../json/write.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta.ts';
import { checkUnstructured } from '../patch/from-unstructured.ts';
import { cloneJson } from '../patch/json-patch.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { badRequest } from '../status.ts';
import { formatTime } from '../time.ts';
import { conflictError } from './conflicts.ts';
import { withManagers } from './entries.ts';
import { type FieldSet, hasPath, isEmptySet, setOfFields, subtractSet, unionSets } from './field-set.ts';
import { lastAppliedSet, withLastApplied } from './last-applied.ts';
import { capManagers, decodeManagers, encodeManagers, type Manager, type Managers, managerKey } from './managers.ts';
import { equalValues, isMap, type JsonMap, type Typed, withZeros } from './typed.ts';
import { FieldConflictsError, Updater } from './updater.ts';
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
    const allowed = options.manager === 'kubectl' ? lastAppliedSet(live, this.#typed(live)) : undefined;
    const left =
      allowed === undefined ? error.conflicts : error.conflicts.filter(({ path }) => !hasPath(allowed, path));
    if (left.length > 0) throw conflictError(left);
    return this.#applyOver(live, config, managers, { ...options, force: true });
  }

  #checkKind(config: JsonMap): void {
    const { apiVersion, kind } = this.#options;
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    const claimed = { apiVersion: text(config['apiVersion']), kind: text(config['kind']) };
    // A version that is none leaves no kind either.
    const given = claimed.apiVersion.split('/').length > 2 ? { apiVersion: '', kind: '' } : claimed;
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
