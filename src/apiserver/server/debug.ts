/**
 * /debug: profiles of the process and its flags. Upstream: apiserver pkg/server/routes/{profiling,flags}.go.
 * Deviation: a profile is V8's (`.cpuprofile`, for Chrome's DevTools), not pprof's; there are no flags that can be set.
 */
import { Session } from 'node:inspector/promises';
import { badRequest } from '#apimachinery';
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
const flags = `<html>
<head>
<title>/debug/flags/</title>
</head>
<body>
/debug/flags/<br>
<br>
flags:<br>
<table>
</table>
<br>
full flags configurable<br>
</body>
</html>
`;

/** The answer, or undefined for a path that is none of these. */
export async function debug(request: ServerRequest, clock: Clock): Promise<ServerResponse | undefined> {
  switch (request.path) {
    case '/debug/pprof':
      return movedTo(request, '/debug/pprof/');
    case '/debug/pprof/':
      return textResponse(200, profiles, html);
    case '/debug/pprof/cmdline':
      return textResponse(200, process.argv.join('\0'));
    case '/debug/pprof/profile':
      return profile(request, clock);
    case '/debug/flags':
    case '/debug/flags/':
      return plainText(flags, html);
    default:
      return undefined;
  }
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
