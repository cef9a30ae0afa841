/**
 * What a client is told where a kubelet refuses: a Status rather than the kubelet's own text. Upstream: apiserver
 * pkg/registry/generic/rest/response_checker.go, apimachinery pkg/api/errors NewGenericServerResponse.
 */
import { badRequest, internalError, StatusError, type StatusReason } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { refusal } from '../webhook/refusal.ts';

/** So much of the body is read. */
const maxTextBytes = 50_000;

const reasons: Readonly<Record<number, StatusReason>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The answer of a success; throws a StatusError for any other, about `name` of `resource`. */
export async function checkedAnswer(
  answer: ServerResponse,
  { resource, name }: { readonly resource: string; readonly name: string },
): Promise<ServerResponse> {
  const { status } = answer;
  if (status >= 200 && status <= 206) return answer;
  const text = await beginning(answer);
  if (status === 500) throw internalError(text);
  if (status === 400) throw badRequest(text);
  const reason = reasons[status] ?? (status >= 500 ? 'InternalError' : undefined);
  throw new StatusError({
    code: status,
    ...(reason && { reason }),
    // The verb, which is not known there, leaves its place.
    message: `${refusal(status, text)} ( ${resource} ${name})`,
    details: { name, kind: resource },
  });
}

async function beginning({ body }: ServerResponse): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (body.kind === 'bytes') parts.push(body.bytes);
  else if (body.kind === 'chunks') {
    for await (const part of body.chunks) {
      parts.push(part);
      if ((size += part.length) >= maxTextBytes) break;
    }
  }
  return Buffer.concat(parts).subarray(0, maxTextBytes).toString();
}
