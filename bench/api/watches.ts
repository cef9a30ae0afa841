/**
 * How long it takes until a change has reached everybody who watches: 1,000 watches on 20 connections, 5,000 on 100 (the
 * original takes 100 streams a connection), 1,000 on as many connections. The watchers are in this process, which shares
 * the processor with the server.
 */
import type { Client } from '#client';
import { type Bench, type Figures, type Part, quantile } from './figures.ts';

/** So many that the slowest hundredth is more than one unlucky change; */
const changes = 110;
/** the first are not counted: code that has never run is slow, in every one of these programs. */
const warmUp = 10;

interface Watcher {
  /** Resolves with the time of the next event. */
  next(): Promise<number>;
}

async function watcher(client: Client, path: string, signal: AbortSignal): Promise<Watcher> {
  const query = [
    ['watch', 'true'],
    ['resourceVersion', '0'],
    ['fieldSelector', 'metadata.name=changing'],
  ] as const;
  const response = await client.transport.request({ method: 'GET', path, query, signal });
  const times: number[] = [];
  let wake: (() => void) | undefined;
  void (async () => {
    for await (const _ of response.bytes()) {
      times.push(performance.now());
      wake?.();
    }
  })().catch(() => {});
  const watching: Watcher = {
    async next() {
      while (times.length === 0) await new Promise<void>(resolve => (wake = resolve));
      return times.shift()!;
    },
  };
  // The present object comes first.
  await watching.next();
  return watching;
}

async function fanOut(bench: Bench, watches: number, connections: number): Promise<[p50: number, p99: number]> {
  const { client, namespace } = bench;
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const clients = Array.from({ length: connections }, () => bench.connect());
  const ended = new AbortController();
  const late: number[] = [];
  try {
    const watchers: Watcher[] = [];
    for (let at = 0; at < watches; at += 200) {
      const some = Array.from({ length: Math.min(200, watches - at) }, (_, i) =>
        watcher(clients[(at + i) % connections]!, path, ended.signal),
      );
      watchers.push(...(await Promise.all(some)));
    }
    const headers = { 'content-type': 'application/merge-patch+json' };
    for (let change = 0; change < changes; change++) {
      const body = Buffer.from(JSON.stringify({ data: { n: `${connections}-${watches}-${change}` } }));
      const begin = performance.now();
      const written = client.transport.request({ method: 'PATCH', path: `${path}/changing`, headers, body });
      const seen = await Promise.all(watchers.map(each => each.next()));
      await (await written).json();
      if (change >= warmUp) late.push(...seen.map(time => time - begin));
    }
  } finally {
    ended.abort();
    await Promise.all(clients.map(each => each.transport[Symbol.asyncDispose]()));
  }
  return [quantile(late, 0.5), quantile(late, 0.99)];
}

async function measure(bench: Bench): Promise<Figures> {
  const { client, namespace } = bench;
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'changing' },
    data: { text: 'x'.repeat(1000) },
  };
  await (await client.transport.request({ method: 'POST', path, body })).json();
  const figures: Figures = new Map();
  for (const [watches, connections] of [
    [1000, 20],
    [5000, 100],
    [1000, 1000],
  ] as const) {
    const [p50, p99] = await fanOut(bench, watches, connections);
    const name = `a change to ${watches.toLocaleString('en')} watches on ${connections.toLocaleString('en')} connections`;
    figures.set(`${name}, p50 (ms)`, p50);
    figures.set(`${name}, p99 (ms)`, p99);
  }
  return figures;
}

export const watches: Part = { name: 'watches', measure };
