/**
 * Errors at the API's edge: `Status` objects with upstream's reasons and texts.
 * Upstream: apimachinery pkg/api/errors/errors.go, pkg/apis/meta/v1/types.go.
 */
import { aggregateText, type FieldError, goQuote, toldErrors } from './field.ts';
import { groupResourceText } from './gvk.ts';
import type { ListMeta } from './meta.ts';

export type StatusReason =
  | ''
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'ServerTimeout'
  | 'StoreReadError'
  | 'Timeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'Expired'
  | 'ServiceUnavailable';

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: ListMeta;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** What a verb at the API throws. Carries the `Status` that is sent; its message is the status message. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: Status;

  constructor(status: Omit<Status, 'kind' | 'apiVersion' | 'metadata' | 'status'> & { metadata?: ListMeta }) {
    super(status.message ?? status.reason ?? '');
    const { metadata = {}, message, reason, details, ...rest } = status;
    // In the order of upstream's fields, in which it is written.
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata,
      status: 'Failure',
      ...(message !== undefined && { message }),
      ...(reason !== undefined && { reason }),
      ...(details !== undefined && { details }),
      ...rest,
    };
  }

  get code(): number {
    return this.status.code;
  }

  get reason(): StatusReason {
    return this.status.reason ?? '';
  }
}

/** True when `error` is a StatusError, of one of `reasons` if any are given. */
export function isStatusError(error: unknown, ...reasons: StatusReason[]): error is StatusError {
  return error instanceof StatusError && (reasons.length === 0 || reasons.includes(error.reason));
}

/** Which resource (`kind` is by upstream's habit the lower-case plural) an error is about. */
export interface ResourceRef {
  readonly group: string;
  readonly resource: string;
}

const about = (ref: ResourceRef, name: string): StatusDetails => ({
  ...(name && { name }),
  ...(ref.group && { group: ref.group }),
  kind: ref.resource,
});

export function notFound(ref: ResourceRef, name: string): StatusError {
  const message = `${groupResourceText(ref)} ${goQuote(name)} not found`;
  return new StatusError({ code: 404, reason: 'NotFound', message, details: about(ref, name) });
}

export function alreadyExists(ref: ResourceRef, name: string): StatusError {
  const message = `${groupResourceText(ref)} ${goQuote(name)} already exists`;
  return new StatusError({ code: 409, reason: 'AlreadyExists', message, details: about(ref, name) });
}

export function conflict(ref: ResourceRef, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${groupResourceText(ref)} ${goQuote(name)}: ${why}`;
  return new StatusError({ code: 409, reason: 'Conflict', message, details: about(ref, name) });
}

/** The text of {@link conflict} for a stale resourceVersion. Upstream: registry/generic/registry/store.go. */
export const optimisticLockText =
  'the object has been modified; please apply your changes to the latest version and try again';

export function forbidden(ref: ResourceRef, name: string, why: string): StatusError {
  const what = groupResourceText(ref);
  let message = `forbidden: ${why}`;
  if (ref.resource) message = name ? `${what} ${goQuote(name)} is forbidden: ${why}` : `${what} is ${message}`;
  return new StatusError({ code: 403, reason: 'Forbidden', message, details: about(ref, name) });
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError({ code: 401, reason: 'Unauthorized', message });
}

export function badRequest(message: string): StatusError {
  return new StatusError({ code: 400, reason: 'BadRequest', message });
}

/** 422 from field errors, in the order given. `kind` is the kind's name, `group` its group. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const causes = toldErrors(errors).map(error => ({ reason: error.type, message: error.body, field: error.field }));
  const what = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message:
      errors.length > 0
        ? `${what} ${goQuote(name)} is invalid: ${aggregateText(errors)}`
        : `${what} ${goQuote(name)} is invalid`,
    details: {
      ...(name && { name }),
      ...(kind.group && { group: kind.group }),
      ...(kind.kind && { kind: kind.kind }),
      causes,
    },
  });
}

export function gone(message: string): StatusError {
  return new StatusError({ code: 410, reason: 'Gone', message });
}

/** 410 Expired: a resourceVersion or continue token older than history; clients list again. */
export function expired(message: string, metadata?: ListMeta): StatusError {
  return new StatusError({ code: 410, reason: 'Expired', message, ...(metadata && { metadata }) });
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds } });
}

export function timeout(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: ${message}`,
    details: { ...(retryAfterSeconds > 0 && { retryAfterSeconds }) },
  });
}

export function serviceUnavailable(message: string): StatusError {
  return new StatusError({ code: 503, reason: 'ServiceUnavailable', message });
}

export function requestEntityTooLarge(message: string): StatusError {
  return new StatusError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: ${message}`,
  });
}

export function internalError(message: string): StatusError {
  return new StatusError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
}
