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
  builtinGroups,
  type DiscoveryGroup,
} from '#api/discovery';
import { builtinTypes } from '#api/tables';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { checkAccept, negotiateOutput, parseAccept } from '../serialization/negotiation.ts';
import { encodeAs } from '../serialization/respond.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const aggregatedType = 'io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList';

export interface DiscoveryDeps {
  /** Groups of custom resources and aggregated servers, in order. */
  customGroups(): readonly DiscoveryGroup[];
  /** `host:port` that clients reach this server by. */
  serverAddress(request: ServerRequest): string;
}

export class Discovery {
  readonly #deps: DiscoveryDeps;
  readonly #builtin = builtinGroups();

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps;
  }

  /** The answer for a discovery path, or undefined when it is none. */
  respond(request: ServerRequest): ServerResponse | undefined {
    const parts = request.path.split('/').filter(part => part !== '');
    const [root, first, second] = parts;
    if (root === 'api') {
      checkAccept(request, false);
      if (parts.length === 1) {
        return this.#root(
          request,
          [this.#builtin[0]!],
          () => apiVersions(this.#deps.serverAddress(request)),
          'APIVersions',
        );
      }
      return parts.length === 2 ? this.#resources(request, '', first!) : undefined;
    }
    if (root !== 'apis') return undefined;
    const groups = this.groups();
    if (parts.length === 1) {
      return this.#root(request, groups.slice(1), () => apiGroupList(groups), 'APIGroupList');
    }
    const group = groups.find(each => each.name === first);
    if (!group || first === '') return undefined;
    if (parts.length === 2) return plain(request, apiGroup(group), 'APIGroup');
    if (parts.length !== 3) return undefined;
    if (this.#builtin.includes(group)) checkAccept(request, false);
    return this.#resources(request, first!, second!);
  }

  /** The core group first. */
  groups(): readonly DiscoveryGroup[] {
    const custom = this.#deps.customGroups();
    return custom.length === 0 ? this.#builtin : [...this.#builtin, ...custom];
  }

  #resources(request: ServerRequest, groupName: string, versionName: string): ServerResponse | undefined {
    const group = this.groups().find(each => each.name === groupName);
    const version = group?.versions.find(each => each.version === versionName);
    return version && plain(request, apiResourceList(groupName, version), 'APIResourceList');
  }

  #root(request: ServerRequest, groups: readonly DiscoveryGroup[], legacy: () => object, kind: string): ServerResponse {
    return wantsAggregated(request) ? aggregated(request, groups) : plain(request, legacy(), kind);
  }
}

function plain(request: ServerRequest, document: object, kind: string): ServerResponse {
  const output = negotiateOutput(request, { transforms: false });
  const bytes = encodeAs(document, builtinTypes.struct(meta + kind), output);
  return {
    status: 200,
    headers: { 'content-type': output.mediaType, 'cache-control': 'no-cache, private', vary: 'Accept' },
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

function aggregated(request: ServerRequest, groups: readonly DiscoveryGroup[]): ServerResponse {
  const mediaType =
    wantsAggregated(request) === 'protobuf' ? 'application/vnd.kubernetes.protobuf' : 'application/json';
  const document = aggregatedDiscovery(groups);
  const bytes = encodeAs(document, builtinTypes.struct(aggregatedType), { mediaType, pretty: false });
  const etag = `"${createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`;
  const headers = {
    'content-type': `${mediaType};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`,
    etag,
    vary: 'Accept',
    'cache-control': 'public',
  };
  if (header(request, 'if-none-match') === etag) return { status: 304, headers, body: { kind: 'empty' } };
  return { status: 200, headers, body: { kind: 'bytes', bytes } };
}
