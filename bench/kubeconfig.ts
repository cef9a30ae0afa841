/** Clients from kubeconfig files, for benchmarks that run against any number of clusters side by side. */
import { type Client, createClient, createHttpsTransport, loadKubeconfig } from '#client';

/** A client for the current context of the file at `path`. */
export function clientOf(path: string): Client {
  return createClient(createHttpsTransport(loadKubeconfig(path).transport));
}

/** Middle of the sorted values. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
