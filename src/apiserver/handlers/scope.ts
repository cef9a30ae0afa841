/** What every handler of a resource gets: the request, what it asks for, who asks, and the server's parts. */
import type { Clock } from '#base';
import type { AdmissionAttributes, AdmissionChain } from '../admission/chain.ts';
import type { UserInfo } from '../authentication/user.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RequestInfo } from '../filters/request-info.ts';
import type { BulkTurns } from '../flow-control/bulk-turns.ts';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import type { Caches } from '../registry/caches.ts';
import type { FieldManagers } from '../registry/field-managers.ts';
import type { Registry } from '../registry/registry.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { PieceBuffers } from '../serialization/piece-buffers.ts';
import type { Subject } from './subject.ts';

/** The largest body of a write. */
export const maxBodyBytes: number = 3 * 1024 * 1024;

export interface HandlerDeps {
  /** `--min-request-timeout`. */
  readonly minRequestTimeoutMs: number;
  readonly clock: Clock;
  readonly scheme: Scheme;
  readonly registry: Registry;
  readonly caches: Caches;
  readonly admission: AdmissionChain;
  readonly fieldManagers: FieldManagers;
  /** What lists are put together in. */
  readonly pieces: PieceBuffers;
  /** When their making goes on. */
  readonly turns: BulkTurns;
  /** Asked once more for what turns out to be a creation. */
  readonly authorizer: Authorizer;
}

export interface Scope {
  readonly deps: HandlerDeps;
  readonly request: ServerRequest;
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly resource: ServedResource;
  /** What of the resource is read and written. */
  readonly subject: Subject;
  /** Adds a `Warning:` header to the answer. */
  readonly warn: (text: string) => void;
  /** Adds an annotation to the request's audit event. */
  readonly annotate?: AdmissionAttributes['annotate'];
  /** Set when the request names an object. */
  readonly name: string;
  /** Empty for the cluster scope, or for all namespaces. */
  readonly namespace: string;
  /** As errors name it. */
  readonly about: { readonly group: string; readonly resource: string };
}

export type Handler = (scope: Scope) => Promise<ServerResponse>;
