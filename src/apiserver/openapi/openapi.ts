/**
 * /openapi/v2 and /openapi/v3: the documents of what is served, built when first asked for, with hashes that let
 * clients keep them for ever. Upstream: kube-openapi pkg/handler/handler.go, pkg/handler3/handler.go.
 */
import { createHash } from 'node:crypto';
import { customOpenapiV3, encodeOpenapiV2, openapiV2, openapiV3, openapiV3Names } from '#api/openapi';
import type { CustomResourceDefinition } from '#api/types';
import type { Clock } from '#base';
import { header, type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import { parseAccept } from '../serialization/negotiation.ts';
import { kubernetesVersion } from '../server/version.ts';

interface Document {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

type V2Form = 'json' | 'protobuf';

function writeV2(form: V2Form, crds: readonly CustomResourceDefinition[]): Uint8Array {
  const document = openapiV2({ serverVersion: kubernetesVersion, crds });
  return form === 'json' ? Buffer.from(JSON.stringify(document)) : encodeOpenapiV2(document);
}

function sha512(text: string | Uint8Array): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

/** What the built-in documents are is decided by the program; clusters of a process may share one of these. */
export class OpenapiDocuments {
  readonly #documents = new Map<string, Document>();
  #names: readonly string[] | undefined;

  /** Names in the index. */
  get names(): readonly string[] {
    return (this.#names ??= openapiV3Names());
  }

  /** A name's hash, without building its document. */
  hash(name: string): string {
    return sha512(`${kubernetesVersion}/${name}`);
  }

  v3(name: string): Document | undefined {
    return this.#kept(`v3/${name}`, () => {
      const document = openapiV3(name, kubernetesVersion);
      return document && { bytes: Buffer.from(JSON.stringify(document)), etag: `"${this.hash(name)}"` };
    });
  }

  v2(form: V2Form): Document {
    return this.#kept(`v2/${form}`, () => ({ bytes: writeV2(form, []), etag: `"${this.hash(`v2/${form}`)}"` }))!;
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

/** What definitions there are and in which state, as far as documents show it. */
function keyOf(crds: readonly CustomResourceDefinition[]): string {
  return crds.map(({ metadata }) => `${metadata.uid}/${metadata.generation}`).join();
}

function isEstablished(crd: CustomResourceDefinition): boolean {
  return crd.status?.conditions?.some(each => each.type === 'Established' && each.status === 'True') ?? false;
}

/** The documents of custom resources: one a group version, and version 2 of all; made anew when a definition changes. */
export class CustomDocuments {
  readonly #definitions: () => readonly CustomResourceDefinition[];
  readonly #kept = new Map<string, { readonly key: string; readonly document: Document; readonly hash: string }>();
  readonly #version2 = new Map<V2Form, { readonly key: string; readonly document: Document }>();

  constructor(definitions: () => readonly CustomResourceDefinition[]) {
    this.#definitions = definitions;
  }

  names(): string[] {
    const names = this.#definitions()
      .filter(isEstablished)
      .flatMap(({ spec }) =>
        spec.versions.filter(version => version.served).map(version => `apis/${spec.group}/${version.name}`),
      );
    return [...new Set(names)];
  }

  find(name: string): { readonly document: Document; readonly hash: string } | undefined {
    const [, group = '', version = ''] = name.split('/');
    const own = this.#definitions().filter(crd => crd.spec.group === group);
    const key = keyOf(own);
    const kept = this.#kept.get(name);
    if (kept?.key === key) return kept;
    const made = customOpenapiV3(group, version, own);
    if (!made) return undefined;
    const bytes = Buffer.from(JSON.stringify(made));
    const hash = sha512(bytes);
    const fresh = { key, hash, document: { bytes, etag: `"${hash}"` } };
    this.#kept.set(name, fresh);
    return fresh;
  }

  /** Version 2 of everything, undefined while there are no custom resources. */
  v2(form: V2Form): Document | undefined {
    const crds = this.#definitions().filter(isEstablished);
    if (crds.length === 0) return undefined;
    const key = keyOf(crds);
    const kept = this.#version2.get(form);
    if (kept?.key === key) return kept.document;
    const bytes = writeV2(form, crds);
    const document = { bytes, etag: `"${sha512(bytes)}"` };
    this.#version2.set(form, { key, document });
    return document;
  }
}

/** The answer for an OpenAPI path, or undefined when it is none. */
export function openapi(
  request: ServerRequest,
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  clock: Clock,
): ServerResponse | undefined {
  const { path } = request;
  if (path === '/openapi/v2') return version2(request, documents, custom);
  if (path === '/openapi/v3') return index(documents, custom);
  if (path.startsWith('/openapi/v3/')) return version3(request, documents, custom, clock);
  return undefined;
}

/** Upstream's OpenAPI handlers refuse without a word. */
function bare(status: number): ServerResponse {
  return { status, headers: {}, body: { kind: 'empty' } };
}

function index(documents: OpenapiDocuments, custom: CustomDocuments): ServerResponse {
  const link = (name: string, hash: string) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` }];
  const paths = [
    ...documents.names.map(name => link(name, documents.hash(name))),
    ...custom.names().map(name => link(name, custom.find(name)?.hash ?? '')),
  ];
  return textResponse(200, JSON.stringify({ paths: Object.fromEntries(paths) }));
}

/** Which form of v2 the client takes: the first clause that names one. */
function version2Form(request: ServerRequest): V2Form | undefined {
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

function version2(request: ServerRequest, documents: OpenapiDocuments, custom: CustomDocuments): ServerResponse {
  const form = version2Form(request);
  if (!form) return bare(406);
  const { bytes, etag } = custom.v2(form) ?? documents.v2(form);
  const headers = {
    'content-type': form === 'json' ? 'application/json' : v2Protobuf,
    etag,
    vary: 'Accept-Encoding, Accept',
  };
  if (header(request, 'if-none-match') === etag) return { status: 304, headers, body: { kind: 'empty' } };
  return { status: 200, headers, body: { kind: 'bytes', bytes } };
}

function version3(
  request: ServerRequest,
  documents: OpenapiDocuments,
  custom: CustomDocuments,
  clock: Clock,
): ServerResponse {
  const name = request.path.slice('/openapi/v3/'.length);
  const own = custom.find(name);
  const document = own?.document ?? documents.v3(name);
  if (!document) return bare(404);
  const accepts = parseAccept(header(request, 'accept') ?? '*/*');
  if (!accepts.some(({ type, subtype }) => (type === 'application' && subtype === 'json') || subtype === '*')) {
    return bare(406);
  }
  const hash = own?.hash ?? documents.hash(name);
  const asked = request.query.get('hash');
  if (asked && asked !== hash) {
    const location = `/openapi/v3/${name}?hash=${hash}`;
    return { status: 301, headers: { location }, body: { kind: 'empty' } };
  }
  const headers: Record<string, string> = { 'content-type': 'application/json', etag: document.etag, vary: 'Accept' };
  if (asked) {
    headers['cache-control'] = 'public, immutable';
    headers['expires'] = new Date(clock.now() + yearMs).toUTCString();
  }
  if (header(request, 'if-none-match') === document.etag) return { status: 304, headers, body: { kind: 'empty' } };
  return { status: 200, headers, body: { kind: 'bytes', bytes: document.bytes } };
}
