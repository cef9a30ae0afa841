/**
 * What is told of a request at one stage of it, and its text as Go's encoder writes it: fields in the order of the
 * type, maps sorted, what is empty left out. Upstream: apiserver pkg/apis/audit/v1/types.go, pkg/audit/format.go.
 */
import { formatMicroTime, goQuote, type Status, writeJsonString, writeSorted } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';

/** Each tells all that the one before it tells. */
export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof auditLevels)[number];

export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof auditStages)[number];

export function isAtLeast(level: AuditLevel, other: AuditLevel): boolean {
  return auditLevels.indexOf(level) >= auditLevels.indexOf(other);
}

export interface ObjectReference {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resourceVersion: string;
  readonly subresource: string;
}

/** The part of a Status that is told; absent fields are not known yet. */
export type ResponseStatus = Partial<Pick<Status, 'status' | 'message' | 'reason' | 'details' | 'code'>>;

export interface AuditEventFields {
  readonly level: AuditLevel;
  readonly auditID: string;
  readonly stage: AuditStage;
  readonly requestURI: string;
  readonly verb: string;
  /** Undefined while nobody is authenticated. */
  readonly user: UserInfo | undefined;
  readonly impersonatedUser: UserInfo | undefined;
  readonly impersonationConstraint: string;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  readonly objectRef: ObjectReference | undefined;
  readonly responseStatus: ResponseStatus | undefined;
  /** JSON text. */
  readonly requestObject: string | undefined;
  /** JSON text. */
  readonly responseObject: string | undefined;
  /** Milliseconds since the epoch, fractional. */
  readonly receivedMs: number;
  readonly stageMs: number;
  readonly annotations: Readonly<Record<string, string>>;
}

const head = '"kind":"Event","apiVersion":"audit.k8s.io/v1",';

/** An event as back ends take it; immutable, and written once however many ask for its text. */
export class AuditEvent {
  readonly fields: AuditEventFields;
  #text: string | undefined;

  constructor(fields: AuditEventFields) {
    this.fields = fields;
  }

  /** Without kind and version: an item of an EventList. */
  get item(): string {
    return `{${(this.#text ??= members(this.fields))}}`;
  }

  get json(): string {
    return `{${head}${(this.#text ??= members(this.fields))}}`;
  }

  /** Of the JSON with its newline. */
  get sizeBytes(): number {
    return head.length + Buffer.byteLength(this.item) + 1;
  }

  /** Without what makes it large. Upstream: plugin/pkg/audit/truncate. */
  truncated(): AuditEvent {
    const annotations = { ...this.fields.annotations, 'audit.k8s.io/truncated': 'true' };
    return new AuditEvent({ ...this.fields, annotations, requestObject: undefined, responseObject: undefined });
  }
}

