/** Objects for benchmarks, made in numbers and removed with them. */
import { type Bench, drained, times } from './figures.ts';

export function pod(at: number): object {
  const env = Array.from({ length: 8 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}-of-pod-${at}` }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${at}`, labels: { app: `app-${at % 100}` } },
    spec: {
      automountServiceAccountToken: false,
      schedulerName: 'nobody',
      containers: [{ name: 'web', image: 'registry.example.com/team/web:1.2.3', env }],
    },
  };
}

export function configMap(at: number): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `m${at}` }, data: { text: 'x'.repeat(1500) } };
}

/** Creates those from `from` to `to`, 50 at a time. */
export async function fill(
  { client }: Bench,
  path: string,
  make: (at: number) => object,
  from: number,
  to: number,
): Promise<void> {
  await times(to - from, 50, async at => {
    const response = await client.transport.request({ method: 'POST', path, body: make(from + at) });
    await drained(response.bytes());
  });
}

const attempts = 60;

/**
 * Empties a collection, so that nobody is busy with it when the next part begins. Of a hundred thousand objects a server
 * may not get to the end within a request's time; then it goes on with what is left.
 */
export async function empty({ client }: Pick<Bench, 'client'>, path: string): Promise<void> {
  const query = [['gracePeriodSeconds', '0']] as const;
  const headers = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
  for (let attempt = 1; ; attempt++) {
    try {
      await drained((await client.transport.request({ method: 'DELETE', path, query, headers })).bytes());
      return;
    } catch (error) {
      if (attempt === attempts) throw error;
    }
  }
}
