/** /healthz, /livez and /readyz with their checks by name. Upstream: apiserver pkg/server/healthz/healthz.go. */
import { type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import { noSuchPath } from './dispatch.ts';

export interface HealthCheck {
  readonly name: string;
  /** Only asked by readyz. */
  readonly readyOnly?: boolean;
  /** Undefined when well, else why not. */
  check(): Promise<string | undefined> | string | undefined;
}

const roots = ['healthz', 'livez', 'readyz'];

export function isHealthPath(path: string): boolean {
  const [, root = ''] = path.split('/');
  return roots.includes(root);
}

/** Upstream's answers, with `verbose` and `exclude`, and a path for each check. */
export async function health(request: ServerRequest, checks: readonly HealthCheck[]): Promise<ServerResponse> {
  const [, root = '', single] = request.path.split('/');
  const applicable = checks.filter(check => root === 'readyz' || !check.readyOnly);
  if (single) {
    const check = applicable.find(each => each.name === request.path.slice(root.length + 2));
    if (!check) throw noSuchPath();
    const problem = await check.check();
    return problem === undefined ? textResponse(200, 'ok') : textResponse(500, `internal server error: ${problem}\n`);
  }
  const excluded = new Set(request.query.all('exclude'));
  const unknown = [...excluded].filter(name => !applicable.some(check => check.name === name));
  const lines: string[] = [];
  let failed = false;
  for (const check of applicable) {
    if (excluded.has(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const problem = await check.check();
    if (problem === undefined) lines.push(`[+]${check.name} ok`);
    else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (unknown.length > 0) {
    const names = unknown.map(name => JSON.stringify(name)).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  const text = `${lines.join('\n')}\n`;
  if (failed) return textResponse(500, `${text}${root} check failed\n`);
  return request.query.has('verbose') ? textResponse(200, `${text}${root} check passed\n`) : textResponse(200, 'ok');
}
