/**
 * What of an answer goes into its event: the Status that it is or that an error becomes, and the object as JSON, in the
 * version and form in which it was sent. Upstream: apiserver pkg/endpoints/handlers/responsewriters/writers.go, which
 * tells of what it encodes; texts, logs and what a backend answers are not told.
 */
import { builtinTypes } from '#api/tables';
import { isStatusError, type Status, writeJson } from '#apimachinery';
import { StorageError } from '#storage';
import type { RequestInfo } from '../filters/request-info.ts';
import { errorStatus, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { negotiateOutput } from '../serialization/negotiation.ts';

/** JSON of the object that the answer shows, less the newline; undefined: it shows none. */
export async function responseObject(response: ServerResponse, info: RequestInfo): Promise<string | undefined> {
  const { body, headers, logged } = response;
  if (logged?.json) return textOf(await logged.json());
  if (!showsObjects(info) || body.kind !== 'bytes') return undefined;
  const type = headers['content-type'];
  return typeof type === 'string' && type.startsWith('application/json') ? textOf(body.bytes) : undefined;
}

/** Resources, and the documents of discovery. */
function showsObjects({ isResourceRequest, path }: RequestInfo): boolean {
  return isResourceRequest || /^\/apis?(?:\/|$)/.test(path);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().trimEnd();
}

/** What an error is told as; undefined where no Status is sent: answers in plain text, and what the client cannot read. */
export function statusOfError(error: unknown, request: ServerRequest): Status | undefined {
  if (textErrorCode(error) !== undefined) return undefined;
  try {
    negotiateOutput(request, { transforms: true });
  } catch {
    return undefined;
  }
  return errorStatus(error);
}

export function codeOfError(error: unknown): number {
  return textErrorCode(error) ?? errorStatus(error).code;
}

/** Errors that are told in plain text, by name, and their codes. */
const textErrors: Readonly<Record<string, number>> = { PageNotFound: 404, AuthorizationFailure: 500 };

const textErrorCode = (error: unknown): number | undefined =>
  error instanceof Error && Object.hasOwn(textErrors, error.name) ? textErrors[error.name] : undefined;

/** A bug of the server, where upstream would panic. */
export function isPanic(error: unknown): error is Error {
  if (isStatusError(error) || error instanceof StorageError) return false;
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

export function statusJson(status: Status): string {
  return writeJson(status, builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.Status'));
}