/** Events as the body of a call. */
export function eventList(events: readonly AuditEvent[]): string {
  const items = events.map(event => event.item).join(',');
  return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${items}]}\n`;
}

function members(event: AuditEventFields): string {
  const { user, impersonatedUser, impersonationConstraint: constraint, objectRef, responseStatus } = event;
  let out = `"level":"${event.level}","auditID":${writeJsonString(event.auditID)},"stage":"${event.stage}"`;
  out += `,"requestURI":${writeJsonString(event.requestURI)},"verb":${writeJsonString(event.verb)}`;
  out += `,"user":${user ? userText(user) : '{}'}`;
  if (impersonatedUser) out += `,"impersonatedUser":${userText(impersonatedUser)}`;
  if (constraint !== '') out += `,"authenticationMetadata":{"impersonationConstraint":${writeJsonString(constraint)}}`;
  if (event.sourceIPs.length > 0) out += `,"sourceIPs":${JSON.stringify(event.sourceIPs)}`;
  if (event.userAgent !== '') out += `,"userAgent":${writeJsonString(event.userAgent)}`;
  if (objectRef) out += `,"objectRef":${referenceText(objectRef)}`;
  if (responseStatus) out += `,"responseStatus":${statusText(responseStatus)}`;
  if (event.requestObject !== undefined) out += `,"requestObject":${event.requestObject}`;
  if (event.responseObject !== undefined) out += `,"responseObject":${event.responseObject}`;
  out += `,"requestReceivedTimestamp":"${formatMicroTime(event.receivedMs)}","stageTimestamp":"${formatMicroTime(event.stageMs)}"`;
  if (Object.keys(event.annotations).length > 0) out += `,"annotations":${writeSorted(event.annotations)}`;
  return out;
}

function userText({ name, uid, groups, extra }: UserInfo): string {
  const parts: string[] = [];
  if (name !== '') parts.push(`"username":${writeJsonString(name)}`);
  if (uid !== '') parts.push(`"uid":${writeJsonString(uid)}`);
  if (groups.length > 0) parts.push(`"groups":${writeSorted(groups)}`);
  if (Object.keys(extra).length > 0) parts.push(`"extra":${writeSorted(extra)}`);
  return `{${parts.join(',')}}`;
}

function referenceText(reference: ObjectReference): string {
  const { resource, namespace, name, uid, apiGroup, apiVersion, resourceVersion, subresource } = reference;
  const inOrder = { resource, namespace, name, uid, apiGroup, apiVersion, resourceVersion, subresource };
  const parts = Object.entries(inOrder).filter(([, value]) => value !== '');
  return `{${parts.map(([key, value]) => `"${key}":${writeJsonString(value)}`).join(',')}}`;
}

function statusText({ status, message, reason, details, code }: ResponseStatus): string {
  let out = '{"metadata":{}';
  if (status) out += `,"status":"${status}"`;
  if (message) out += `,"message":${writeJsonString(message)}`;
  if (reason) out += `,"reason":${writeJsonString(reason)}`;
  if (details) out += `,"details":${writeDetails(details)}`;
  if (code) out += `,"code":${code}`;
  return `${out}}`;
}

/** In the order of the type, which is that in which they are made nowhere. */
function writeDetails(details: NonNullable<Status['details']>): string {
  const { name, group, kind, uid, causes, retryAfterSeconds } = details;
  const parts: string[] = [];
  for (const [key, value] of Object.entries({ name, group, kind, uid })) {
    if (value) parts.push(`"${key}":${writeJsonString(value)}`);
  }
  if (causes && causes.length > 0) {
    const each = causes.map(({ reason, message, field }) => {
      const own = Object.entries({ reason, message, field }).filter(([, value]) => value);
      return `{${own.map(([key, value]) => `"${key}":${writeJsonString(value!)}`).join(',')}}`;
    });
    parts.push(`"causes":[${each.join(',')}]`);
  }
  if (retryAfterSeconds) parts.push(`"retryAfterSeconds":${retryAfterSeconds}`);
  return `{${parts.join(',')}}`;
}

const quotedList = (all: readonly string[]): string => all.map(each => goQuote(each)).join(',');

/** One line for people: format `legacy`, and what logs show of events that were lost. */
export function legacyLine({ fields: event }: AuditEvent): string {
  const { user, impersonatedUser } = event;
  const named = user && user.name !== '' ? user : undefined;
  const values: ReadonlyArray<readonly [string, string]> = [
    ['id', event.auditID],
    ['stage', event.stage],
    ['ip', event.sourceIPs[0] ?? '<unknown>'],
    ['method', event.verb],
    ['user', named?.name ?? '<none>'],
    ['groups', named && named.groups.length > 0 ? quotedList(named.groups) : '<none>'],
    ['as', impersonatedUser?.name ?? '<self>'],
    ['asgroups', impersonatedUser ? quotedList(impersonatedUser.groups) : '<lookup>'],
    ['user-agent', event.userAgent],
    ['namespace', event.objectRef?.namespace || '<none>'],
    ['uri', event.requestURI],
  ];
  const text = values.map(([key, value]) => `${key}=${goQuote(value)}`).join(' ');
  const code = event.responseStatus ? String(event.responseStatus.code ?? 0) : '<deferred>';
  return `${nanoTime(event.receivedMs)} AUDIT: ${text} response="${code}"`;
}

/** Go's RFC3339Nano: no zeros at the end of the fraction. */
function nanoTime(ms: number): string {
  return formatMicroTime(ms).replace(/\.?0*Z$/, 'Z');
}
