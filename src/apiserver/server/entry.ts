/**
 * The chain that every request goes through, in upstream's order: request info, authentication, impersonation,
 * a turn among others, authorization, then what the path asks for; any failure becomes a Status. Upstream: apiserver pkg/server/config.go
 * DefaultBuildHandlerChain.
 */

import { builtinTypes } from '#api/tables';
import { goMarshal, goQuote, internalError, isStatusError, type Status, StatusError, timeout } from '#apimachinery';
import type { Activity, Logger, MetricsRegistry } from '#base';
import { StorageError } from '#storage';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { Auditor } from '../audit/auditor.ts';
import type { Authenticate } from '../authentication/authentication.ts';
import type { ServiceAccountTokens } from '../authentication/service-accounts/tokens.ts';
import type { UserInfo } from '../authentication/user.ts';
import { AuthorizationRefusal, type Authorizer, attributesOf, sanitized } from '../authorization/authorizer.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { AuthorizationFailure, authorize } from '../filters/authorization.ts';
import { compressed, wholeCompressed } from '../filters/compression.ts';
import { deadlineMs, withDeadline } from '../filters/deadline.ts';
import type { Impersonation } from '../filters/impersonation/impersonation.ts';
import { isLongRunning } from '../filters/long-running.ts';
import { type RequestInfo, RequestInfoFailure, requestInfo } from '../filters/request-info.ts';
import { type Measured, RequestMetrics } from '../filters/request-metrics.ts';
import type { StepMetrics } from '../filters/step-metrics.ts';
import type { Concurrency } from '../flow-control/start.ts';
import type { Entry } from '../http/listener.ts';
import {
  discard,
  errorStatus,
  header,
  orderedStatus,
  type ServerRequest,
  type ServerResponse,
  statusResponse,
  textResponse,
} from '../http/message.ts';
import { type CustomDocuments, type OpenapiDocuments, openapi } from '../openapi/openapi.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { checkConsumed, checkProduced, negotiateOutput } from '../serialization/negotiation.ts';
import { isPlainJson, respondValue } from '../serialization/respond.ts';
import type { Inside, Lifecycle } from '../shutdown/lifecycle.ts';
import { debug } from './debug.ts';
import { type DispatchDeps, dispatch, isBuiltin, noSuchMethod, noSuchPath, PageNotFound } from './dispatch.ts';
import { type HealthCheck, health, isHealthPath } from './health.ts';
import { openidMetadata } from './oidc.ts';
import { checkPaths, type HealthIndicators, metricsPage, rootPaths } from './root-pages.ts';
import { versionInfo } from './version.ts';
import { Warnings } from './warnings.ts';
import type { zpages } from './zpages.ts';

export interface EntryDeps {
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly activity: Activity;
  readonly authenticate: Authenticate;
  readonly authorizer: Authorizer;
  readonly impersonation: Impersonation;
  readonly concurrency: Concurrency;
  readonly dispatch: DispatchDeps;
  readonly discovery: Discovery;
  readonly aggregator: Aggregator;
  readonly openapi: OpenapiDocuments;
  readonly customOpenapi: CustomDocuments;
  readonly serviceAccountTokens: ServiceAccountTokens | undefined;
  readonly checks: readonly HealthCheck[];
  readonly lifecycle: Lifecycle;
  readonly steps: StepMetrics;
  readonly requestTimeoutMs: number;
  /** Undefined: nothing is recorded. */
  readonly auditor: Auditor | undefined;
  /** Whether large answers are compressed. */
  readonly compresses: boolean;
  readonly healthIndicators: HealthIndicators;
  /** /flagz and /statusz, where they are served. */
  readonly zpages: ReturnType<typeof zpages>;
  /** Whether /debug is served. */
  readonly profiling: boolean;
  /** For /debug/flags/v; absent: it cannot be changed. */
  readonly setVerbosity: ((level: number) => void) | undefined;
  /** The server's host in documents; absent: the one that was asked for. */
  readonly externalHostname: string | undefined;
}

