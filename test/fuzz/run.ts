/**
 * Throws wrong input at a server in this process for a while and says what went wrong: answers without sense, bugs in
 * the log, stalls, growth, polluted prototypes. Everything is drawn from a seed.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { load } from 'js-yaml';
import { type ApiServer, createApiServer, staticTokens, user } from '#apiserver';
import {
  createActivity,
  createLogger,
  keepProcessAlive,
  MetricsRegistry,
  noFaults,
  systemClock,
  systemRandom,
} from '#base';
import { createMemoryStore } from '#storage';
// The neutral request, which the HTTP listener makes of real ones.
import { Query, type ServerResponse } from '../../src/apiserver/http/message.ts';
import { customRequestOf, gadgets } from './custom.ts';
import { Dice } from './dice.ts';
import { subjects } from './objects.ts';
import { type FuzzRequest, namespace, requestOf } from './requests.ts';
import { allowedServerErrors } from './server-errors.ts';

export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  /** By status code. */
  readonly codes: ReadonlyMap<number, number>;
  /** What must not be, each with the request that did it. */
  readonly problems: readonly string[];
  /** Heap in use at a third of the way and at the end, after collection. */
  readonly heapMb: readonly [number, number];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Ends it too, so that a run of one seed is the same on any machine; default none. */
  readonly maxRequests?: number;
  /** Stops early after so many problems. Default 20. */
  readonly maxProblems?: number;
}

const token = 'fuzz';
/** Of the processor: no request of ours has so much to do, however busy the machine is. */
const stallMs = 2000;
const hangMs = 10_000;
/** Of requests around custom resources. */
const customShare = 0.15;

export interface Target extends AsyncDisposable {
  readonly server: ApiServer;
  readonly bugs: string[];
  call(request: FuzzRequest): Promise<{ status: number; text: string; headers: ServerResponse['headers'] }>;
}

