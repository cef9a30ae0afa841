/**
 * PATCH: JSON patch, merge patch and strategic merge patch, tried again on the newest state when somebody else wrote.
 * Upstream: apiserver pkg/endpoints/handlers/patch.go.
 */
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicPatch,
  badRequest,
  checkUnstructured,
  type Draft,
  FieldPath,
  goPrint,
  InputError,
  internalError,
  invalid,
  invalidValue,
  type JsonObject,
  type KubeObject,
  notFound,
  parseJsonPatch,
  parseMapPatch,
  parseMergePatch,
  readAnyJson,
  readJson,
  readTypeMeta,
  requestEntityTooLarge,
  StatusError,
  validatePatchOptions,
  writeJson,
  writeOrdered,
  writeSorted,
} from '#apimachinery';
import { header, type ServerResponse } from '../http/message.ts';
import { apiVersionText, type ServedResource } from '../scheme/resource.ts';
import {
  type FieldValidation,
  fieldValidationOf,
  noKindText,
  otherKindText,
  ownStruct,
} from '../serialization/decode-body.ts';
import { unsupportedMediaType } from '../serialization/negotiation.ts';
import { respondObject } from '../serialization/respond.ts';
import { applyObject } from './apply.ts';
import { nameMissing, outputOf } from './common.ts';
import { settleNamespace } from './create.ts';
import { isDryRun, patchOptions } from './options.ts';
import { maxBodyBytes, type Scope } from './scope.ts';
import { checkName, managed, writeContext } from './update.ts';

export const applyType = 'application/apply-patch+yaml';
const strategicType = 'application/strategic-merge-patch+json';
const builtinTypesOfPatches = ['application/json-patch+json', 'application/merge-patch+json', strategicType, applyType];

/** What a patch makes of an object in the request's version, as a value of its type. */
export interface Patched {
  readonly object: Draft<KubeObject>;
  readonly strictErrors: readonly string[];
  /** What errors show as the refused value. */
  readonly shown: unknown;
}

/** A patch body that has been read once and applies to any state. */
export type Mechanism = (current: KubeObject, target: PatchTarget) => Patched;

/** The type that a patched document is read as. */
export type PatchTarget = Pick<ServedResource, 'struct' | 'codec' | 'group' | 'version' | 'kind'>;

/** Patch types that a resource takes, in upstream's order. */
export function patchTypesOf(resource: ServedResource): readonly string[] {
  return resource.custom ? builtinTypesOfPatches.filter(type => type !== strategicType) : builtinTypesOfPatches;
}

export async function patchObject(scope: Scope): Promise<ServerResponse> {
  const { request, resource, subject, deps } = scope;
  const type = (header(request, 'content-type') ?? '').split(';')[0]!;
  const types = patchTypesOf(resource);
  if (!types.includes(type)) throw unsupportedMediaType(types);
  if (scope.name === '') throw nameMissing();
  const output = outputOf(scope);
  const body = await request.body(maxBodyBytes);
  const options = patchOptions(request.query);
  const errors = validatePatchOptions(options, type === applyType);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', errors);
  request.audit?.requestPatch(body);
  if (type === applyType) return applyObject(scope, body, options, output);
  const validation = fieldValidationOf(options.fieldValidation);
  // Read when there is something to patch: 404 comes before what is wrong with the patch.
  let mechanism: Mechanism | undefined;
  const { context, admitUpdate } = writeContext(scope, isDryRun(options), { ...options });
  const { object: stored } = await deps.registry.update(
    resource,
    async existing => {
      // Only apply makes what does not exist, even of kinds that PUT may create.
      if (!existing) throw notFound(context.requestResource, context.name);
      const old = existing.decoded();
      mechanism ??= mechanismOf(type, body, validation);
      const draft = await patched(scope, mechanism, old, validation, options.fieldManager, type);
      await admitUpdate(draft, old);
      return subject.toStored(draft, existing);
    },
    context,
  );
  const shown = { request, resource: subject.resource, output, nowMs: deps.clock.now() };
  return respondObject(subject.source(stored), shown);
}

/** Applies the patch in the request's version, checks what came out, and converts it for the store. */
export async function patched(
  scope: Scope,
  mechanism: Mechanism,
  old: KubeObject,
  validation: FieldValidation,
  fieldManager: string | undefined,
  type: string,
): Promise<Draft<KubeObject>> {
  const { subject, name, namespace } = scope;
  const { resource } = subject;
  const made = translated(() => mechanism(subject.live(old), resource));
  const { object } = made;
  report(made, validation, scope.warn);
  const own = apiVersionText(resource);
  const strategic = type === strategicType;
  const other = (object.kind ?? resource.kind) !== resource.kind || (object.apiVersion ?? own) !== own;
  // What a custom kind claims to be is checked with the rest of it.
  if (other && !strategic && !resource.custom) {
    const { apiVersion = own, kind = resource.kind } = object;
    throw refusedPatch(made.shown, noKindText({ apiVersion, kind }));
  }
  if (!resource.custom) {
    object.apiVersion = own;
    object.kind = resource.kind;
  }
  object.metadata ??= {};
  settleNamespace(object, resource, namespace);
  checkName(object, name, namespace);
  // No converter of upstream's goes without.
  if (!object.apiVersion) throw internalError("Object 'apiVersion' is missing in 'object has no apiVersion field'");
  resource.rules.defaults?.(object);
  return subject.toAdmitted(await managed(scope, object, old, fieldManager));
}

function report({ strictErrors, shown }: Patched, validation: FieldValidation, warn: (text: string) => void): void {
  if (strictErrors.length === 0 || validation === 'Ignore') return;
  if (validation === 'Warn') {
    for (const text of strictErrors) warn(text);
    return;
  }
  throw refusedPatch(shown, `strict decoding error: ${strictErrors.join(', ')}`);
}