/** The answer of what may last, or of what has to come in time. */
async function limited(
  deps: EntryDeps,
  request: ServerRequest,
  info: RequestInfo,
  warnings: Warnings,
): Promise<ServerResponse> {
  if (isLongRunning(info)) return answer(deps, request, info, warnings);
  const ms = await recorded(request, () => deadlineMs(request, deps.requestTimeoutMs));
  // A call within the process has its caller's signal.
  const late = (response: ServerResponse): void => {
    deps.steps.answeredLate();
    discard(response);
  };
  if (request.user) return answer(deps, request, info, warnings);
  const { clock } = deps.dispatch;
  const work = answer(deps, { ...request, deadlineMs: clock.monotonicMs() + ms }, info, warnings);
  return withDeadline(clock, ms, work, late);
}

export function createEntry(deps: EntryDeps): Entry {
  const { clock, scheme } = deps.dispatch;
  const metrics = new RequestMetrics(deps.metrics, clock, info => isServed(scheme, info));
  return async incoming => {
    const done = deps.activity.begin();
    const warnings = new Warnings();
    const id = header(incoming, 'audit-id') || deps.dispatch.registry.deps.random.uuid();
    let request = incoming;
    let measured: Measured | undefined;
    let entered: Inside | undefined;
    let response: ServerResponse;
    try {
      const info = requestInfo(request.method, request.path, request.query);
      const inside = deps.lifecycle.enter(request, info);
      if ('status' in inside) return finished(inside, id, done);
      entered = inside;
      measured = metrics.begin(request, info);
      const isRemote = deps.aggregator.isRemote(request.path);
      if (isRemote || deps.auditor) request = { ...request, auditId: id };
      if (deps.auditor) request = { ...request, audit: deps.auditor.begin(request, info, id) };
      response = await limited(deps, request, info, warnings);
      const own = info.isResourceRequest && !isRemote;
      if (own && deps.compresses && !request.user && !isLongRunning(info)) {
        response = await compressed(request, response);
      }
    } catch (error) {
      response = failure(deps, request, error);
    }
    if (measured) response = measured.answered(response);
    const headers = warnings.headers();
    if (headers.length > 0) response.headers['warning'] = headers;
    return finished(entered?.answered(response) ?? response, id, done);
  };
}

function finished(response: ServerResponse, auditId: string, done: () => void): ServerResponse {
  response.headers['cache-control'] ??= 'no-cache, private';
  response.headers['audit-id'] = auditId;
  done();
  return response;
}

/** The Status of an error in the encoding that the client accepts. */
function failure(deps: EntryDeps, request: ServerRequest, error: unknown): ServerResponse {
  if (error instanceof PageNotFound) return textResponse(404, '404 page not found\n');
  if (error instanceof RequestInfoFailure) {
    const what = `${goQuote(request.url)}: failed to create RequestInfo: ${error.message}`;
    return textResponse(500, `${sanitized(`Internal Server Error: ${what}`)}\n`);
  }
  if (error instanceof AuthorizationFailure) return textResponse(500, `${error.message}\n`);
  const status = statusFor(deps, request, error);
  const plain = statusResponse(status);
  if (error instanceof AuthorizationRefusal) plain.headers['x-content-type-options'] = 'nosniff';
  try {
    const output = negotiateOutput(request, { transforms: false });
    if (isPlainJson(output)) return { ...plain, logged: { status } };
    const { headers, body } = respondValue(status, statusStruct(), output, status.code);
    return { status: status.code, headers: { ...plain.headers, ...headers }, body, logged: { status } };
  } catch {
    return { ...indented(plain, status), logged: { status } };
  }
}

/** Where nothing that the client accepts can be given, a Status is JSON for people. Upstream: WriteRawJSON. */
function indented({ headers }: ServerResponse, status: Status): ServerResponse {
  const bytes = Buffer.from(goMarshal(orderedStatus(status), 2));
  return { status: status.code, headers, body: { kind: 'bytes', bytes } };
}

