/**
 * What browsers are told: which pages of others may use the API (CORS), and that it is to be spoken to by TLS alone
 * (HSTS). Upstream: apiserver pkg/server/filters/{cors,hsts}.go.
 */
import { compileRegex } from '#apimachinery/schema';
import type { Entry } from '../http/listener.ts';
import { header, type ServerResponse } from '../http/message.ts';

export interface BrowserSettings {
  /** Expressions; empty: no page of others. */
  readonly corsAllowedOrigins: readonly string[];
  readonly hstsDirectives: readonly string[];
}

/** Of every answer to a page that may use the API, as upstream's defaults are. */
const corsHeaders = {
  'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE, PATCH',
  'access-control-allow-headers':
    'Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-Requested-With, If-Modified-Since',
  'access-control-expose-headers': 'Date',
  'access-control-allow-credentials': 'true',
};

/** `entry` with these headers; preflight requests of allowed origins do not reach it. */
export function withBrowserHeaders(entry: Entry, settings: BrowserSettings, newId: () => string): Entry {
  const { corsAllowedOrigins, hstsDirectives } = settings;
  if (corsAllowedOrigins.length === 0 && hstsDirectives.length === 0) return entry;
  const origins = corsAllowedOrigins.map(compileRegex);
  const always = hstsDirectives.length > 0 ? { 'strict-transport-security': hstsDirectives.join('; ') } : {};
  return async request => {
    const origin = header(request, 'origin');
    const isAllowed = origin !== undefined && origin !== '' && origins.some(each => each.test(origin));
    const added = { ...always, ...(isAllowed && { 'access-control-allow-origin': origin, ...corsHeaders }) };
    const answer =
      isAllowed && request.method === 'OPTIONS' ? preflight(header(request, 'audit-id') || newId()) : entry(request);
    const response = await answer;
    Object.assign(response.headers, added);
    return response;
  };
}

function preflight(auditId: string): ServerResponse {
  const headers = { 'audit-id': auditId, 'cache-control': 'no-cache, private' };
  return { status: 204, headers, body: { kind: 'empty' } };
}
