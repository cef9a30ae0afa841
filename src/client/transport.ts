/**
 * One neutral request shape. Every transport is a thin adapter: HTTPS to any Kubernetes, or a function call into an
 * API server in this process with the meaning of the same request.
 */
import type { Json } from '#apimachinery';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** Without the query: `/api/v1/namespaces/default/pods`. */
  readonly path: string;
  /** Query parameters; repeated ones as repeated pairs. */
  readonly query?: ReadonlyArray<readonly [string, string]>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is JSON; bytes are sent as they are, with `content-type` in the headers. */
  readonly body?: object | Uint8Array;
  /** Aborting ends the request, or the stream of a watch. */
  readonly signal?: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The decoded JSON body, frozen when it comes from a cache. Rejects with StatusError for status >= 400 (callers
   * normally let `request` do that; see {@link Transport}).
   */
  json(): Promise<Json>;
  /** The body's bytes as they arrive. Use either this or `json` or `events`. */
  bytes(): AsyncIterable<Uint8Array>;
  /** A watch's events, decoded. Ends when the server closes the stream or the signal aborts. */
  events(): AsyncIterable<WatchEvent>;
}

/** One line of a watch. Upstream: apimachinery pkg/apis/meta/v1/watch.go. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Json;
}

export interface Transport extends AsyncDisposable {
  /**
   * Resolves when the response's head is there. An answer of 400 or above rejects with the StatusError that the body
   * holds (or one made of code and text), a broken connection with an Error that has `cause`.
   */
  request(request: ApiRequest): Promise<ApiResponse>;
  /** Where it leads and as whom, for messages. */
  readonly description: string;
}
