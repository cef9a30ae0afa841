/**
 * The managers of an object and what each owns: decoded from and encoded to `metadata.managedFields`.
 * Upstream: apimachinery pkg/util/managedfields/internal/{managedfields,capmanagers,buildmanagerinfo}.go.
 * Deviation: the first moment of year 1, Go's zero, is no time; upstream shows a client that sends it null.
 */

import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import type { JsonObject, ManagedFieldsEntry } from '../meta.ts';
import { parseTimeMs } from '../time.ts';
import { emptySet, type FieldSet, readSet, sortSet, unionSets } from './field-set.ts';

/** What one manager owns. An applier has one of these a subresource, an updater one a subresource and version. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339; absent in entries that were never timed. */
  readonly time?: string;
  readonly set: FieldSet;
  /** The entry that this was read from, as long as nothing changed. */
  readonly entry?: ManagedFieldsEntry;
}

/** By identity; see {@link managerKey}. */
export type Managers = Map<string, Manager>;

/** What makes a manager one and the same: for appliers not the version. */
export function managerKey(manager: Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const version = manager.operation === 'Apply' ? '' : manager.apiVersion;
  return `${manager.name}\0${manager.operation}\0${version}\0${manager.subresource}`;
}

/**
 * Reads `managedFields`. `trusted` entries were written by a server, so that their sets are canonical; others are made
 * so. Throws InputError `schema` for an entry that is malformed.
 */
export function decodeManagers(entries: readonly ManagedFieldsEntry[] | undefined, trusted: boolean): Managers {
  const managers: Managers = new Map();
  for (const [i, entry] of (entries ?? []).entries()) {
    const { operation, apiVersion = '', fieldsType = '' as string, subresource = '' } = entry;
    if (operation !== 'Apply' && operation !== 'Update') {
      throw new InputError('schema', 'operation must be `Apply` or `Update`');
    }
    if (apiVersion === '') throw new InputError('schema', 'apiVersion must not be empty');
    if (fieldsType === '') throw new InputError('schema', `missing fieldsType in managed fields entry ${i}`);
    if (fieldsType !== 'FieldsV1') {
      throw new InputError('schema', `invalid fieldsType ${goQuote(fieldsType)} in managed fields entry ${i}`);
    }
    const fields = (entry.fieldsV1 ?? emptySet) as JsonObject;
    const manager: Manager = {
      name: entry.manager ?? '',
      operation,
      apiVersion,
      subresource,
      ...(entry.time !== undefined && entry.time !== null && { time: entry.time }),
      set: trusted ? (fields as FieldSet) : readSet(fields),
      ...(trusted && { entry }),
    };
    managers.set(managerKey(manager), manager);
  }
  return managers;
}

/** Why entries that others wrote cannot be read; undefined when they can. Upstream: ValidateManagedFields. */
export function managedFieldsProblem(entries: readonly ManagedFieldsEntry[] | undefined): string | undefined {
  try {
    decodeManagers(entries, false);
    return undefined;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

const seconds = (manager: Manager): number =>
  manager.time === undefined ? 0 : Math.floor(parseTimeMs(manager.time) / 1000) || 0;

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The entries to store, in upstream's order; undefined when there is none. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  const sorted = [...managers.values()].sort(
    (a, b) =>
      order(a.operation, b.operation) ||
      seconds(a) - seconds(b) ||
      order(a.name, b.name) ||
      order(a.apiVersion, b.apiVersion) ||
      order(a.subresource, b.subresource),
  );
  return sorted.map(encodeManager);
}

function encodeManager(manager: Manager): ManagedFieldsEntry {
  const { entry } = manager;
  if (entry !== undefined && entry.fieldsV1 === manager.set && entry.time === manager.time) return entry;
  return {
    ...(manager.name !== '' && { manager: manager.name }),
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time !== undefined && { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: sortSet(manager.set) as JsonObject,
    ...(manager.subresource !== '' && { subresource: manager.subresource }),
  };
}

/** Updaters beyond this many are merged, oldest first. */
const maxUpdateManagers = 10;
const bucketName = 'ancient-changes';

/** Merges the oldest updaters, version by version, until there are no more than upstream keeps. */
export function capManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update');
  let count = updaters.length;
  if (count <= maxUpdateManagers) return;
  updaters.sort(([keyA, a], [keyB, b]) => seconds(a) - seconds(b) || order(keyA, keyB));
  const first = new Map<string, string>();
  for (const [key, manager] of updaters) {
    if (count <= maxUpdateManagers) return;
    const { apiVersion, time } = manager;
    const firstKey = first.get(apiVersion);
    if (firstKey === undefined) {
      first.set(apiVersion, key);
      continue;
    }
    const identity = { name: bucketName, operation: 'Update', apiVersion, subresource: '' } as const;
    const bucket = managerKey(identity);
    const before = managers.get(bucket) ?? managers.get(firstKey)!;
    if (!managers.has(bucket)) managers.delete(firstKey);
    if (key !== bucket) managers.delete(key);
    managers.set(bucket, { ...identity, set: unionSets(before.set, manager.set), ...(time !== undefined && { time }) });
    count--;
  }
}

/**
 * The manager's name of a request: the parameter, or what the user agent begins with. Upstream: apiserver
 * pkg/endpoints/handlers/create.go (managerOrUserAgent).
 */
export function managerOrUserAgent(fieldManager: string, userAgent: string): string {
  if (fieldManager !== '') return fieldManager;
  const prefix = userAgent.split('/', 1)[0]!;
  const printable = [...prefix].filter(char => char === ' ' || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)).join('');
  let bytes = 0;
  let out = '';
  for (const char of printable) {
    bytes += Buffer.byteLength(char);
    if (bytes > 128) break;
    out += char;
  }
  return out;
}