const statusStruct = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.Status');

/** Bugs are told to the log and to nobody else. */
function statusFor(deps: EntryDeps, request: ServerRequest, error: unknown): Status {
  const { method, path } = request;
  if (error instanceof StorageError && (error.code === 'noSpace' || error.code === 'readOnly')) {
    deps.logger.warn('write refused', { method, path, reason: error.message });
  } else if (error instanceof StorageError && error.code === 'unavailable') {
    deps.logger.warn('the store does not answer', { method, path, reason: error.message });
    return timeout('request did not complete within requested timeout - context deadline exceeded', 0).status;
  } else if (error instanceof StorageError && error.code === 'tooLarge') {
    return new StatusError({ code: 500, message: error.message }).status;
  } else if (error instanceof StorageError && error.code === 'transform') {
    deps.logger.error('a stored value cannot be transformed', { method, path, reason: error.message });
    return internalError(error.message).status;
  } else if (!isStatusError(error) && !request.signal.aborted) {
    deps.logger.error('request failed', { method, path, error });
  }
  return errorStatus(error);
}

function isServed(scheme: Scheme, { group, version, resource, subresource }: RequestInfo): boolean {
  const found = scheme.find(group, version, resource);
  return found !== undefined && (subresource === '' || found.subresources.some(each => each.name === subresource));
}

async function answer(
  deps: EntryDeps,
  request: ServerRequest,
  info: RequestInfo,
  warnings: Warnings,
): Promise<ServerResponse> {
  const { audit } = request;
  const warn = (text: string): void => warnings.add(text);
  const remarks = { warn, ...(audit && { annotate: (key: string, value: string) => audit.annotate(key, value) }) };
  const identified = audit?.timer('authentication');
  const authenticated = deps.steps.begin('authentication');
  const requester = await recorded(request, () => deps.authenticate(request, remarks));
  identified?.();
  authenticated();
  const serve = (settled: ServerRequest): Promise<ServerResponse> => serveAs(deps, settled, info, requester, warn);
  return audit ? audit.follow(requester, serve) : serve(request);
}

/** What fails before it is known who asks is recorded by itself. */
async function recorded<T>({ audit }: ServerRequest, work: () => Promise<T> | T): Promise<T> {
  if (!audit) return work();
  try {
    return await work();
  } catch (error) {
    await audit.refused(error);
    throw error;
  }
}

async function serveAs(
  deps: EntryDeps,
  request: ServerRequest,
  info: RequestInfo,
  requester: UserInfo,
  warn: (text: string) => void,
): Promise<ServerResponse> {
  const { audit } = request;
  const measured = audit?.timer('impersonation');
  const impersonated = deps.steps.begin('impersonation');
  const assumed = await deps.impersonation.assume(request, attributesOf(requester, info));
  const user = assumed?.user ?? requester;
  if (assumed) {
    measured?.();
    audit?.impersonated(user, assumed.constraint);
  }
  impersonated();
  const waited = audit?.timer('apf-queue-wait');
  const hadTurn = deps.steps.begin('priorityAndFairness');
  const run = (): Promise<ServerResponse> => {
    waited?.();
    hadTurn();
    return authorized(deps, request, info, user, warn);
  };
  const failed = (error: unknown): ServerResponse => {
    const response = failure(deps, request, error);
    return { ...response, logged: { ...response.logged, error } };
  };
  return deps.concurrency.filter.handle(request, { info, user }, { run, failed });
}

async function authorized(
  deps: EntryDeps,
  request: ServerRequest,
  info: RequestInfo,
  user: UserInfo,
  warn: (text: string) => void,
): Promise<ServerResponse> {
  await authorize(deps.authorizer, attributesOf(user, info), request, deps.steps.authorizing());
  const elsewhere = deps.aggregator.serve(request, user, isLongRunning(info) ? undefined : deps.requestTimeoutMs);
  if (elsewhere) return elsewhere;
  if (info.isResourceRequest) return dispatch(deps.dispatch, request, info, user, warn);
  return nonResource(deps, request, info);
}

