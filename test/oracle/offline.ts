/**
 * Replays the oracle's rows of defaults, create and update in process, without a server: read, default, prepare,
 * admission's share, validate; then compares what upstream answered. Made to be run often:
 *
 *     node test/oracle/offline.ts [--area create] [--base Pod] [--field TEXT] [--show 20] [--id ID]
 *
 * What belongs to the server is modelled as thinly as a row can see it (admission-model.ts). Rows whose answer comes
 * from elsewhere (another object, the store, authorization) are counted as `outside`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { KindRecord } from '#api/kind';
import { kindRecords } from '#api/rules';
import { referenceFolder } from '../reference.ts';
import { type Outcome, run } from './pipeline.ts';

interface Base {
  readonly path: string;
  readonly object: Record<string, unknown>;
  readonly before?: readonly { readonly body?: Record<string, unknown> }[];
}

interface Row {
  readonly id: string;
  readonly base?: string;
  readonly verb?: 'create' | 'update';
  readonly at?: string;
  readonly set?: unknown;
  readonly steps?: readonly { method?: string; path: string; body?: unknown; only?: readonly string[]; expect?: any }[];
  readonly expect?: { code: number; message?: string; causes?: unknown; object?: unknown };
}

const { values } = parseArgs({
  options: {
    area: { type: 'string', default: 'defaults,create,update' },
    base: { type: 'string' },
    id: { type: 'string' },
    field: { type: 'string' },
    show: { type: 'string', default: '0' },
    groups: { type: 'boolean', default: false },
  },
});

const folder = referenceFolder();
if (!folder) throw new Error('no reference data here');
const oracle = join(folder, 'oracle');
const bases = JSON.parse(readFileSync(join(oracle, 'bases.json'), 'utf8')) as Record<string, Base>;
const records = kindRecords();

function rowsOf(area: string): Row[] {
  const text = gunzipSync(readFileSync(join(oracle, `${area}.jsonl.gz`))).toString();
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Row);
}

export const namespace = 'oracle-ns';

function fill(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null).replaceAll('${ns}', namespace));
}

interface Target {
  readonly record: KindRecord;
  readonly subresource: string;
  readonly name: string;
}

/** The record that a path names. */
function target(path: string): Target {
  const parts = path.replace(/\?.*/, '').split('/').filter(Boolean);
  const group = parts[0] === 'api' ? '' : parts[1]!;
  const version = parts[0] === 'api' ? parts[1]! : parts[2]!;
  let rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  if (rest[0] === 'namespaces' && rest.length > 2) rest = rest.slice(2);
  const record = records.find(r => r.group === group && r.version === version && r.resource === rest[0]);
  if (!record) throw new Error(`no record for ${path}`);
  return { record, name: rest[1] ?? '', subresource: rest.slice(2).join('/') };
}

function mutate(base: Base, row: Row): Record<string, unknown> {
  const object = structuredClone(base.object);
  const keys = row
    .at!.split('/')
    .slice(1)
    .map(k => k.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop()!;
  const owner = keys.reduce((v: any, k) => v[k], object);
  if ('set' in row) owner[last] = row.set;
  else if (Array.isArray(owner)) owner.splice(Number(last), 1);
  else delete owner[last];
  return object;
}

/** Names by first appearance for what differs from run to run, as the oracle's tool has it. */
function normalise(value: unknown, given: Set<unknown>): unknown {
  const seen = new Map<string, string>();
  const counts: Record<string, number> = {};
  const name = (type: string, text: string): string => {
    const key = `${type}\0${text}`;
    if (!seen.has(key)) seen.set(key, `<${type}:${(counts[type] = (counts[type] ?? 0) + 1)}>`);
    return seen.get(key)!;
  };
  const str = (text: string): string => {
    let s = text.split(namespace).join('${ns}');
    s = s.replace(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<random>');
    s = s.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, u =>
      given.has(u) ? u : name('uid', u),
    );
    if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(s)) {
      return given.has(s) ? s : /\.\d{6}Z$/.test(s) ? '<microtime>' : '<time>';
    }
    s = s.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>');
    if (s.includes('-----BEGIN')) return '<pem>';
    return s.replace(/\b10\.96\.\d+\.\d+\b/g, ip => (given.has(ip) ? ip : name('ip', ip)));
  };
  const walk = (v: any, key: string): any => {
    if (typeof v === 'string') {
      if (key === 'resourceVersion' && v !== '' && v !== '0' && !given.has(v)) return name('rv', v);
      return str(v);
    }
    if (typeof v === 'bigint') return Number(v);
    if (typeof v === 'number' && (key === 'nodePort' || key === 'healthCheckNodePort') && v && !given.has(v)) {
      return name('port', String(v));
    }
    if (Array.isArray(v)) return v.map(e => walk(e, key));
    if (v && typeof v === 'object') {
      return Object.fromEntries(
        Object.entries(v)
          .filter(([k]) => !(k === 'managedFields' && key === 'metadata'))
          .map(([k, e]) => [str(k), walk(e, k)]),
      );
    }
    return v;
  };
  return walk(value, '');
}

const scalars = (v: unknown, into = new Set<unknown>()): Set<unknown> => {
  if (v && typeof v === 'object') for (const e of Object.values(v)) scalars(e, into);
  else if (v !== undefined && v !== null) into.add(v);
  return into;
};

/** Who asks is a placeholder in recordings, without groups. */
function withoutCaller(object: any): any {
  if (object?.spec?.username !== 'admin') return object;
  const { groups: _, ...spec } = object.spec;
  return { ...object, spec: { ...spec, username: '<caller>' } };
}

function withoutMeta(object: any): unknown {
  const { metadata: _m, status: _s, kind: _k, apiVersion: _a, ...rest } = object ?? {};
  return rest;
}

