/**
 * /flagz and /statusz: what the server was started with, and since when it runs; text for people, or a Flagz or Statusz
 * of config.k8s.io for who names it in `Accept`. Upstream: apiserver pkg/server/{flagz,statusz}.
 * Deviation: upstream picks the sign between a name and its value by chance; here it is always a colon.
 */
import { StatusError } from '#apimachinery';
import type { Clock } from '#base';
import type { FeatureGates } from '../features/feature-gates.ts';
import { header, plainText, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { parseAccept, wantsPretty } from '../serialization/negotiation.ts';
import { encodeAs } from '../serialization/respond.ts';
import { versionInfo } from './version.ts';

export interface ZpagesDeps {
  readonly clock: Clock;
  readonly features: FeatureGates;
  /** By name, as their values are written; absent: there was no command line. */
  readonly flags: Readonly<Record<string, string>> | undefined;
  /** When the process began. */
  readonly startedMs: number;
}

/** Those of the two that this server has, by path. */
export function zpages(
  deps: ZpagesDeps,
): ReadonlyMap<string, (request: ServerRequest, paths: string[]) => ServerResponse> {
  const pages = new Map<string, (request: ServerRequest, paths: string[]) => ServerResponse>();
  const { flags, features } = deps;
  if (flags && features.enabled('ComponentFlagz')) pages.set('/flagz', request => flagz(request, flags));
  if (features.enabled('ComponentStatusz')) {
    pages.set('/statusz', (request, paths) => statusz(request, deps, paths));
  }
  return pages;
}

const component = 'apiserver';

function flagz(request: ServerRequest, flags: Readonly<Record<string, string>>): ServerResponse {
  const sorted = Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = (): string => sorted.map(([name, value]) => `${name}: ${value}\n`).join('');
  return page(request, 'Flagz', { flags: Object.fromEntries(sorted) }, text);
}

function statusz(request: ServerRequest, { clock, startedMs }: ZpagesDeps, listed: readonly string[]): ServerResponse {
  const uptimeSeconds = Math.max(0, Math.floor((clock.now() - startedMs) / 1000));
  const { goVersion, major, minor } = versionInfo;
  const version = `${major}.${minor}`;
  const paths = folders(listed);
  const started = new Date(Math.floor(startedMs / 1000) * 1000);
  const value = {
    startTime: started.toISOString().replace('.000', ''),
    uptimeSeconds,
    goVersion,
    binaryVersion: version,
    emulationVersion: version,
    paths,
  };
  const two = (number: number): string => String(Math.floor(number) % 60).padStart(2, '0');
  const text = (): string =>
    [
      '',
      `Started: ${unixDate(started)}`,
      `Up: ${Math.floor(uptimeSeconds / 3600)} hr ${two(uptimeSeconds / 60)} min ${two(uptimeSeconds)} sec`,
      `Go version: ${goVersion}`,
      `Binary version: ${version}`,
      `Emulation version: ${version}`,
      `Paths: ${paths.join(' ')}`,
      '',
    ].join('\n');
  return page(request, 'Statusz', value, text);
}

/** As Go's time.UnixDate: `Sat Nov 21 19:14:34 UTC 2026`. */
function unixDate(time: Date): string {
  const [day, date = '', month, year, clock] = time.toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${date.replace(/^0/, ' ')} ${clock} UTC ${year}`;
}

const notForDebugging = new Set(['/apis', '/api', '/openid', '/openapi', '/.well-known']);

/** The first segments of paths, but for those of the API itself. */
function folders(paths: readonly string[]): string[] {
  const found = new Set(paths.map(path => `/${path.split('/')[1]}`));
  return [...found]
    .filter(path => path !== '/' && path !== '/statusz' && !notForDebugging.has(path))
    .concat('/statusz')
    .sort();
}

const offered = ['application/json', 'application/yaml', 'text/plain'] as const;

/** As text, or as the kind in the version that is asked for. */
function page(request: ServerRequest, kind: string, value: object, text: () => string): ServerResponse {
  const { mediaType, version } = negotiated(request, kind);
  if (mediaType === 'text/plain') {
    const warning =
      'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';
    return plainText(`\n${component} ${kind.toLowerCase()}\n${warning}\n${text()}`);
  }
  const whole = { kind, apiVersion: `config.k8s.io/${version}`, metadata: { name: component }, ...value };
  const bytes = encodeAs(whole, undefined, { mediaType, pretty: wantsPretty(request) });
  const deprecated = `299 - "This version of the ${kind.toLowerCase()} endpoint is deprecated. Please use a newer version."`;
  return {
    status: 200,
    headers: {
      'content-type': `${mediaType};g=config.k8s.io;v=${version};as=${kind}`,
      ...(version === 'v1alpha1' && { warning: deprecated }),
    },
    body: { kind: 'bytes', bytes },
  };
}

function negotiated(
  request: ServerRequest,
  kind: string,
): { readonly mediaType: (typeof offered)[number]; readonly version: string } {
  const accept = (header(request, 'accept') ?? '').trim();
  if (accept === '') return { mediaType: 'text/plain', version: '' };
  for (const { type, subtype, parameters } of parseAccept(accept)) {
    const version = parameters.get('v') ?? '';
    const isNamed = ['as', 'g', 'v'].some(name => parameters.has(name));
    const isKnown =
      parameters.get('as') === kind && parameters.get('g') === 'config.k8s.io' && /^v1(?:alpha|beta)1$/.test(version);
    for (const mediaType of offered) {
      const [mainType, mainSubtype] = mediaType.split('/');
      if ((type !== '*' && type !== mainType) || (subtype !== '*' && subtype !== mainSubtype)) continue;
      if (!parameters.has('stream') && (mediaType === 'text/plain' ? !isNamed : isKnown)) return { mediaType, version };
    }
  }
  const message = `only the following media types are accepted: ${offered.join(', ')}`;
  throw new StatusError({ code: 406, reason: 'NotAcceptable', message });
}
