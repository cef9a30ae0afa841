/**
 * Answers in the negotiated encoding: stored objects as their bytes where JSON is asked for, everything else made from
 * the decoded form. Upstream: apiserver pkg/endpoints/handlers/{response,responsewriters}.
 */
import {
  badRequest,
  InputError,
  indentJson,
  type Json,
  jsonToYaml,
  type KubeObject,
  type Status,
  StatusError,
  type StructNode,
  writeJson,
  writeOrdered,
  writeProtobufObject,
} from '#apimachinery';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import { fromStorage, type ServedResource } from '../scheme/resource.ts';
import type { OutputType } from './negotiation.ts';
import { asMetadata, metadataStruct } from './partial-metadata.ts';
import { checkTableOptions, tableFor, tableOf } from './table.ts';

/** Anything that knows its stored bytes and its decoded form: cache items and results of writes. */
export interface ObjectSource {
  /** JSON as sent, less `skip` bytes after the brace. */
  sent(skip?: number): Buffer;
  decoded(): KubeObject;
}

const newline = Buffer.from('\n');

/** As JSON. Custom kinds and what has no type are written as they are. */
export function textOf(value: object, struct: StructNode | undefined): string {
  return struct && struct.name !== '' ? writeJson(value, struct) : writeOrdered(value);
}

/** JSON as YAML. What YAML cannot hold is a failure of the server, as upstream tells it. */
export function yamlOf(json: string): string {
  try {
    return jsonToYaml(json);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new StatusError({ code: 500, message: cause.message });
  }
}

/** A value of a known type in the encoding asked for. */
export function encodeAs(
  value: object,
  struct: StructNode | undefined,
  output: Pick<OutputType, 'mediaType' | 'pretty'>,
): Uint8Array {
  switch (output.mediaType) {
    case 'application/json': {
      const text = textOf(value, struct);
      return Buffer.from(output.pretty ? indentJson(text) : `${text}\n`);
    }
    case 'application/yaml':
      return Buffer.from(yamlOf(textOf(value, struct)));
    case 'application/vnd.kubernetes.protobuf':
      if (!struct || struct.name === '') throw badRequest('this object has no protobuf form');
      return writeProtobufObject(value, struct);
  }
}

export interface RespondOptions {
  readonly request: ServerRequest;
  readonly resource: ServedResource;
  readonly output: OutputType;
  readonly nowMs: number;
  readonly status?: number;
}

/** One stored object, in the request's version and form. */
export async function respondObject(source: ObjectSource, options: RespondOptions): Promise<ServerResponse> {
  const { resource, output, status = 200 } = options;
  const raw = resource.storage === resource && !output.as && output.mediaType === 'application/json' && !output.pretty;
  const headers: Record<string, string> = { 'content-type': output.mediaType };
  if (raw) {
    const bytes = Buffer.concat([source.sent(), newline]);
    // Decoded for whoever is in this process, and for nobody else.
    const body = {
      kind: 'bytes' as const,
      bytes,
      get object(): Json {
        return source.decoded() as never;
      },
    };
    return { status, headers, body };
  }
  const body = { kind: 'bytes' as const, bytes: await objectBytes(source, options) };
  if (!options.request.audit || isPlainJson(output)) return { status, headers, body };
  const json = (): Promise<Uint8Array> => objectBytes(source, { ...options, output: { ...output, ...plainJson } });
  return { status, headers, body, logged: { json } };
}

/** As the audit log has every object. */
export const plainJson: Pick<OutputType, 'mediaType' | 'pretty'> = { mediaType: 'application/json', pretty: false };

/** Whether an answer is what the audit log tells of it. */
export function isPlainJson({ mediaType, pretty }: Pick<OutputType, 'mediaType' | 'pretty'>): boolean {
  return mediaType === 'application/json' && !pretty;
}

async function objectBytes(source: ObjectSource, options: RespondOptions): Promise<Uint8Array> {
  const { resource, output, request, nowMs } = options;
  const stored = source.decoded();
  if (output.as === 'Table') {
    const includeObject = request.query.get('includeObject');
    checkTableOptions(includeObject ?? '');
    const listMeta = { resourceVersion: stored.metadata.resourceVersion ?? '' };
    const table = tableOf(await tableFor(resource), [stored], { resource, output, nowMs, includeObject, listMeta });
    return encodeAs(table, undefined, output);
  }
  const object = fromStorage(resource, stored);
  if (output.as === 'PartialObjectMetadata') {
    return encodeAs(asMetadata(object, output.version), metadataStruct(), output);
  }
  if (output.as === 'PartialObjectMetadataList') {
    throw notAList(
      `you requested PartialObjectMetadataList, but the requested object is not a list (*${goPackage(resource)}.${resource.kind})`,
    );
  }
  return encodeAs(object, resource.struct, output);
}

/** Go's package of the internal type, which upstream's texts show. */
function goPackage({ storage }: ServedResource): string {
  return storage.group.split('.')[0] || 'core';
}

/** 406: a list was asked for where there is none, or the other way round. */
export function notAList(message: string): StatusError {
  return new StatusError({ code: 406, reason: 'NotAcceptable', message });
}

/** A plain typed value (review, scale, status) with a status. */
export function respondValue(
  value: object,
  struct: StructNode | undefined,
  output: Pick<OutputType, 'mediaType' | 'pretty'>,
  status = 200,
): ServerResponse {
  const isStatus = (value as { kind?: string }).kind === 'Status';
  return {
    status,
    headers: { 'content-type': output.mediaType },
    body: { kind: 'bytes', bytes: encodeAs(value, struct, output) },
    logged: {
      ...(isStatus && { status: value as Status }),
      ...(!isPlainJson(output) && { json: () => encodeAs(value, struct, plainJson) }),
    },
  };
}
