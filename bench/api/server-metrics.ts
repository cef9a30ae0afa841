/** Figures that a server tells of itself; both the original and ours have them under one name. */
import type { Client } from '#client';

async function metric(client: Client, name: string): Promise<number> {
  const response = await client.transport.request({ method: 'GET', path: '/metrics' });
  const parts: Uint8Array[] = [];
  for await (const part of response.bytes()) parts.push(part);
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(Buffer.concat(parts).toString());
  return found ? Number(found[1]) : Number.NaN;
}

export function processorSeconds(client: Client): Promise<number> {
  return metric(client, 'process_cpu_seconds_total');
}

export async function residentMb(client: Client): Promise<number> {
  return (await metric(client, 'process_resident_memory_bytes')) / 2 ** 20;
}