export async function startTarget(): Promise<Target> {
  const bugs: string[] = [];
  const store = createMemoryStore({ clock: systemClock });
  const server = await createApiServer({
    store,
    clock: systemClock,
    random: systemRandom,
    logger: createLogger({ clock: systemClock, level: 'error', write: line => bugs.push(line) }),
    metrics: new MetricsRegistry(),
    faults: noFaults,
    activity: createActivity(),
    tokenAuthenticators: [staticTokens(new Map([[token, user('fuzzer', ['system:masters'])]]))],
  });
  const target: Target = {
    server,
    bugs,
    async call(request) {
      const gone = new AbortController();
      const query = new Query(request.query);
      const text = query.toString();
      const response = await server.handle({
        method: request.method,
        path: decoded(request.path),
        url: text === '' ? request.path : `${request.path}?${text}`,
        query,
        headers: { ...request.headers, authorization: `Bearer ${token}` },
        body: async () => request.body,
        signal: gone.signal,
        remoteAddress: '127.0.0.1',
      });
      const body = await collected(response, gone);
      return { status: response.status, headers: response.headers, text: body };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await store.close();
    },
  };
  const made = {
    method: 'POST',
    path: '/api/v1/namespaces',
    query: [],
    headers: { 'content-type': 'application/json' },
  };
  await target.call({ ...made, body: Buffer.from(JSON.stringify({ metadata: { name: namespace } })) });
  const custom = { ...made, path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions' };
  await target.call({ ...custom, body: Buffer.from(JSON.stringify(gadgets)) });
  const account = { ...made, path: `/api/v1/namespaces/${namespace}/serviceaccounts` };
  await target.call({ ...account, body: Buffer.from(JSON.stringify({ metadata: { name: 'default' } })) });
  return target;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The body as text; of a watch what comes first, and then its client goes away. */
async function collected({ body }: ServerResponse, gone: AbortController): Promise<string> {
  if (body.kind === 'bytes') return Buffer.from(body.bytes).toString();
  const parts: Uint8Array[] = [];
  if (body.kind === 'chunks') for await (const part of body.chunks) parts.push(part);
  if (body.kind === 'watch') {
    setImmediate(() => gone.abort(new Error('seen enough')));
    for await (const events of body.events) parts.push(...events.map(event => event.frame()));
  }
  return Buffer.concat(parts).toString();
}

function told(request: FuzzRequest): string {
  const { method, path, query, headers, body } = request;
  const parameters = new Query(query).toString();
  return `${method} ${path}?${parameters} ${JSON.stringify(headers)}\n    ${JSON.stringify(body.toString('latin1').slice(0, 1500))}`;
}

function messageOf(text: string): string {
  if (text.startsWith('k8s\0')) {
    // Strings of a message are shorter than 128 bytes or follow a longer length: what is readable of it will do.
    return text.slice(text.indexOf('Failure') + 7).replace(/[\0-\x09\x0b-\x1f]/g, '');
  }
  try {
    return String((JSON.parse(text) as { message?: unknown }).message);
  } catch {
    return messageOfYaml(text);
  }
}

function messageOfYaml(text: string): string {
  try {
    return String((load(text) as { message?: unknown }).message);
  } catch {
    return text;
  }
}

/** What is wrong with an answer, if anything. */
function complaint(answer: { status: number; text: string }): string | undefined {
  const { status, text } = answer;
  if (/\.ts:\d+:\d+/.test(text)) return 'a stack in the answer';
  if (!(status >= 200 && status < 600)) return `status ${status}`;
  if (status !== 500) return undefined;
  const message = messageOf(text);
  const allowed = allowedServerErrors.some(each => each.text.test(message) || each.text.test(text));
  return allowed ? undefined : `500: ${message.slice(0, 300)}`;
}

export async function fuzz({
  seed,
  seconds,
  maxRequests = Infinity,
  maxProblems = 20,
}: FuzzOptions): Promise<FuzzReport> {
  const dice = new Dice(seed);
  const all = subjects();
  const codes = new Map<number, number>();
  const problems: string[] = [];
  const heap: number[] = [];
  const clean = Object.getOwnPropertyNames(Object.prototype).length;
  using _awake = keepProcessAlive();
  await using target = await startTarget();
  const until = systemClock.monotonicMs() + seconds * 1000;
  let requests = 0;
  const note = (what: string, request: FuzzRequest): void => {
    problems.push(`${what}\n    ${told(request)}`);
  };
  while (systemClock.monotonicMs() < until && requests < maxRequests && problems.length < maxProblems) {
    const request = dice.chance(customShare) ? customRequestOf(dice) : requestOf(dice.pick(all), dice);
    const begun = process.cpuUsage();
    try {
      const answer = await inTime(target.call(request));
      codes.set(answer.status, (codes.get(answer.status) ?? 0) + 1);
      const wrong = complaint(answer);
      if (wrong) note(wrong, request);
    } catch (error) {
      note(`the entry threw ${(error as Error).stack}`, request);
    }
    for (const bug of target.bugs.splice(0)) note(`logged ${bug.slice(0, 1500)}`, request);
    const { user, system } = process.cpuUsage(begun);
    const tookMs = (user + system) / 1000;
    if (tookMs > stallMs) note(`took ${tookMs.toFixed(0)} ms of the processor`, request);
    if (Object.getOwnPropertyNames(Object.prototype).length !== clean || 'polluted' in {}) {
      note('a prototype is polluted', request);
      break;
    }
    requests++;
    if (heap.length === 0 && systemClock.monotonicMs() > until - (seconds * 2000) / 3) heap.push(heapMb());
  }
  heap.push(heapMb());
  return { seed, requests, codes, problems, heapMb: [heap.at(0)!, heap.at(-1)!] };
}

/** Fails for what neither answers nor fails. */
function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimer(() => reject(new Error(`no answer within ${hangMs} ms`)), hangMs);
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

function heapMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
