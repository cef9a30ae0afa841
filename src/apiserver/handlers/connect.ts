/**
 * Subresources of pods that lead to a kubelet: logs, exec, attach, port-forward. Upstream:
 * pkg/registry/core/pod/{strategy.go,rest}.
 */
import type { Container, Pod } from '#api/types';
import {
  badRequest,
  canonicalTime,
  type FieldError,
  FieldPath,
  forbidden,
  forbiddenField,
  InputError,
  invalid,
  invalidValue,
  notFound,
  StatusError,
} from '#apimachinery';
import { attributesOf } from '../authorization/authorizer.ts';
import { Query, type ServerResponse } from '../http/message.ts';
import type { Backend } from '../proxy/forward.ts';
import { notAList } from '../serialization/respond.ts';
import { outputOf } from './common.ts';
import { admittedOptions, type ConnectOptions } from './connect-options.ts';
import { checkedAnswer } from './kubelet-refusal.ts';
import { type ConnectDeps, failed, kubeletOf, toKubelet } from './kubelet-tunnel.ts';
import { integerParameter } from './options.ts';
import type { Handler, Scope } from './scope.ts';

async function podOf(scope: Scope, { lookup }: ConnectDeps): Promise<Pod> {
  const pod = await lookup.get('', 'pods', scope.namespace, scope.name);
  if (!pod) throw notFound(scope.about, scope.name);
  return pod as unknown as Pod;
}

const names = (containers: readonly { readonly name: string }[] | undefined): string =>
  `[${(containers ?? []).map(each => each.name).join(' ')}]`;

/** The container that a request means: named, or the only one. Throws 400 with upstream's choice. */
function containerOf(pod: Pod, wanted: string): string {
  const { containers, initContainers, ephemeralContainers } = pod.spec;
  if (wanted === '') {
    if (containers.length === 1) return containers[0]!.name;
    let text = `a container name must be specified for pod ${pod.metadata.name}, choose one of: ${names(containers)}`;
    if (initContainers?.length) text += ` or one of the init containers: ${names(initContainers)}`;
    if (ephemeralContainers?.length) text += ` or one of the ephemeral containers: ${names(ephemeralContainers)}`;
    throw badRequest(text);
  }
  const all = [...containers, ...(initContainers ?? []), ...(ephemeralContainers ?? [])] as Container[];
  if (all.some(each => each.name === wanted)) return wanted;
  throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
}

function nodeOf(pod: Pod): string {
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return pod.spec.nodeName;
}

const logParameters = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
];

function validateLogOptions(query: Query): FieldError[] {
  const errors: FieldError[] = [];
  const since = query.get('sinceTime');
  if (since) checkTime(since);
  const atLeast = (name: string, least: number): void => {
    const value = integerParameter(query, name);
    if (value !== undefined && value < least) {
      const text = least === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
      errors.push(invalidValue(FieldPath.of(name), value, text));
    }
  };
  atLeast('tailLines', 0);
  atLeast('limitBytes', 1);
  if (query.get('sinceSeconds') && query.get('sinceTime')) {
    const text = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    // Upstream's path of one empty name.
    errors.push({ type: 'FieldValueForbidden', field: '[]', body: `Forbidden: ${text}` });
  } else atLeast('sinceSeconds', 1);
  if (query.get('stream')) errors.push(forbiddenField(FieldPath.of('stream'), 'may not be specified'));
  return errors;
}

/** Throws 400 with Go's text. */
function checkTime(text: string): void {
  try {
    canonicalTime(text);
  } catch (error) {
    throw error instanceof InputError ? badRequest(error.message) : error;
  }
}

export function podLog(deps: ConnectDeps): Handler {
  return async scope => {
    const { as } = outputOf(scope);
    const { query } = scope.request;
    const errors = validateLogOptions(query);
    if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, scope.name, errors);
    const pod = await podOf(scope, deps);
    const container = containerOf(pod, query.get('container') ?? '');
    const kubelet = pod.spec.nodeName ? await kubeletOf(pod.spec.nodeName, scope, deps) : undefined;
    if (as === 'PartialObjectMetadataList')
      throw notAList(`you requested ${as}, but the requested object is not a list (*rest.LocationStreamer)`);
    if (as === 'PartialObjectMetadata') {
      throw new StatusError({ code: 500, message: 'object does not implement the Object interfaces' });
    }
    // Nothing runs yet, so there is nothing to tell.
    if (!kubelet) return { status: 204, headers: {}, body: { kind: 'empty' } };
    const kept = new Query(query.pairs.filter(([name]) => logParameters.includes(name)));
    const path = `/containerLogs/${scope.namespace}/${scope.name}/${container}`;
    const answered = await toKubelet(scope, kubelet, withQuery(path, kept));
    const answer = await checkedAnswer(answered, { resource: 'pods/log', name: scope.name });
    return { ...answer, headers: { ...answer.headers, 'content-type': 'text/plain' } };
  };
}

function withQuery(path: string, query: Query): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Streams as the kubelet names them. */
function streamQuery({ stdin, stdout, stderr, tty, command = [] }: ConnectOptions): Query {
  const streams = [stdin && 'input', stdout && 'output', stderr && 'error', tty && 'tty'].filter(each => each);
  return new Query([
    ...streams.map(name => [name as string, '1'] as const),
    ...command.map(each => ['command', each] as const),
  ]);
}

/**
 * A WebSocket begins with a GET, but what it does here is no reading: it takes the right to create all the same.
 * Upstream: pkg/registry/core/pod/rest/authorize.go.
 */
async function mayCreate({ deps, user, info, about, name }: Scope): Promise<void> {
  if (info.verb === 'create') return;
  const asked = { ...attributesOf(user, info), verb: 'create' };
  const { decision, reason, error } = await deps.authorizer.authorize(asked);
  if (error !== undefined) throw failed(error);
  if (decision !== 'allow') throw forbidden(about, name, reason);
}

/** `exec` or `attach`. */
export function podStreams(kind: 'exec' | 'attach', deps: ConnectDeps): Handler {
  return async scope => {
    const options = await admittedOptions(scope);
    await mayCreate(scope);
    const pod = await podOf(scope, deps);
    const container = containerOf(pod, options.container ?? '');
    const kubelet = await kubeletOf(nodeOf(pod), scope, deps);
    const path = `/${kind}/${scope.namespace}/${scope.name}/${container}`;
    return upgraded(scope, kubelet, withQuery(path, streamQuery(options)));
  };
}

export function podPortForward(deps: ConnectDeps): Handler {
  return async scope => {
    const { ports = [] } = await admittedOptions(scope);
    await mayCreate(scope);
    const pod = await podOf(scope, deps);
    const kubelet = await kubeletOf(nodeOf(pod), scope, deps);
    const query = new Query(ports.map(port => ['port', String(port)] as const));
    return upgraded(scope, kubelet, withQuery(`/portForward/${scope.namespace}/${scope.name}`, query));
  };
}

async function upgraded(scope: Scope, kubelet: Backend, path: string): Promise<ServerResponse> {
  if (!scope.request.upgrade) throw badRequest('Upgrade request required');
  return toKubelet(scope, kubelet, path);
}