function refusedPatch(shown: unknown, why: string): StatusError {
  return invalid({ group: '', kind: '' }, '', [invalidValue(FieldPath.of('patch'), shown, why)]);
}

function mechanismOf(type: string, body: Uint8Array, validation: FieldValidation): Mechanism {
  const text = Buffer.from(body).toString();
  const strict = validation !== 'Ignore';
  switch (type) {
    case 'application/json-patch+json': {
      const { operations, strictErrors } = translated(() => parseJsonPatch(text, strict));
      return (current, target) => {
        const document = applyJsonPatch(plain(current, target), operations);
        return decoded(document, target, strict, strictErrors);
      };
    }
    case 'application/merge-patch+json': {
      const { patch, strictErrors } = translated(() => parseMergePatch(text));
      return (current, target) => {
        const document = applyMergePatch(plain(current, target), patch);
        return decoded(document, target, strict, strictErrors);
      };
    }
    default: {
      const { patch, strictErrors } = translated(() => parseMapPatch(text, ''));
      return (current, target) => {
        const document = applyStrategicPatch(plain(current, target), patch, target.struct);
        const shown = goPrint(withoutReplace(patch));
        converted(document, target, shown);
        const made = typed(written(document, target), target, [], shown);
        // Upstream's converter sorts what it does not know; what the patch says twice stands before that.
        return { ...made, strictErrors: [...(strict ? strictErrors : []), ...made.strictErrors.toSorted()] };
      };
    }
  }
}

/** A patched document as the object that upstream's codec reads in its text. Throws 422. */
function decoded(document: unknown, target: PatchTarget, strict: boolean, strictErrors: readonly string[]): Patched {
  if (!target.codec) checkClaim(document, target);
  return unversioned(document, target, strict) ?? typed(written(document, target), target, strict ? strictErrors : []);
}

/** What a document says that it is has to be readable, and of the kind. Throws 422. */
function checkClaim(document: unknown, target: PatchTarget): void {
  const isMap = document !== null && typeof document === 'object' && !Array.isArray(document);
  const { apiVersion = '', kind = '' } = (isMap ? document : {}) as JsonObject;
  const own = apiVersionText(target);
  if (isMap && (kind === target.kind || kind === '') && (apiVersion === own || apiVersion === '')) return;
  const text = written(document, target);
  try {
    const claimed = readTypeMeta(text);
    const seen = { apiVersion: claimed.apiVersion, kind: claimed.kind || target.kind };
    if (seen.kind === target.kind && (seen.apiVersion || own) === own) return;
    const struct = ownStruct(seen);
    if (struct) readJson(text, struct);
    throw refusedPatch(text, otherKindText(seen, target));
  } catch (error) {
    if (error instanceof InputError) throw refusedPatch(text, error.message);
    throw error;
  }
}

/** As Go would show the object to the patch: with the fields that it always writes. */
function plain(current: KubeObject, { struct, codec }: PatchTarget): JsonObject {
  if (codec) return structuredClone(current) as unknown as JsonObject;
  return readAnyJson(writeJson(current, struct)) as JsonObject;
}

/** A patched document as text, which errors show: of custom kinds it is a map's, whose keys are sorted. */
function written(document: unknown, { codec }: PatchTarget): string {
  return codec ? writeSorted(document) : writeOrdered(document);
}

/**
 * A document that lost its apiVersion is read as upstream's internal type, which has none of these names: nothing is
 * left of it.
 */
function unversioned(document: unknown, { codec }: PatchTarget, strict: boolean): Patched | undefined {
  if (codec || document === null || typeof document !== 'object' || Array.isArray(document)) return undefined;
  const { apiVersion, kind: _, ...fields } = document as JsonObject;
  if (apiVersion) return undefined;
  const unknown = Object.keys(fields)
    .sort()
    .map(name => `unknown field ${JSON.stringify(name)}`);
  const object = { metadata: {} } as unknown as Draft<KubeObject>;
  return { object, strictErrors: strict ? unknown : [], shown: writeOrdered(document) };
}

/** Throws 422 for a document that upstream's converter does not take, in its words. */
function converted(document: unknown, { struct }: PatchTarget, shown: string): void {
  try {
    checkUnstructured(document as Record<string, unknown>, struct);
  } catch (error) {
    if (error instanceof InputError) throw refusedPatch(shown, error.message);
    throw error;
  }
}

/** The patched document read again as its type. Throws 422 when it is none. */
function typed(
  text: string,
  { struct, codec }: PatchTarget,
  before: readonly string[],
  shown: unknown = text,
): Patched {
  try {
    if (codec) {
      const { object, strictErrors } = codec.read(text);
      return { object, strictErrors: [...before, ...strictErrors], shown };
    }
    const { value, strictErrors } = readJson(text, struct);
    return { object: value as Draft<KubeObject>, strictErrors: [...before, ...strictErrors], shown };
  } catch (error) {
    if (error instanceof InputError) throw refusedPatch(shown, error.message);
    throw error;
  }
}

/** Upstream takes the directive out of the patch as it follows it. */
function withoutReplace(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([key, item]) => !(key === '$patch' && item === 'replace'));
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutReplace(item)]));
}

/** Errors of patches as the answers that upstream gives for them. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    switch (error.code) {
      case 'patchTooLarge':
        throw requestEntityTooLarge(error.message);
      case 'patchRejected':
        throw new StatusError({
          code: 422,
          reason: 'Invalid',
          message: 'the server rejected our request due to an error in our request',
          details: {},
        });
      case 'patchFailed':
        throw new StatusError({ code: 500, message: error.message });
      default:
        throw badRequest(error.message);
    }
  }
}
