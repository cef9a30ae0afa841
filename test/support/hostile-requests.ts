/**
 * Every request that what a server serves can be asked for, from its discovery, and what somebody is told who may not:
 * a model of upstream's rules of its own (requestinfo.go, responsewriters/errors.go), so that the server is not held
 * against itself.
 */
import type { Sent } from './http.ts';

/** A resource, or a subresource of one. */
export interface Endpoint {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespaced: boolean;
}

/** What authorization is asked about. */
export interface Question {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface HostileRequest {
  readonly sent: Sent;
  readonly question: Question;
}

interface DiscoveredResource {
  readonly resource: string;
  readonly scope: string;
  readonly subresources?: ReadonlyArray<{ readonly subresource: string }>;
}

interface Discovery {
  readonly items: ReadonlyArray<{
    readonly metadata: { readonly name?: string };
    readonly versions: ReadonlyArray<{ readonly version: string; readonly resources?: readonly DiscoveredResource[] }>;
  }>;
}

export const discoveryRequests: readonly Sent[] = ['/api', '/apis'].map(path => ({
  path,
  headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
}));

/** All endpoints in the answers to {@link discoveryRequests}. */
export function endpoints(answers: readonly string[]): Endpoint[] {
  return answers.flatMap(text =>
    (JSON.parse(text) as Discovery).items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ version, resources = [] }) =>
        resources.flatMap(({ resource, scope, subresources = [] }) =>
          ['', ...subresources.map(each => each.subresource)].map(subresource => ({
            group: metadata.name ?? '',
            version,
            resource,
            subresource,
            namespaced: scope === 'Namespaced',
          })),
        ),
      ),
    ),
  );
}

const patchTypes = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];

/** Forms of an answer that a reader can ask for. */
const forms = [
  'application/json;as=Table;g=meta.k8s.io;v=v1,application/json',
  'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json',
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
  'text/html,*/*;q=0.1',
];

/** Nobody reads a body that is not allowed: it need not be one. */
const garbage = '{"metadata":{"name":';

/** Query parameters that might make an answer depend on what there is. */
const probes = [
  'resourceVersion=1',
  'resourceVersion=none',
  'dryRun=All',
  'dryRun=x',
  'pretty=true',
  'fieldValidation=x',
];
const listProbes = [
  'limit=1',
  'limit=-1',
  'continue=x',
  'labelSelector=a%3Db',
  'labelSelector=a%20in',
  'fieldSelector=status.phase%3Dx',
  'fieldSelector=x',
  'resourceVersion=999999999&resourceVersionMatch=Exact',
  'sendInitialEvents=true',
  'timeoutSeconds=x',
];

function pathOf(
  { group, version, resource, subresource, namespaced }: Endpoint,
  namespace: string,
  name: string,
): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespaced && namespace !== '' ? `/namespaces/${namespace}` : '';
  const tail = [resource, name, subresource].filter(each => each !== '').join('/');
  return `${root}${within}/${tail}`;
}

/** What is asked of an endpoint about one name in one namespace. */
export function* requestsOf(endpoint: Endpoint, namespace: string, name: string): Generator<HostileRequest> {
  const { group, resource, subresource } = endpoint;
  const isNamespace = group === '' && resource === 'namespaces';
  const make = (sent: Sent, verb: string, about: string): HostileRequest => {
    // A namespace in a path is its own scope; one that is only selected is not.
    const named = isNamespace && !sent.path.includes('metadata.name') ? about : '';
    const within = endpoint.namespaced ? namespace : named;
    return { sent, question: { verb, group, resource, subresource, namespace: within, name: about } };
  };
  if (subresource === '') yield* collectionRequests(endpoint, namespace, name, make);
  const path = pathOf(endpoint, namespace, name);
  yield make({ path }, 'get', name);
  for (const accept of forms) yield make({ path, headers: { accept } }, 'get', name);
  for (const probe of probes) yield make({ path: `${path}?${probe}` }, 'get', name);
  yield make({ path: `${path}?watch=true` }, 'get', name);
  yield make({ method: 'HEAD', path }, 'get', name);
  yield make({ method: 'OPTIONS', path }, '', name);
  yield make({ method: 'POST', path, body: garbage }, 'create', name);
  yield make({ method: 'POST', path, body: '{}', headers: { 'x-http-method-override': 'GET' } }, 'create', name);
  yield make({ method: 'PUT', path, body: garbage }, 'update', name);
  for (const type of patchTypes) {
    const headers = { 'content-type': `application/${type}` };
    yield make({ method: 'PATCH', path: `${path}?fieldManager=x&force=true`, headers, body: garbage }, 'patch', name);
  }
  yield make({ method: 'DELETE', path, body: garbage }, 'delete', name);
  yield make({ method: 'DELETE', path: `${path}?dryRun=All&propagationPolicy=Orphan` }, 'delete', name);
}

