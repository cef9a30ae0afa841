/**
 * AdmissionReview, v1 and v1beta1: what a webhook is asked, and what it answered.
 * Upstream: apiserver pkg/admission/plugin/webhook/request/admissionreview.go.
 */
import { builtinTypes } from '#api/tables';
import type { Status } from '#apimachinery';
import { InputError, readJson, readTypeMeta, yamlToJson } from '#apimachinery';
import type { AdmissionAttributes } from '../../chain.ts';
import type { Invocation } from '../matching.ts';
import { objectJson, structOf, type VersionedObjects } from '../versioned.ts';

export type ReviewVersion = 'v1' | 'v1beta1';

/** The first version that both know; undefined when there is none. */
export function reviewVersionOf(versions: readonly string[]): ReviewVersion | undefined {
  return versions.find((version): version is ReviewVersion => version === 'v1' || version === 'v1beta1');
}

const optionKinds: Readonly<Record<string, string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
};

/** Options as their own kind; those of a connection are its object. */
export function operationOptions({ operation, options }: AdmissionAttributes): Record<string, unknown> | null {
  const kind = optionKinds[operation];
  if (kind === undefined) return null;
  const { force: _, ...rest } = options as Record<string, unknown>;
  return { kind, apiVersion: 'meta.k8s.io/v1', ...rest };
}

/** The body of a call. */
export function reviewRequest(
  uid: string,
  version: ReviewVersion,
  invocation: Invocation,
  objects: VersionedObjects,
): string {
  const { attributes } = objects;
  const { kind, resource } = invocation;
  const { requested, user } = attributes;
  const struct = structOf(attributes, invocation);
  const { object, old } = objects.in(invocation);
  const head = {
    uid,
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
    resource: { group: resource.group, version: resource.version, resource: resource.resource },
    ...(attributes.subresource !== '' && { subResource: attributes.subresource }),
    requestKind: attributes.kind,
    requestResource: { group: requested.group, version: requested.version, resource: requested.resource },
    ...(attributes.subresource !== '' && { requestSubResource: attributes.subresource }),
    ...(attributes.name !== '' && { name: attributes.name }),
    ...(attributes.namespace !== '' && { namespace: attributes.namespace }),
    operation: attributes.operation,
    userInfo: {
      ...(user.name !== '' && { username: user.name }),
      ...(user.uid !== '' && { uid: user.uid }),
      ...(user.groups.length > 0 && { groups: user.groups }),
      ...(Object.keys(user.extra).length > 0 && { extra: user.extra }),
    },
  };
  const parts = [
    `"object":${objectJson(object, struct)}`,
    `"oldObject":${objectJson(old, struct)}`,
    `"dryRun":${attributes.dryRun}`,
    `"options":${JSON.stringify(operationOptions(attributes))}`,
  ];
  const request = `${JSON.stringify(head).slice(0, -1)},${parts.join(',')}}`;
  return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/${version}","request":${request}}`;
}

export interface ReviewResponse {
  readonly allowed: boolean;
  /** JSON text of a JSON patch; empty: none. */
  readonly patch: string;
  readonly patchType: string;
  readonly result: Partial<Status> | undefined;
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** An answer that is none: its message is upstream's. `decoding` when not even a review could be read. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
  readonly decoding: boolean;

  constructor(message: string, decoding: boolean) {
    super(message);
    this.decoding = decoding;
  }
}

interface Response {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: Partial<Status>;
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly warnings?: readonly string[];
}

function decode(
  body: Buffer,
  version: ReviewVersion,
): { apiVersion: string; kind: string; response: Response | undefined } {
  try {
    const json = jsonOf(body);
    const { apiVersion, kind } = readTypeMeta(json);
    checkType(apiVersion, kind, version);
    const { value } = readJson(json, builtinTypes.struct('io.k8s.api.admission.v1.AdmissionReview'));
    const response = (value as { response?: Response } | null)?.response;
    if (response?.patch !== undefined) checkBase64(response.patch);
    return { apiVersion, kind, response };
  } catch (error) {
    if (error instanceof InputError) throw new ReviewError(error.message, true);
    throw error;
  }
}

/** What does not begin as a JSON object is read as YAML. Throws an InputError. */
function jsonOf(body: Buffer): Buffer {
  if (/^\s*[{[]/.test(body.toString('latin1', 0, 1024))) return body;
  const { json } = yamlToJson(body.toString());
  // An empty document is read into the type that was waited for.
  return Buffer.from(json === 'null' ? '{}' : json);
}

/** What says nothing of its type is taken for what was waited for. */
function checkType(apiVersion: string, kind: string, version: ReviewVersion): void {
  const type = `${apiVersion || `${group}/${version}`}, Kind=${kind || 'AdmissionReview'}`;
  if (type === `${group}/${version}, Kind=AdmissionReview`) return;
  const other = version === 'v1' ? 'v1beta1' : 'v1';
  if (type === `${group}/${other}, Kind=AdmissionReview`) {
    const text = `converting (${other}.AdmissionReview) to (${version}.AdmissionReview): unknown conversion`;
    throw new ReviewError(text, true);
  }
  const shown = `no kind ${JSON.stringify(kind || 'AdmissionReview')} is registered for version`;
  const scheme = 'pkg/runtime/scheme.go:111';
  throw new ReviewError(`${shown} ${JSON.stringify(apiVersion || `${group}/${version}`)} in scheme "${scheme}"`, true);
}

/** Buffer.from takes anything. */
function checkBase64(text: string): void {
  const plain = text.replace(/[\r\n]/g, '');
  const at = plain.search(/[^A-Za-z0-9+/=]/);
  const isWrong = at >= 0 || plain.length % 4 !== 0 || !/^[^=]*={0,2}$/.test(plain);
  if (isWrong) throw new ReviewError(`illegal base64 data at input byte ${at >= 0 ? at : plain.length}`, true);
}

const group = 'admission.k8s.io';

/** Throws a ReviewError. */
export function readReview(body: Buffer, uid: string, version: ReviewVersion, mutating: boolean): ReviewResponse {
  const { apiVersion, kind, response } = decode(body, version);
  const wrong = (why: string): never => {
    throw new ReviewError(why, false);
  };
  if (!response) return wrong('webhook response was absent');
  if (version === 'v1') {
    if ((response.uid ?? '') !== uid) {
      wrong(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
    }
    if (apiVersion !== `${group}/v1` || kind !== 'AdmissionReview') {
      wrong(`expected webhook response of ${group}/v1, Kind=AdmissionReview, got ${apiVersion || '/'}, Kind=${kind}`);
    }
    checkPatch(response, mutating, wrong);
  }
  const { patch = '', patchType } = response;
  const beta = version === 'v1beta1' && mutating && patch !== '' ? 'JSONPatch' : '';
  return {
    allowed: response.allowed ?? false,
    patch: mutating ? Buffer.from(patch, 'base64').toString() : '',
    patchType: version === 'v1' ? (patchType ?? '') : beta,
    result: response.status,
    auditAnnotations: response.auditAnnotations ?? {},
    warnings: response.warnings ?? [],
  };
}

function checkPatch({ patch = '', patchType }: Response, mutating: boolean, wrong: (why: string) => never): void {
  if (!mutating) {
    if (patch !== '') wrong('validating webhook may not return response.patch');
    if (patchType !== undefined) wrong('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && patchType === undefined) wrong('webhook returned response.patch but not response.patchType');
  if (patch === '' && patchType !== undefined) wrong('webhook returned response.patchType but not response.patch');
  if (patchType === '') wrong('webhook returned invalid response.patchType of ""');
}
