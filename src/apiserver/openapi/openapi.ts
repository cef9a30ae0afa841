/**
 * /openapi/v2 and /openapi/v3: the documents of what is served, built when first asked for, with hashes that let
 * clients keep them for ever. Upstream: kube-openapi pkg/handler/handler.go, pkg/handler3/handler.go.
 */
import { createHash } from 'node:crypto';
import {
  customOpenapiV3,
  encodeOpenapiV2,
  encodeOpenapiV3,
  type OpenapiV2Document,
  type OpenapiV3Document,
  openapiV2,
  openapiV3,
  openapiV3Names,
} from '#api/openapi';
import { type ServedFacts, servedByDefault } from '#api/tables';
import type { CustomResourceDefinition } from '#api/types';
import type { Clock } from '#base';
import { mergeSpec, type Spec } from '../aggregation/openapi/merge-specs.ts';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { type Content, serveContent } from '../http/serve-content.ts';
import { parseAccept } from '../serialization/negotiation.ts';
import { kubernetesVersion } from '../server/version.ts';

interface Document {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly madeMs: number;
}

type Form = 'json' | 'protobuf';

function writeV3(form: Form, document: OpenapiV3Document): Uint8Array {
  return form === 'json' ? Buffer.from(JSON.stringify(document)) : encodeOpenapiV3(document);
}

/** Another server's part that cannot be written is left out. */
function writeV2(
  form: Form,
  crds: readonly CustomResourceDefinition[],
  others: readonly Spec[] = [],
  served: ServedFacts = servedByDefault,
): Uint8Array {
  if (others.length === 0) return writtenV2(form, openapiV2({ crds, served }));
  const document = openapiV2({ crds, served });
  const merged = { ...document, definitions: { ...document.definitions }, parameters: { ...document.parameters } };
  for (const spec of others) mergeSpec(merged as unknown as Spec, spec);
  try {
    return writtenV2(form, merged);
  } catch {
    return others.length > 1 ? writeV2(form, crds, others.slice(0, -1), served) : writeV2(form, crds, [], served);
  }
}

function writtenV2(form: Form, document: OpenapiV2Document): Uint8Array {
  return form === 'json' ? Buffer.from(JSON.stringify(document)) : encodeOpenapiV2(document);
}

function sha512(text: string | Uint8Array): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

/** What the built-in documents are is decided by the program; clusters of a process may share one of these. */
export class OpenapiDocuments {
  readonly #documents = new Map<string, Document>();
  #names: readonly string[] | undefined;
  readonly #served: ServedFacts;

  constructor(served: ServedFacts = servedByDefault) {
    this.#served = served;
  }

  /** Names in the index. */
  get names(): readonly string[] {
    return (this.#names ??= openapiV3Names(this.#served));
  }

  /** A name's hash, without building its document. */
  hash(name: string): string {
    return sha512(`${kubernetesVersion}/${name}`);
  }

  v3(name: string, form: Form, nowMs: number): Document | undefined {
    return this.#kept(`v3/${form}/${name}`, () => {
      const document = openapiV3(name, undefined, this.#served);
      return document && { bytes: writeV3(form, document), etag: `"${this.hash(name)}"`, madeMs: nowMs };
    });
  }

  v2(form: Form, nowMs: number): Document {
    return this.#kept(`v2/${form}`, () => ({
      bytes: writeV2(form, [], [], this.#served),
      etag: `"${this.hash(`v2/${form}`)}"`,
      madeMs: nowMs,
    }))!;
  }

  #kept(key: string, make: () => Document | undefined): Document | undefined {
    let document = this.#documents.get(key);
    if (!document) {
      document = make();
      if (document) this.#documents.set(key, document);
    }
    return document;
  }
}

const yearMs = 365 * 24 * 3600 * 1000;
const v2Protobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const v3Protobuf = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';

/** What definitions there are and in which state, as far as documents show it. */
function keyOf(crds: readonly CustomResourceDefinition[]): string {
  return crds
    .map(({ metadata, status }) => `${metadata.uid}/${metadata.generation}/${JSON.stringify(status?.acceptedNames)}`)
    .join();
}

function isEstablished(crd: CustomResourceDefinition): boolean {
  return crd.status?.conditions?.some(each => each.type === 'Established' && each.status === 'True') ?? false;
}

/** The definitions that documents are made of; `generation` changes whenever they do. */
export interface DocumentedDefinitions {
  readonly generation: number;
  readonly definitions: readonly CustomResourceDefinition[];
}

interface KeptDocument {
  readonly key: string;
  readonly hash: string;
  readonly json: Document;
  /** Made when first asked for. */
  protobuf?: Document;
}

/** What of the definitions is asked for again and again, made once a generation. */
interface View {
  readonly generation: number;
  readonly established: readonly CustomResourceDefinition[];
  /** By group. */
  readonly groups: ReadonlyMap<string, { readonly crds: readonly CustomResourceDefinition[]; readonly key: string }>;
  readonly names: readonly string[];
}