function* collectionRequests(
  endpoint: Endpoint,
  namespace: string,
  name: string,
  make: (sent: Sent, verb: string, about: string) => HostileRequest,
): Generator<HostileRequest> {
  const path = pathOf(endpoint, namespace, '');
  yield make({ path }, 'list', '');
  yield make({ path: `${path}/` }, 'list', '');
  for (const accept of forms) yield make({ path, headers: { accept } }, 'list', '');
  for (const probe of listProbes) {
    yield make({ path: `${path}?${probe}` }, 'list', '');
    yield make({ path: `${path}?watch=1&${probe}` }, 'watch', '');
  }
  const selector = `fieldSelector=metadata.name%3D${name}`;
  yield make({ path: `${path}?${selector}` }, 'list', name);
  yield make({ path: `${path}?watch=true&${selector}` }, 'watch', name);
  const root = endpoint.group === '' ? `/api/${endpoint.version}` : `/apis/${endpoint.group}/${endpoint.version}`;
  yield make({ path: path.replace(root, `${root}/watch`) }, 'watch', '');
  yield make({ path: `${path.replace(root, `${root}/watch`)}/${name}` }, 'watch', name);
  yield make({ method: 'HEAD', path }, 'list', '');
  yield make({ method: 'OPTIONS', path }, '', '');
  yield make({ method: 'POST', path, body: garbage }, 'create', '');
  yield make({ method: 'POST', path: `${path}?dryRun=All`, body: garbage }, 'create', '');
  yield make({ method: 'PUT', path, body: garbage }, 'update', '');
  yield make({ method: 'PATCH', path, body: garbage }, 'patch', '');
  yield make({ method: 'DELETE', path }, 'deletecollection', '');
  yield make({ method: 'DELETE', path: `${path}?${selector}` }, 'deletecollection', '');
}

/** Upstream's text of the refusal. */
export function refusalOf(user: string, question: Question): string {
  const { verb, group, resource, subresource, namespace, name } = question;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const what = name === '' ? qualified : `${qualified} "${name}"`;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return `${what} is forbidden: User "${user}" cannot ${verb} resource "${full}" in API group "${group}" ${where}`;
}

/**
 * Paths that try to reach something by another way than it is named. Each is refused to who may do nothing, whatever the
 * method.
 */
export const oddPaths: readonly string[] = [
  '/api/v1//pods',
  '//api/v1/pods',
  '/api//v1/pods',
  '/api/v1/pods/',
  '/api/v1/namespaces/a//secrets/s',
  '/api/v1/namespaces//secrets/s',
  '/api/v1/namespaces/a/secrets/s/',
  '/api/v1/namespaces/a/secrets/s/x/y/z',
  '/api/v1/namespaces/a/secrets/%2e%2e/s',
  '/api/v1/namespaces/a/secrets/s%2Fstatus',
  '/api/v1/namespaces/a%2Fsecrets/s',
  '/api/v1/namespaces/a/./secrets/s',
  '/api/v1/namespaces/b/../a/secrets/s',
  '/version/../api/v1/secrets',
  '/healthz/../api/v1/secrets',
  '/healthz/..%2f..%2fapi/v1/secrets',
  '/healthz/etcd',
  '/livez/x',
  '/API/v1/secrets',
  '/api/V1/secrets',
  '/api/v1/SECRETS',
  '/api/v1/secrets;x=y',
  '/api/v1/secrets%00',
  '/api/v1/secrets%20',
  '/api/v1/watch/secrets',
  '/api/v1/watch/namespaces/a/secrets/s',
  '/api/v1/proxy/namespaces/a/services/s',
  '/api/v1/namespaces/a/services/https:s:443/proxy/',
  '/api/v1/namespaces/a/services/s/proxy/../../../secrets/s',
  '/api/v1/namespaces/a/pods/p/proxy/%2e%2e/%2e%2e/x',
  '/api/v1/nodes/n/proxy/',
  '/api/v1/nodes/n:10250/proxy/pods',
  '/api/v1/nodes/127.0.0.1:1/proxy/',
  '/api/v1/namespaces/a/status',
  '/api/v1/namespaces/a/finalize',
  '/api/v2/secrets',
  '/api/v1/nosuch',
  '/apis/no.such/v1/things',
  '/apis/apps/v9/deployments',
  '/apis/example.com/v1/namespaces/a/widgets/w/nosuch',
  '/metrics',
  '/debug/pprof/',
  '/logs/',
  '/foo',
];
