/**
 * One request as the audit log will tell of it: what is learnt on its way is kept here, and at each stage that the
 * policy asks for it becomes an event. Upstream: apiserver pkg/audit/{context,request}.go, pkg/endpoints/filters/{audit,
 * authn_audit,request_deadline}.go.
 *
 * Deviation: the event of a patch that is no JSON shows it as JSON, or without it; upstream loses the event.
 */
import { escapeHtml, goQuote, InputError, type KubeObject, type Status, yamlToJson } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { UserInfo } from '../authentication/user.ts';
import { isLongRunning } from '../filters/long-running.ts';
import type { RequestInfo } from '../filters/request-info.ts';
import { whenEnded } from '../http/body-end.ts';
import { type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import { isAnnotationKey } from './annotation-key.ts';
import type { AuditBackend } from './backends/backend.ts';
import {
  AuditEvent,
  type AuditLevel,
  type AuditStage,
  isAtLeast,
  type ObjectReference,
  type ResponseStatus,
} from './event.ts';
import { compactJson, withoutManagedFields } from './json-text.ts';
import { Latencies, type LatencyLayer } from './latency.ts';
import type { AuditMetrics } from './metrics.ts';
import type { AuditDecision, EvaluatePolicy } from './policy.ts';
import { headerText, requestUri, sourceIPs, userAgent } from './request-facts.ts';
import { codeOfError, isPanic, responseObject, statusJson, statusOfError } from './response-object.ts';
import { withoutObjects } from './withheld.ts';

export interface RequestAuditDeps {
  readonly clock: Clock;
  readonly evaluate: EvaluatePolicy;
  readonly backend: AuditBackend;
  readonly logger: Logger;
  readonly metrics: AuditMetrics;
}

/** What the request says of itself, the same at every stage. */
interface Facts {
  readonly auditID: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: UserInfo | undefined;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  readonly receivedMs: number;
}

export class RequestAudit {
  readonly #deps: RequestAuditDeps;
  readonly #request: ServerRequest;
  readonly #info: RequestInfo;
  readonly #id: string;
  readonly #receivedMs: number;
  readonly #begunMs: number;
  readonly #latencies = new Latencies();
  readonly #annotations = new Map<string, string>();
  /** Known from the beginning, told at the end. */
  readonly #lateAnnotations = new Map<string, string>();
  /** Undefined until the policy was asked. */
  #decision: AuditDecision | undefined;
  #facts: Facts | undefined;
  #impersonated: UserInfo | undefined;
  #constraint = '';
  #reference: ObjectReference | undefined;
  #requestObject: string | undefined;
  #responseObject: string | undefined;
  #status: ResponseStatus | undefined;

  constructor(deps: RequestAuditDeps, request: ServerRequest, info: RequestInfo, id: string) {
    this.#deps = deps;
    this.#request = request;
    this.#info = info;
    this.#id = id;
    this.#receivedMs = deps.clock.now();
    this.#begunMs = deps.clock.monotonicMs();
  }

  /** For what is made for the log alone. Before the policy was asked everything may be of interest. */
  tells(level: AuditLevel): boolean {
    return this.#decision === undefined || isAtLeast(this.#decision.level, level);
  }

  /** Of several values for a key the first stays. */
  annotate(key: string, value: string): void {
    if (this.#decision?.level !== 'None' && !this.#annotations.has(key)) {
      this.#annotations.set(key, value);
    }
  }

  /** From admission, whose keys are qualified; told from `level` on. */
  annotateAdmission(key: string, value: string, level: AuditLevel = 'Metadata'): void {
    if (isAnnotationKey(key) && this.tells(level)) this.annotate(key, value);
  }

  /** What was asked for is to go, with the release `removedIn`. Upstream tells it when the handler is done. */
  deprecated(removedIn: string | undefined): void {
    this.#lateAnnotations.set('k8s.io/deprecated', 'true');
    if (removedIn !== undefined) this.#lateAnnotations.set('k8s.io/removed-release', removedIn);
  }

  track(layer: LatencyLayer, ms: number): void {
    this.#latencies.track(layer, ms);
  }

  /** Time on a layer: `const stop = audit.timer('etcd'); …; stop()`. */
  timer(layer: LatencyLayer): () => void {
    const begun = this.#deps.clock.monotonicMs();
    return () => this.track(layer, this.#deps.clock.monotonicMs() - begun);
  }

  impersonated(user: UserInfo, constraint = ''): void {
    this.#impersonated = user;
    this.#constraint = constraint;
  }

  /** The body as it was decoded; `json` is asked for its text when it is to be told. */
  requestObject(object: Pick<KubeObject, 'metadata'> | undefined, json: () => string): void {
    if (!this.#decision || !this.tells('Metadata')) return;
    const { name = '', namespace = '', uid = '', resourceVersion = '' } = object?.metadata ?? {};
    const known = this.#reference;
    if (known) {
      this.#reference = {
        ...known,
        namespace: known.namespace || namespace,
        name: known.name || name,
        uid,
        resourceVersion,
      };
    }
    if (!this.tells('Request')) return;
    try {
      this.#requestObject = this.#kept(json());
    } catch (error) {
      this.#unwritable('request', error);
    }
  }

  requestPatch(body: Uint8Array): void {
    if (this.#decision && this.tells('Request')) this.#requestObject = patchText(Buffer.from(body).toString());
  }

  /** The request is refused before anybody is known to have made it. */
  async refused(error: unknown): Promise<void> {
    if (!this.#decide(undefined)) return;
    this.#failed(statusOfError(error, this.#request), codeOfError(error));
    await this.#process('ResponseStarted');
  }

  /** Serves the request of `user` and tells of it; one that is not told of goes on without this. */
  async follow(user: UserInfo, serve: (request: ServerRequest) => Promise<ServerResponse>): Promise<ServerResponse> {
    if (!this.#decide(user)) return serve(this.#request);
    if (!(await this.#process('RequestReceived'))) {
      this.#deps.metrics.rejected();
      return this.#notStored();
    }
    let response: ServerResponse;
    try {
      response = await serve({ ...this.#request, audit: this });
    } catch (error) {
      await this.#threw(error, statusOfError(error, this.#request), codeOfError(error));
      throw error;
    }
    return this.#answered(response);
  }

  #decide(user: UserInfo | undefined): boolean {
    const decision = this.#deps.evaluate({ ...this.#info, user });
    this.#deps.metrics.level(decision.level);
    this.#decision = decision;
    if (decision.level === 'None') return false;
    const { isResourceRequest, verb, resource, namespace, name, group, version, subresource } = this.#info;
    const request = this.#request;
    this.#facts = {
      auditID: headerText(this.#id),
      requestURI: requestUri(request),
      verb,
      user,
      sourceIPs: sourceIPs(request),
      userAgent: userAgent(request),
      receivedMs: this.#receivedMs,
    };
    if (isResourceRequest) {
      const body = { uid: '', resourceVersion: '' };
      this.#reference = { ...body, resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
    }
    return true;
  }

  #notStored(): ServerResponse {
    const uri = goQuote(this.#request.url).replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!);
    return textResponse(500, `Internal Server Error: ${uri}: failed to store audit event\n`);
  }

  async #threw(error: unknown, status: Status | undefined, code: number): Promise<void> {
    if (isPanic(error)) {
      const message = `APIServer panic'd: ${error.message}`;
      this.#status = { code: 500, status: 'Failure', reason: 'InternalError', message };
      await this.#process('Panic');
      return;
    }
    this.#failed(status, code);
    if (isLongRunning(this.#info)) await this.#process('ResponseStarted');
    await this.#complete();
  }

  #failed(status: Status | undefined, code: number): void {
    this.#status = { ...(status && told(status)), code };
    if (status && this.tells('RequestResponse')) this.#responseObject = statusJson(status);
  }

  async #answered(response: ServerResponse): Promise<ServerResponse> {
    const { logged, status: code } = response;
    if (logged?.error !== undefined) {
      await this.#threw(logged.error, logged.status, code);
      return response;
    }
    this.#status = { ...(logged?.status && told(logged.status)), code };
    if (isLongRunning(this.#info)) {
      await this.#process('ResponseStarted');
      return whenEnded(response, this.#request.signal, () => void this.#complete());
    }
    const { kind } = response.body;
    const isWhole = kind === 'bytes' || kind === 'empty';
    if (isWhole) {
      await this.#completeWith(response);
      return response;
    }
    return whenEnded(response, this.#request.signal, () => void this.#completeWith(response));
  }

  async #completeWith(response: ServerResponse): Promise<void> {
    try {
      const json = this.tells('RequestResponse') ? await responseObject(response, this.#info) : undefined;
      if (json !== undefined) this.#responseObject = this.#kept(json);
    } catch (error) {
      this.#unwritable('response', error);
    }
    await this.#complete();
  }

  async #complete(): Promise<void> {
    const totalMs = this.#deps.clock.monotonicMs() - this.#begunMs;
    const late = [...this.#lateAnnotations, ...this.#latencies.annotations(totalMs)];
    for (const [key, value] of late) this.annotate(key, value);
    await this.#process('ResponseComplete');
  }

  /** What was done stays done, and its event comes without the object. */
  #unwritable(what: 'request' | 'response', error: unknown): void {
    this.#deps.logger.error('an object could not be written for the audit log', { what, auditID: this.#id, error });
  }

  #kept(json: string): string {
    return escapeHtml(this.#decision!.omitManagedFields ? withoutManagedFields(json) : json);
  }

  #process(stage: AuditStage): boolean | Promise<boolean> {
    const { level, omitStages } = this.#decision!;
    if (omitStages.has(stage)) return true;
    this.#deps.metrics.event();
    return this.#deps.backend.process([this.#event(level, stage)]);
  }

  #event(level: AuditLevel, stage: AuditStage): AuditEvent {
    const spentMs = stage === 'RequestReceived' ? 0 : this.#deps.clock.monotonicMs() - this.#begunMs;
    return new AuditEvent({
      ...this.#facts!,
      level,
      stage,
      impersonatedUser: this.#impersonated,
      impersonationConstraint: this.#constraint,
      objectRef: this.#reference,
      responseStatus: this.#status && (isAtLeast(level, 'Request') ? this.#status : withoutObjects(this.#status)),
      requestObject: this.#requestObject,
      responseObject: this.#responseObject,
      stageMs: this.#receivedMs + spentMs,
      annotations: Object.fromEntries(this.#annotations),
    });
  }
}

/** The bounded part of a Status. */
function told({ status, message, reason, details }: Status): ResponseStatus {
  return {
    status,
    ...(message !== undefined && { message }),
    ...(reason !== undefined && { reason }),
    ...(details !== undefined && { details }),
  };
}

function patchText(text: string): string | undefined {
  const compact = compactJson(text);
  if (compact !== undefined) return compact;
  try {
    return yamlToJson(text).json;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
