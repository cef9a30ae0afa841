/**
 * /debug: profiles of the process and its flags. Upstream: apiserver pkg/server/routes/{profiling,flags}.go.
 * Deviation: a profile is V8's (`.cpuprofile`, for Chrome's DevTools), not pprof's.
 */
import { Session } from 'node:inspector/promises';
import { badRequest, goQuote } from '#apimachinery';
import type { Clock } from '#base';
import { jsonResponse, plainText, type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';

const html = 'text/html; charset=utf-8';
const maxSeconds = 300;

const profiles = `<html>
<head><title>/debug/pprof/</title></head>
<body>
/debug/pprof/<br>
<p>Profiles: <a href='cmdline'>cmdline</a>, <a href='profile?seconds=30'>profile</a> (the processor's, as .cpuprofile)</p>
</body>
</html>
`;
const flags = (names: readonly string[]): string => `<html>
<head>
<title>/debug/flags/</title>
</head>
<body>
/debug/flags/<br>
<br>
flags:<br>
<table>
${names.map(name => `<tr>${name}<br>\n`).join('')}</table>
<br>
full flags configurable<br>
</body>
</html>
`;

/** The answer, or undefined for a path that is none of these. */
export async function debug(
  request: ServerRequest,
  clock: Clock,
  setVerbosity: ((level: number) => void) | undefined,
): Promise<ServerResponse | undefined> {
  switch (request.path) {
    case '/debug/pprof':
      return movedTo(request, '/debug/pprof/');
    case '/debug/pprof/':
      return textResponse(200, profiles, html);
    case '/debug/pprof/cmdline':
      return textResponse(200, process.argv.join('\0'));
    case '/debug/pprof/profile':
      return profile(request, clock);
    case '/debug/flags/v':
      if (setVerbosity) return verbosity(request, setVerbosity);
      break;
  }
  const isFlags = request.path === '/debug/flags' || request.path.startsWith('/debug/flags/');
  return isFlags ? plainText(flags(setVerbosity ? ['v'] : []), html) : undefined;
}

const maxVerbosityBytes = 1024;

/** Upstream: StringFlagPutHandler, with component-base logs GlogSetter. */
async function verbosity(request: ServerRequest, set: (level: number) => void): Promise<ServerResponse> {
  const said = (code: number, text: string): ServerResponse => textResponse(code, `${text}\n`, 'text/plain');
  if (request.method !== 'PUT') return said(406, 'unsupported http method');
  const text = Buffer.from(await request.body(maxVerbosityBytes)).toString();
  const parsing = (kind: string, why: string): string => `strconv.Parse${kind}: parsing ${goQuote(text)}: ${why}`;
  if (!/^[0-9]+$/.test(text)) return said(400, parsing('Uint', 'invalid syntax'));
  const level = Number(text);
  if (level > 0xffffffff) return said(400, parsing('Uint', 'value out of range'));
  if (level > 0x7fffffff) {
    return said(400, `failed set klog.logging.verbosity ${text}: ${parsing('Int', 'value out of range')}`);
  }
  set(level);
  return said(200, `successfully set klog.logging.verbosity to ${text}`);
}

/** Upstream: Go's net/http Redirect, which writes a page for who reads. */
function movedTo({ method }: ServerRequest, location: string): ServerResponse {
  const isRead = method === 'GET' || method === 'HEAD';
  const bytes = Buffer.from(method === 'GET' ? `<a href="${location}">Found</a>.\n\n` : '');
  const headers = { location, ...(isRead && { 'content-type': html }) };
  return { status: 302, headers, body: { kind: 'bytes', bytes } };
}

async function profile(request: ServerRequest, clock: Clock): Promise<ServerResponse> {
  const seconds = Number(request.query.get('seconds') ?? 30);
  if (!(seconds > 0 && seconds <= maxSeconds))
    throw badRequest(`seconds must be more than 0 and at most ${maxSeconds}`);
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await clock.sleep(seconds * 1000, request.signal);
    const { profile: made } = await session.post('Profiler.stop');
    return jsonResponse(200, made, { 'content-disposition': 'attachment; filename="profile.cpuprofile"' });
  } finally {
    session.disconnect();
  }
}