/** Indented, as upstream writes what people read. */
function jsonText(value: unknown): ServerResponse {
  const bytes = Buffer.from(JSON.stringify(value, null, 2));
  return { status: 200, headers: { 'content-type': 'application/json' }, body: { kind: 'bytes', bytes } };
}

/** What `/` lists. */
function pathsOf(deps: EntryDeps): string[] {
  const groups = deps.discovery.groups().flatMap(({ name, versions }) => {
    if (name === '') return ['/api', ...versions.map(({ version }) => `/api/${version}`)];
    return [`/apis/${name}`, ...versions.map(({ version }) => `/apis/${name}/${version}`)];
  });
  return rootPaths(groups, checkPaths(deps.checks), deps.zpages.keys());
}

/** What lists groups and a group's versions does not look at the method; what is built in is only got. */
function checkDiscoveryMethod({ discovery, dispatch }: EntryDeps, request: ServerRequest): void {
  const { method, path } = request;
  if (method === 'GET' || /^\/apis(?:\/[^/]*)?\/?$/.test(path)) return;
  const isFixed = !path.startsWith('/apis') || isBuiltin(path.split('/')[2] ?? '', dispatch.scheme);
  if (method === 'HEAD' && !isFixed) return;
  // The method is judged before what the client accepts.
  if (discovery.respond({ ...request, headers: {} })) throw noSuchMethod();
}

async function nonResource(deps: EntryDeps, request: ServerRequest, { path }: RequestInfo): Promise<ServerResponse> {
  if (isHealthPath(path)) {
    return health(request, deps.checks, (name, root, isWell) => deps.healthIndicators.observe(name, root, isWell));
  }
  if (path.startsWith('//')) throw new PageNotFound();
  if (path.includes('//')) throw noSuchPath();
  if (path === '/version' || path === '/version/') {
    if (request.method !== 'GET') throw noSuchMethod();
    checkConsumed(request, ['application/json']);
    checkProduced(request, ['application/json']);
    return jsonText(versionInfo);
  }
  if (path.startsWith('/version/')) throw noSuchPath();
  if (path === '/' || path === '/index.html') return jsonText({ paths: pathsOf(deps) });
  const { clock } = deps.dispatch;
  // Deviation: DELETE /metrics resets nothing; it reads, as every method does.
  if (path === '/metrics') return wholeCompressed(request, metricsPage(deps.metrics, clock));
  if (path === '/metrics/slis') return wholeCompressed(request, metricsPage(deps.healthIndicators.registry, clock));
  const zpage = deps.zpages.get(path);
  if (zpage) return zpage(request, pathsOf(deps));
  const debugged =
    path.startsWith('/debug/') &&
    (deps.concurrency.dump(request) ?? (deps.profiling ? await debug(request, clock, deps.setVerbosity) : undefined));
  if (debugged) return debugged;
  const described = openapi(request, deps.openapi, deps.customOpenapi, clock, deps.aggregator.documents);
  if (described) return path === '/openapi/v2' ? wholeCompressed(request, described) : described;
  const openid = openidMetadata(
    deps.externalHostname ?? request.host ?? 'localhost',
    request.path,
    deps.serviceAccountTokens,
  );
  if (openid) {
    if (request.method !== 'GET') throw noSuchMethod();
    checkProduced(request, [String(openid.headers['content-type'])]);
    return openid;
  }
  checkDiscoveryMethod(deps, request);
  const discovered = deps.discovery.respond(request);
  if (discovered) return discovered;
  const [, root, group = ''] = path.split('/');
  if (root === 'api' || (root === 'apis' && isBuiltin(group, deps.dispatch.scheme))) throw noSuchPath();
  return textResponse(404, '404 page not found\n');
}
