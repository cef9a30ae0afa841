/**
 * What a connection is asked for (PodExecOptions, ServiceProxyOptions …): made of the query, shown to admission as the
 * object of a CONNECT, and then obeyed. Upstream: apiserver pkg/endpoints/handlers/rest.go ConnectResource,
 * getRequestOptions.
 */
import { badRequest, type Draft, type KubeObject } from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import { booleanParameter } from '../filters/request-info.ts';
import type { Query } from '../http/message.ts';
import { failed } from './kubelet-tunnel.ts';
import type { Scope } from './scope.ts';

/** Of all kinds of connections together. */
export interface ConnectOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly tty?: boolean;
  readonly container?: string;
  readonly command?: readonly string[];
  readonly ports?: readonly number[];
  /** Below the proxied thing's root; with the slashes that the request has. */
  readonly path?: string;
}

const booleans = ['stdin', 'stdout', 'stderr', 'tty'] as const;

function streamOptions(query: Query, withCommand: boolean): ConnectOptions {
  const container = query.get('container');
  const command = withCommand ? query.all('command') : [];
  const on = booleans.filter(name => booleanParameter(query.get(name)));
  return {
    ...Object.fromEntries(on.map(name => [name, true])),
    ...(container && { container }),
    ...(command.length > 0 && { command }),
  };
}

function portOptions(query: Query): ConnectOptions {
  const ports = query.all('ports').flatMap(each => each.split(','));
  const wrong = ports.find(each => !/^[+-]?\d+$/.test(each));
  if (wrong !== undefined)
    throw badRequest(`cannot convert to []int32: strconv.ParseUint: parsing ${JSON.stringify(wrong)}: invalid syntax`);
  return ports.length > 0 ? { ports: ports.map(Number) } : {};
}

function proxyOptions({ info }: Scope): ConnectOptions {
  let path = info.parts.slice(3).join('/');
  if (path !== '' && !path.startsWith('/')) path = `/${path}`;
  if (info.path.endsWith('/') && !path.endsWith('/')) path += '/';
  return path === '' ? {} : { path };
}

function optionsOf(scope: Scope): ConnectOptions {
  const { query } = scope.request;
  switch (scope.info.subresource) {
    case 'exec':
      return streamOptions(query, true);
    case 'attach':
      return streamOptions(query, false);
    case 'portforward':
      return portOptions(query);
    default:
      return proxyOptions(scope);
  }
}

/** The options, as admission left them. */
export async function admittedOptions(scope: Scope): Promise<ConnectOptions> {
  if (scope.request.query.get('dryRun') !== undefined) throw badRequest('dryRun is not supported');
  const facts = scope.resource.subresources.find(each => each.name === scope.info.subresource);
  if (!facts) throw failed(`no options for ${scope.info.subresource}`);
  const { kind } = facts;
  const draft = { kind: kind.kind, apiVersion: kind.version, ...optionsOf(scope) } as unknown as Draft<KubeObject>;
  const attributes = admissionAttributes(scope, {
    operation: 'CONNECT',
    name: scope.name,
    dryRun: false,
    options: {},
    old: null,
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
  });
  await scope.deps.admission.admit(attributes, draft);
  await scope.deps.admission.validate(attributes, draft as unknown as KubeObject);
  return draft as unknown as ConnectOptions;
}