/**
 * The documents of custom resources: one a group version, and version 2 of all; made when first asked for, and anew
 * when a definition changes. Hashes are of the definitions: the index tells them without making any document.
 */
export class CustomDocuments {
  readonly #source: DocumentedDefinitions;
  readonly #kept = new Map<string, KeptDocument>();
  readonly #version2 = new Map<Form, { readonly key: string; readonly document: Document }>();
  #view: View | undefined;

  readonly #served: ServedFacts;

  constructor(source: DocumentedDefinitions, served: ServedFacts = servedByDefault) {
    this.#source = source;
    this.#served = served;
  }

  names(): readonly string[] {
    return this.#current().names;
  }

  /** Undefined for what no definition serves. */
  hash(name: string): string | undefined {
    const [, groupName = ''] = name.split('/');
    const group = this.#current().groups.get(groupName);
    return group && this.#hashOf(name, group.key);
  }

  /** In either form; both have one hash. */
  v3(name: string, form: Form, nowMs: number): Document | undefined {
    const found = this.find(name, nowMs);
    if (!found || form === 'json') return found?.json;
    if (!found.protobuf) {
      const document = JSON.parse(Buffer.from(found.json.bytes).toString()) as OpenapiV3Document;
      found.protobuf = { ...found.json, bytes: encodeOpenapiV3(document) };
    }
    return found.protobuf;
  }

  find(name: string, nowMs: number): KeptDocument | undefined {
    const [root, groupName = '', version = ''] = name.split('/');
    const group = root === 'apis' ? this.#current().groups.get(groupName) : undefined;
    if (!group) return undefined;
    const kept = this.#kept.get(name);
    if (kept?.key === group.key) return kept;
    const made = customOpenapiV3(groupName, version, group.crds);
    if (!made) return undefined;
    const hash = this.#hashOf(name, group.key);
    const json = { bytes: writeV3('json', made), etag: `"${hash}"`, madeMs: nowMs };
    const fresh: KeptDocument = { key: group.key, hash, json };
    this.#kept.set(name, fresh);
    return fresh;
  }

  /** Version 2 of everything, undefined while there is nothing but what is built in. */
  v2(form: Form, others: OtherDocuments | undefined, nowMs: number): Document | undefined {
    const { established, groups } = this.#current();
    const specs = others?.specs ?? [];
    if (established.length === 0 && specs.length === 0) return undefined;
    const key = [...[...groups.values()].map(group => group.key), others?.generation].join();
    const kept = this.#version2.get(form);
    if (kept?.key === key) return kept.document;
    const bytes = writeV2(form, established, specs, this.#served);
    const document = { bytes, etag: `"${sha512(bytes)}"`, madeMs: nowMs };
    this.#version2.set(form, { key, document });
    return document;
  }

  #hashOf(name: string, key: string): string {
    return sha512(`${kubernetesVersion}/${name}/${key}`);
  }

  #current(): View {
    const { generation, definitions } = this.#source;
    if (this.#view?.generation === generation) return this.#view;
    const established = definitions.filter(isEstablished);
    const byGroup = Map.groupBy(established, crd => crd.spec.group);
    const groups = new Map([...byGroup].map(([name, crds]) => [name, { crds, key: keyOf(crds) }]));
    const names = established.flatMap(({ spec }) =>
      spec.versions.filter(version => version.served).map(version => `apis/${spec.group}/${version.name}`),
    );
    this.#view = { generation, established, groups, names: [...new Set(names)] };
    return this.#view;
  }
}

/** What other servers say of themselves; `generation` changes whenever that does. */
export interface OtherDocuments {
  readonly generation: number;
  /** Of version 2. */
  readonly specs: readonly Spec[];
  /** URLs of documents of version 3, by name. */
  readonly paths: ReadonlyMap<string, string>;
  /** A document of version 3 that was made of version 2. */
  convertedOf(name: string): { readonly bytes: Uint8Array; readonly hash: string } | undefined;
}

/**
 * The index changes with every definition, its date by the second.
 * Deviation: it is sent anew to whoever asks by date; upstream's has not changed within the second of the request, so that
 * a copy of that second shows no definition that was made in it.
 */
function undated(request: ServerRequest): ServerRequest {
  const { 'if-modified-since': _date, ...headers } = request.headers;
  return { ...request, headers };
}

/** The answer for an OpenAPI path, or undefined when it is none. */
export function openapi(
  request: ServerRequest,
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  clock: Clock,
  others?: OtherDocuments,
): ServerResponse | undefined {
  const { path } = request;
  const nowMs = clock.now();
  if (path === '/openapi/v2') return version2(request, documents, custom, nowMs, others);
  if (path === '/openapi/v3') {
    const response = serveContent(undated(request), index(documents, custom, nowMs, others));
    // What type it is of is found out when it is sent.
    if (response.status === 412) delete response.headers['content-type'];
    return response;
  }
  if (path.startsWith('/openapi/v3/')) return version3(request, documents, custom, nowMs, others);
  return undefined;
}

