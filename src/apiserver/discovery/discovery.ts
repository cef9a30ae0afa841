/**
 * What is served, in the legacy documents and in the aggregated one that newer clients ask for. Upstream: apiserver
 * pkg/endpoints/discovery, discovery/aggregated.
 */
import { createHash } from 'node:crypto';
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type DiscoveryGroup,
} from '#api/discovery';
import { builtinTypes } from '#api/tables';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { checkAccept, checkConsumed, mediaTypes, negotiateOutput, parseAccept } from '../serialization/negotiation.ts';
import { encodeAs } from '../serialization/respond.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const aggregatedType = 'io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList';

export interface DiscoveryDeps {
  /** What is built in, the core group first. */
  readonly builtin: readonly DiscoveryGroup[];
  /** Groups of the legacy documents, the core group first; the same list until something changes. */
  legacyGroups(): readonly DiscoveryGroup[];
  /** The same of the aggregated document. */
  aggregatedGroups(): readonly DiscoveryGroup[];
  /** Told of every aggregated document that is made. */
  readonly aggregations: { inc(): void };
  /** `host:port` that clients reach this server by. */
  serverAddress(request: ServerRequest): string;
}

export class Discovery {
  readonly #deps: DiscoveryDeps;
  readonly #builtin: readonly DiscoveryGroup[];
  readonly #core: readonly DiscoveryGroup[];
  /** Aggregated documents by root and encoding, while the groups are the same list. */
  readonly #documents = new Map<string, Document>();

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps;
    this.#builtin = deps.builtin;
    this.#core = deps.builtin.filter(({ name }) => name === '');
  }

  /** The answer for a discovery path, or undefined when it is none. */
  respond(request: ServerRequest): ServerResponse | undefined {
    const parts = request.path.split('/').filter(part => part !== '');
    const [root, first, second] = parts;
    if (root === 'api') {
      if (parts.length > 1 && (parts.length > 2 || !this.#isServed('', first!))) return undefined;
      checkMediaTypes(request);
      if (parts.length === 1) {
        return this.#root(request, this.#core, () => apiVersions(this.#deps.serverAddress(request)), 'APIVersions');
      }
      return this.#resources(request, '', first!);
    }
    if (root !== 'apis') return undefined;
    const groups = this.groups();
    if (parts.length === 1) {
      if (request.path.endsWith('/')) return plain(request, apiGroupList(groups), 'APIGroupList');
      return this.#root(request, this.#deps.aggregatedGroups(), () => apiGroupList(groups), 'APIGroupList');
    }
    const group = groups.find(each => each.name === first);
    if (!group || first === '') return undefined;
    if (parts.length === 2) return plain(request, apiGroup(group), 'APIGroup');
    if (parts.length !== 3) return undefined;
    if (this.#isBuiltin(first!, second!)) checkMediaTypes(request);
    return this.#resources(request, first!, second!);
  }

  /** By name: the groups that are shown are merged of several sources. */
  #isBuiltin(group: string, version: string): boolean {
    return this.#builtin.some(
      ({ name, versions }) => name === group && versions.some(each => each.version === version),
    );
  }

  #isServed(groupName: string, versionName: string): boolean {
    return this.groups().some(
      ({ name, versions }) => name === groupName && versions.some(({ version }) => version === versionName),
    );
  }

  /** The core group first. */
  groups(): readonly DiscoveryGroup[] {
    return this.#deps.legacyGroups();
  }

  #resources(request: ServerRequest, groupName: string, versionName: string): ServerResponse | undefined {
    const group = this.groups().find(each => each.name === groupName);
    const version = group?.versions.find(each => each.version === versionName);
    if (version?.resources.length === 0) return undefined;
    return version && plain(request, apiResourceList(groupName, version), 'APIResourceList');
  }

  #root(request: ServerRequest, groups: readonly DiscoveryGroup[], legacy: () => object, kind: string): ServerResponse {
    const form = wantsAggregated(request);
    return form ? this.#aggregated(request, groups, form) : plain(request, legacy(), kind);
  }

  #aggregated(request: ServerRequest, groups: readonly DiscoveryGroup[], form: 'json' | 'protobuf'): ServerResponse {
    const key = `${groups === this.#core ? 'core' : 'groups'}/${form}`;
    let document = this.#documents.get(key);
    if (document?.groups !== groups) {
      this.#documents.set(key, (document = documentOf(groups, groups === this.#core, form)));
      this.#deps.aggregations.inc();
    }
    const { bytes, headers, etag } = document;
    if (header(request, 'if-none-match') === etag) return { status: 304, headers, body: { kind: 'empty' } };
    return { status: 200, headers, body: { kind: 'bytes', bytes } };
  }
}

/** As upstream's routes do before they answer. */
function checkMediaTypes(request: ServerRequest): void {
  checkConsumed(request, mediaTypes);
  checkAccept(request, false);
}

function plain(request: ServerRequest, document: object, kind: string): ServerResponse {
  const output = negotiateOutput(request, { transforms: false });
  const bytes = encodeAs(document, builtinTypes.struct(meta + kind), output);
  return {
    status: 200,
    headers: { 'content-type': output.mediaType, 'cache-control': 'no-cache, private' },
    body: { kind: 'bytes', bytes },
  };
}

/** Whether the first clause that can be met asks for the aggregated form. */
function wantsAggregated(request: ServerRequest): 'json' | 'protobuf' | undefined {
  for (const { type, subtype, parameters } of parseAccept(header(request, 'accept') ?? '')) {
    if (type !== 'application' && type !== '*') continue;
    const as = parameters.get('as');
    if (as === undefined) return undefined;
    const ours = parameters.get('g') === 'apidiscovery.k8s.io' && parameters.get('v') === 'v2';
    if (as === 'APIGroupDiscoveryList' && ours) {
      if (subtype === 'json') return 'json';
      if (subtype === 'vnd.kubernetes.protobuf') return 'protobuf';
    }
  }
  return undefined;
}

interface Document {
  readonly groups: readonly DiscoveryGroup[];
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The aggregated document of the core group, or of all others. */
function documentOf(groups: readonly DiscoveryGroup[], core: boolean, form: 'json' | 'protobuf'): Document {
  const mediaType = form === 'protobuf' ? 'application/vnd.kubernetes.protobuf' : 'application/json';
  const document = aggregatedDiscovery(core ? groups : groups.slice(1));
  const bytes = encodeAs(document, builtinTypes.struct(aggregatedType), { mediaType, pretty: false });
  const etag = `"${createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`;
  const headers = {
    'content-type': `${mediaType};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`,
    etag,
    vary: 'Accept',
    'cache-control': 'public',
  };
  return { groups, bytes, etag, headers };
}
