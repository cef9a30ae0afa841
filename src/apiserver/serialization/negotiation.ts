/**
 * Which encoding a body has and which one an answer gets. Upstream: apiserver
 * pkg/endpoints/handlers/negotiation/negotiate.go and the goautoneg parser that it uses.
 */
import { StatusError } from '#apimachinery';
import { header, type ServerRequest } from '../http/message.ts';

export type MediaType = 'application/json' | 'application/yaml' | 'application/vnd.kubernetes.protobuf';

/** In upstream's order, which decides for star ranges. */
export const mediaTypes: readonly MediaType[] = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];

export type Transform = 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

export interface OutputType {
  readonly mediaType: MediaType;
  /** What the object is turned into before it is encoded. */
  readonly as?: Transform;
  /** `v1` or `v1beta1`, of meta.k8s.io, when `as` is given. */
  readonly version: 'v1' | 'v1beta1';
  readonly pretty: boolean;
}

interface Clause {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The clauses of an Accept header, best first; equal ones in the order given, the more specific before the star. */
export function parseAccept(text: string): Clause[] {
  const clauses: Clause[] = [];
  for (const part of text.split(',')) {
    const [range = '', ...rest] = part.split(';').map(each => each.trim());
    if (range === '') continue;
    const [type = '', subtype = ''] = range.split('/');
    const parameters = new Map<string, string>();
    let quality = 1;
    for (const each of rest) {
      const at = each.indexOf('=');
      if (at < 0) continue;
      const name = each.slice(0, at).trim();
      const value = each.slice(at + 1).trim();
      if (name === 'q') quality = Number.isNaN(Number.parseFloat(value)) ? 0 : Number.parseFloat(value);
      else parameters.set(name, value);
    }
    if (type === '*' && subtype === '') clauses.push({ type: '*', subtype: '*', quality, parameters });
    else clauses.push({ type, subtype, quality, parameters });
  }
  const specific = (clause: Clause) => (clause.type === '*' ? 0 : clause.subtype === '*' ? 1 : 2);
  return clauses.sort((a, b) => b.quality - a.quality || specific(b) - specific(a));
}

function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted.join(', ')}`,
  });
}

/** 406 as upstream's routes tell it. */
export function checkAccept(request: ServerRequest, streams: boolean): void {
  checkProduced(request, [...mediaTypes, ...(streams ? streamTypes : [])]);
}

/** 415 where a route consumes nothing that the request says of its body, be there a body or none. */
export function checkConsumed(request: ServerRequest, consumed: readonly string[]): void {
  const type = header(request, 'content-type') ?? '';
  if (type === '' || type.split(',').some(each => consumed.includes(each.split(';')[0]!.trim()))) return;
  const message = '415: Unsupported Media Type';
  throw new StatusError({ code: 415, reason: 'UnsupportedMediaType', message, details: {} });
}

/** 406 where a route produces nothing that the client names; ranges but for the whole one do not count. */
export function checkProduced(request: ServerRequest, produced: readonly string[]): void {
  const accept = header(request, 'accept') ?? '';
  const ranges = accept.split(',').map(each => each.split(';')[0]!.trim());
  if (accept === '' || ranges.some(each => each === '*/*' || produced.includes(each))) return;
  const message = `406: Not Acceptable\n\nAvailable representations: ${produced.join(', ')}`;
  throw new StatusError({ code: 406, reason: 'NotAcceptable', message, details: {} });
}

/** 406 for a stream in an encoding that has no frames. */
export function checkStream({ mediaType }: OutputType): void {
  if (mediaType === 'application/yaml') throw notAcceptable(streamTypes);
}

const streamTypes = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
export interface OutputRestrictions {
  /** Encodings that this endpoint can give; default all. */
  readonly mediaTypes?: readonly MediaType[];
  /** Of those, the ones that the thing itself has, be it not turned into something else; default all. */
  readonly plain?: readonly MediaType[];
  /** False: a Table or metadata is refused (discovery, reviews). */
  readonly transforms?: boolean;
  /** False: a Table is refused. */
  readonly tables?: boolean;
}

/** Throws 406 when nothing that the client accepts can be given. */
export function negotiateOutput(request: ServerRequest, restrictions: OutputRestrictions = {}): OutputType {
  const accepted = restrictions.mediaTypes ?? mediaTypes;
  const accept = header(request, 'accept') ?? '';
  if (accept === '') return { mediaType: accepted[0]!, version: 'v1', pretty: wantsPretty(request) };
  for (const { type, subtype, parameters } of parseAccept(accept)) {
    for (const mediaType of mediaTypes) {
      const [mainType, mainSubtype] = mediaType.split('/');
      if (type !== '*' && type !== mainType) continue;
      if (subtype !== '*' && subtype !== mainSubtype) continue;
      const output = withParameters(mediaType, parameters, accepted, restrictions);
      if (output) return { ...output, pretty: parameters.get('pretty') === '1' || wantsPretty(request) };
    }
  }
  throw notAcceptable(accepted);
}

function withParameters(
  mediaType: MediaType,
  parameters: ReadonlyMap<string, string>,
  accepted: readonly MediaType[],
  { plain = accepted, transforms = true, tables = true }: OutputRestrictions,
): Omit<OutputType, 'pretty'> | undefined {
  const as = parameters.get('as');
  const group = parameters.get('g') ?? '';
  const version = parameters.get('v') ?? '';
  const stream = parameters.get('stream');
  if (stream && (stream !== 'watch' || mediaType === 'application/yaml')) return undefined;
  if (as === undefined && !parameters.has('g') && !parameters.has('v')) {
    return plain.includes(mediaType) ? { mediaType, version: 'v1' } : undefined;
  }
  if (!transforms || group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') {
    return tables && mediaType !== 'application/vnd.kubernetes.protobuf' ? { mediaType, as, version } : undefined;
  }
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { mediaType, as, version };
  return undefined;
}

/** Whether JSON is to be indented, for people. */
export function wantsPretty(request: ServerRequest): boolean {
  const asked = request.query.get('pretty');
  if (asked) return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(asked);
  const agent = header(request, 'user-agent') ?? '';
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0');
}

/** The encoding of a body: one of those `taken`. Throws 415, which names all that there are, as upstream does. */
export function negotiateInput(request: ServerRequest, taken: readonly string[] = mediaTypes): MediaType {
  const text = header(request, 'content-type') ?? '';
  if (text === '') return 'application/json';
  const type = text.split(';')[0]!.trim().toLowerCase();
  if (taken.includes(type)) return type as MediaType;
  throw unsupportedMediaType(mediaTypes);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  });
}