interface Verdict {
  readonly row: Row;
  readonly equal: boolean;
  readonly outside: boolean;
  readonly want: unknown;
  readonly got: unknown;
}

function compareMutation(row: Row): Verdict {
  const base = bases[row.base!]!;
  const { record } = target(base.path);
  const body = fill(mutate(base, row));
  const given = scalars([body, base.object]);
  let outcome: Outcome;
  if (row.verb === 'create') outcome = run({ record, body, namespace });
  else {
    const stored = run({ record, body: fill(base.object), namespace });
    if (stored.code !== 201) return verdict(row, row.expect, { base: stored });
    const url = (base.object['metadata'] as { name: string }).name.replaceAll('${ns}', namespace);
    outcome = run({ record, body, namespace, old: stored.stored!, name: url });
  }
  const expected: any = row.expect;
  const got: any = { code: outcome.code };
  const want: any = { code: expected.code };
  if (expected.causes || outcome.causes) {
    got.causes = normalise(outcome.causes, given);
    want.causes = expected.causes;
  } else if (expected.message || outcome.message) {
    got.message = normalise(outcome.message, given);
    want.message = expected.message;
  } else {
    got.object = normalise(withoutMeta(withoutCaller(outcome.object)), given);
    want.object = withoutMeta(expected.object);
  }
  return verdict(row, want, got);
}

function compareSteps(row: Row): Verdict {
  let stored: unknown;
  let outcome: Outcome | undefined;
  let want: any;
  const given = scalars(row.steps!.map(({ expect: _, ...s }) => s));
  for (const step of row.steps!) {
    if (step.method !== 'POST' && step.method !== 'PUT') continue;
    const { record, name, subresource } = target(step.path.replaceAll('${ns}', namespace));
    if (subresource !== '') {
      want = step.expect;
      outcome = { code: 0 };
      continue;
    }
    const body = fill(step.body);
    if (step.method === 'POST') {
      outcome = run({ record, body, namespace });
      if (outcome.stored) stored = outcome.stored;
    } else outcome = run({ record, body, namespace, old: stored as never, name: decodeURIComponent(name) });
    if (step.expect) want = step.expect;
  }
  if (!want || !outcome) return verdict(row, 'no step', 'none');
  const status = want.status;
  const got: any = { code: outcome.code };
  const wanted: any = { code: status };
  const causes = want.only ? want.only['/details/causes'] : want.body?.details?.causes;
  if (causes || outcome.causes) {
    wanted.causes = causes;
    got.causes = normalise(outcome.causes, given);
  } else if (want.only || want.body?.kind === 'Status') {
    wanted.message = want.only ? want.only['/message'] : want.body.message;
    got.message = normalise(outcome.message, given);
  } else {
    wanted.object = withoutMeta(want.body);
    got.object = normalise(withoutMeta(withoutCaller(outcome.object)), given);
  }
  return verdict(row, wanted, got);
}

const outsideCodes = new Set([403, 404, 409, 500]);

function verdict(row: Row, want: any, got: any): Verdict {
  const clean = (v: unknown): unknown => JSON.parse(JSON.stringify(v ?? null));
  const equal = isDeepStrictEqual(clean(want), clean(got));
  return { row, equal, outside: !equal && outsideCodes.has(want?.code), want, got };
}

function differences(want: any, got: any, at = '', out: string[] = []): string[] {
  if (isDeepStrictEqual(want, got)) return out;
  if (
    want &&
    got &&
    typeof want === 'object' &&
    typeof got === 'object' &&
    Array.isArray(want) === Array.isArray(got)
  ) {
    for (const k of new Set([...Object.keys(want), ...Object.keys(got)]))
      differences(want[k], got[k], `${at}/${k}`, out);
  } else
    out.push(`${at}: want ${JSON.stringify(want)?.slice(0, 500)}\n      got  ${JSON.stringify(got)?.slice(0, 500)}`);
  return out;
}

const show = Number(values.show);
let shown = 0;
for (const area of values.area.split(',')) {
  let rows = rowsOf(area);
  if (values.id) rows = rows.filter(row => row.id === values.id);
  if (values.base) rows = rows.filter(row => row.id.split('/')[1]!.startsWith(values.base!));
  const verdicts: Verdict[] = [];
  for (const row of rows) {
    try {
      verdicts.push(row.steps ? compareSteps(row) : compareMutation(row));
    } catch (error) {
      verdicts.push(verdict(row, row.expect, { thrown: (error as Error).stack?.split('\n').slice(0, 3).join(' | ') }));
    }
  }
  const equal = verdicts.filter(v => v.equal).length;
  const outside = verdicts.filter(v => v.outside).length;
  console.log(
    `${area}: ${equal} of ${rows.length} equal, ${outside} outside, ${rows.length - equal - outside} different`,
  );
  const failed = verdicts.filter(v => !v.equal && !v.outside);
  if (values.groups) {
    const counts = new Map<string, number>();
    for (const v of failed) {
      const key = v.row.id.split('/')[1]!;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const sorted = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 60);
    console.log(sorted.map(([k, n]) => `${k} ${n}`).join(', '));
  }
  for (const v of failed) {
    if (shown >= show) break;
    if (values.field && !JSON.stringify([v.want, v.got]).includes(values.field)) continue;
    shown++;
    console.log(`- ${v.row.id} at ${v.row.at} set ${JSON.stringify(v.row.set)?.slice(0, 120)}`);
    for (const line of differences(
      JSON.parse(JSON.stringify(v.want ?? null)),
      JSON.parse(JSON.stringify(v.got ?? null)),
    ).slice(0, 6))
      console.log(`    ${line}`);
  }
}
