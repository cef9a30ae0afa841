/**
 * Options of lists and watches: parsed, validated, selectors compiled. Upstream: apiserver
 * pkg/endpoints/handlers/get.go, apimachinery internalversion/validation, storage/continue.go, storage/errors.go.
 */
import {
  badRequest,
  type FieldError,
  FieldPath,
  FieldsSelector,
  forbiddenField,
  gone,
  goQuote,
  InputError,
  invalid,
  isStatusError,
  LabelsSelector,
  notSupported,
  parseFieldSelector,
  parseLabelSelector,
  parseResourceVersion,
  readJson,
  StatusError,
} from '#apimachinery';
import type { Clock } from '#base';
import { booleanParameter } from '../filters/request-info.ts';
import type { Query } from '../http/message.ts';
import type { ObjectCache, ObjectItem } from '../registry/caches.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { integerParameter } from './options.ts';

export interface ListOptions {
  /** As the query says: false of what the deprecated paths of watches ask for, whose options are those of lists. */
  readonly watch: boolean;
  readonly labels: LabelsSelector;
  readonly fields: FieldsSelector;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly limit: number;
  readonly continue: string;
  readonly timeoutSeconds: number | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

/** Upstream's blockTimeout: how long a read waits for a revision that is not there yet. */
const freshTimeoutMs = 3000;

/** Throws 400 and 422 as upstream does. `name`: the object that a request for one object names. */
export function listOptions(query: Query, resource: ServedResource, name = ''): ListOptions {
  const send = query.get('sendInitialEvents');
  // Numbers are read before selectors are, so that of two mistakes theirs is told.
  const timeoutSeconds = integerParameter(query, 'timeoutSeconds');
  const limit = integerParameter(query, 'limit') ?? 0;
  const options = withDefaults({
    watch: booleanParameter(query.get('watch')),
    labels: labelsOf(query),
    fields: parsedFields(query),
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit,
    continue: query.get('continue') ?? '',
    timeoutSeconds,
    allowWatchBookmarks: booleanParameter(query.get('allowWatchBookmarks')),
    sendInitialEvents: send === undefined ? undefined : booleanParameter(send),
  });
  const errors = options.watch ? validateWatch(options) : validateList(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  return { ...options, fields: fieldsOf(options.fields, resource, name) };
}

/** A watch that says nothing of where it begins asks for the present and its end. */
function withDefaults(options: ListOptions): ListOptions {
  const { watch, resourceVersion, resourceVersionMatch, sendInitialEvents } = options;
  if (!watch || sendInitialEvents !== undefined || resourceVersionMatch !== '') return options;
  if (resourceVersion !== '' && resourceVersion !== '0') return options;
  return { ...options, sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' };
}

function labelsOf(query: Query): LabelsSelector {
  const text = query.get('labelSelector') ?? '';
  if (text === '') return LabelsSelector.everything;
  try {
    return parseLabelSelector(text);
  } catch (error) {
    if (error instanceof InputError) throw badRequest(error.message);
    throw error;
  }
}

function parsedFields(query: Query): FieldsSelector {
  const text = query.get('fieldSelector') ?? '';
  if (text === '') return FieldsSelector.everything;
  try {
    return parseFieldSelector(text);
  } catch (error) {
    if (error instanceof InputError) throw badRequest(error.message);
    throw error;
  }
}

/** Told after the options were found to be valid. */
function fieldsOf(parsed: FieldsSelector, resource: ServedResource, name: string): FieldsSelector {
  let selector = parsed;
  for (const { field } of selector.requirements) checkField(field, resource);
  selector = asStored(selector, resource);
  if (name === '') return selector;
  if (!selector.isEmpty && selector.requiredValue('metadata.name') !== name) {
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  }
  return new FieldsSelector([...selector.requirements, { field: 'metadata.name', operator: '=', value: name }]);
}

/** With the names that the stored version uses. */
function asStored(selector: FieldsSelector, resource: ServedResource): FieldsSelector {
  const renamed = resource.rules.selectableFields?.renamed;
  if (!renamed || selector.isEmpty) return selector;
  return new FieldsSelector(
    selector.requirements.map(each => ({
      ...each,
      field: Object.hasOwn(renamed, each.field) ? renamed[each.field]! : each.field,
    })),
  );
}

function checkField(field: string, resource: ServedResource): void {
  const own = resource.rules.selectableFields?.names;
  // Kinds that name their own fields have a namespace only when they live in one.
  const namespace = field === 'metadata.namespace' && (resource.namespaced || (!resource.custom && !own));
  if (field === 'metadata.name' || namespace || own?.includes(field)) return;
  if (resource.custom) throw badRequest(`field label not supported: ${field}`);
  if (!own) {
    throw badRequest(`${goQuote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`);
  }
  if (resource.group === 'resource.k8s.io') {
    const { group, version, kind } = resource;
    throw badRequest(`field label not supported for ${group}/${version}, Kind=${kind}: ${field}`);
  }
  if (resource.group === 'batch') {
    throw badRequest(`field label ${JSON.stringify(field)} not supported for ${resource.kind}`);
  }
  throw badRequest(`field label not supported: ${field}`);
}

const matchPath = FieldPath.of('resourceVersionMatch');

function validateList(options: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceVersionMatch: match, resourceVersion } = options;
  if (match !== '') {
    if (resourceVersion === '') {
      errors.push(forbiddenField(matchPath, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
    }
    if (options.continue !== '') {
      errors.push(forbiddenField(matchPath, 'resourceVersionMatch is forbidden when continue is provided'));
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(notSupported(matchPath, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && resourceVersion === '0') {
      errors.push(forbiddenField(matchPath, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (options.sendInitialEvents !== undefined) {
    errors.push(forbiddenField(FieldPath.of('sendInitialEvents'), 'sendInitialEvents is forbidden for list'));
  }
  return errors;
}

function validateWatch(options: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(forbiddenField(matchPath, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) {
      errors.push(
        forbiddenField(matchPath, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
      );
    }
    if (match !== 'NotOlderThan') errors.push(notSupported(matchPath, match, ['NotOlderThan']));
    if (options.continue !== '') {
      errors.push(forbiddenField(matchPath, 'resourceVersionMatch is forbidden when continue is provided'));
    }
  }
  return errors;
}

/** Whether an object is selected; looks at the index record alone. */
export function selects({
  labels,
  fields,
}: Pick<ListOptions, 'labels' | 'fields'>): ((item: ObjectItem) => boolean) | undefined {
  if (labels.isEmpty && fields.isEmpty) return undefined;
  return item => labels.matches(item.labels) && fields.matches(item.fields);
}

/** A resourceVersion as a number. Throws 400 with upstream's text. */
export function revisionOf(text: string): number {
  try {
    return Number(parseResourceVersion(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw invalidVersion(text, why);
  }
}

/** The same for GET and watches: upstream has no better answer for a version that is none than its store's error. */
export function storeRevisionOf(text: string): number {
  try {
    return revisionOf(text);
  } catch (error) {
    throw isStatusError(error) ? new StatusError({ code: 500, message: error.message }) : error;
  }
}

/** The same for lists, which say a little more. */
export function listRevisionOf(text: string): number {
  try {
    return revisionOf(text);
  } catch (error) {
    throw isStatusError(error) ? badRequest(`invalid resource version: ${error.message}`) : error;
  }
}

function invalidVersion(text: string, why: string): StatusError {
  const message = `Invalid value: ${goQuote(text)}: ${why}`;
  return badRequest(`resourceVersion: ${message}`);
}

/** Waits until the cache shows the revision; 504 with upstream's cause when it does not come. */
export async function waitForRevision(
  cache: ObjectCache,
  revision: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await cache.fresh(signal);
  if (cache.revision >= revision) return;
  const late = new AbortController();
  const timer = clock.setTimer(() => late.abort(new Error('late')), freshTimeoutMs);
  try {
    await cache.waitFor(revision, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (late.signal.aborted) throw tooLargeVersion(revision, cache.revision);
    throw error;
  } finally {
    timer.cancel();
  }
}

/** Upstream: storage/errors.go NewTooLargeResourceVersionError. */
export function tooLargeVersion(wanted: number, current: number): StatusError {
  return new StatusError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}

export interface ContinueToken {
  /** -1: the inconsistent rest, at whatever revision is current. */
  readonly revision: number;
  /** Key after which to go on, relative to the listed prefix. */
  readonly start: string;
}

export function encodeContinue(token: ContinueToken): string {
  const text = JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: `${token.start}\0` });
  return Buffer.from(text).toString('base64url');
}

/** Unpadded base64 of URLs, line ends left out. Throws an InputError in the words of Go's encoding/base64. */
function fromBase64Url(text: string): Buffer {
  const illegal = (at: number): InputError => new InputError('base64', `illegal base64 data at input byte ${at}`);
  const strange = text.search(/[^A-Za-z0-9_\n\r-]/);
  if (strange >= 0) throw illegal(strange);
  const bare = text.replace(/[\n\r]/g, '');
  if (bare.length % 4 === 1) throw illegal(text.length - 1);
  return Buffer.from(bare, 'base64url');
}

/** Throws 400 for what is no token of ours. */
export function decodeContinue(text: string): ContinueToken {
  const fail = (why: string): never => {
    throw badRequest(`invalid continue token: continue key is not valid: ${why}`);
  };
  let parsed: { v?: unknown; rv?: unknown; start?: unknown } = {};
  try {
    parsed = (readJson(fromBase64Url(text), { kind: 'any' }).value ?? {}) as typeof parsed;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    fail(error.message);
  }
  if (parsed.v !== 'meta.k8s.io/v1') fail(`server does not recognize this encoded version ${parsed.v ?? ''}`);
  const { rv, start } = parsed;
  if (typeof rv !== 'number' || rv === 0) fail('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') fail('encoded start key empty (version meta.k8s.io/v1)');
  const from = start as string;
  if (from.includes('..')) fail(from);
  return { revision: rv as number, start: from.endsWith('\0') ? from.slice(0, -1) : from };
}

export { gone };