/** Upstream's OpenAPI handlers refuse without a word. */
function bare(status: number): ServerResponse {
  return { status, headers: {}, body: { kind: 'empty' } };
}

/** Made whenever it is asked for. */
function index(
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  lastModifiedMs: number,
  others?: OtherDocuments,
): Content {
  const link = (name: string, hash: string) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` }];
  const paths = [
    ...[...(others?.paths ?? [])].map(([name, serverRelativeURL]) => [name, { serverRelativeURL }]),
    ...documents.names.map(name => link(name, documents.hash(name))),
    ...custom.names().map(name => link(name, custom.hash(name) ?? '')),
  ];
  const bytes = Buffer.from(JSON.stringify({ paths: Object.fromEntries(paths) }));
  return { bytes, headers: { 'content-type': 'text/plain; charset=utf-8' }, lastModifiedMs };
}

/** Which form of v2 the client takes: the first clause that names one. */
function version2Form(request: ServerRequest): Form | undefined {
  const accept = header(request, 'accept');
  if (!accept) return 'json';
  for (const { type, subtype } of parseAccept(accept)) {
    if (type !== 'application' && type !== '*') continue;
    if (subtype === 'json' || subtype === '*') return 'json';
    if (/^com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf$/.test(subtype)) return 'protobuf';
    if (subtype === 'com.github.googleapis.gnostic.OpenAPIv2') return 'protobuf';
  }
  return undefined;
}

function version2(
  request: ServerRequest,
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  nowMs: number,
  others: OtherDocuments | undefined,
): ServerResponse {
  const form = version2Form(request);
  const vary = ['Accept-Encoding', 'Accept'];
  if (!form) return { ...bare(406), headers: { vary } };
  const { bytes, etag, madeMs } = custom.v2(form, others, nowMs) ?? documents.v2(form, nowMs);
  const headers = {
    'content-type': form === 'json' ? 'application/json' : v2Protobuf,
    etag,
  };
  const response = serveContent(request, { bytes, headers, lastModifiedMs: madeMs });
  response.headers['vary'] = vary;
  return response;
}

/** Which form of v3 the client takes: the first clause that names one. */
function version3Form(request: ServerRequest): Form | undefined {
  for (const { type, subtype } of parseAccept(header(request, 'accept') || '*/*')) {
    if (type !== 'application' && type !== '*') continue;
    if (subtype === 'json' || subtype === '*') return 'json';
    if (/^com\.github\.proto-openapi\.spec\.v3[@.]v1\.0\+protobuf$/.test(subtype)) return 'protobuf';
  }
  return undefined;
}

function converted(others: OtherDocuments | undefined, name: string, madeMs: number): KeptDocument | undefined {
  const found = others?.convertedOf(name);
  return found && { key: '', hash: found.hash, json: { bytes: found.bytes, etag: `"${found.hash}"`, madeMs } };
}

function written(kept: KeptDocument | undefined, form: Form): Document | undefined {
  if (!kept || form === 'json') return kept?.json;
  const document = JSON.parse(Buffer.from(kept.json.bytes).toString()) as OpenapiV3Document;
  return { ...kept.json, bytes: encodeOpenapiV3(document) };
}

function version3(
  request: ServerRequest,
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  nowMs: number,
  others: OtherDocuments | undefined,
): ServerResponse {
  const name = request.path.slice('/openapi/v3/'.length);
  const own = custom.find(name, nowMs) ?? converted(others, name, nowMs);
  if (!own && !documents.names.includes(name)) return bare(404);
  const form = version3Form(request);
  if (!form) return { ...bare(406), headers: { vary: 'Accept' } };
  const document = custom.v3(name, form, nowMs) ?? documents.v3(name, form, nowMs) ?? written(own, form);
  if (!document) return bare(404);
  const hash = own?.hash ?? documents.hash(name);
  const asked = request.query.get('hash');
  const headers: Record<string, string> = {
    'content-type': form === 'json' ? 'application/json' : v3Protobuf,
    etag: document.etag,
    vary: 'Accept',
  };
  if (asked && asked !== hash) {
    headers['location'] = `/openapi/v3/${name}?hash=${hash}`;
    return { status: 301, headers, body: { kind: 'empty' } };
  }
  if (asked) {
    headers['cache-control'] = 'public, immutable';
    headers['expires'] = new Date(nowMs + yearMs).toUTCString();
  }
  return serveContent(request, { bytes: document.bytes, headers, lastModifiedMs: document.madeMs });
}
