/**
 * Deletes certificate requests whose time is over: an hour after they were decided, a day after they were made or
 * approved without effect, or when the certificate has ended. Upstream: pkg/controller/certificates/cleaner/cleaner.go,
 * which looks once an hour; here each request is looked at when its time comes.
 */
import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '#api/types';
import { isStatusError } from '#apimachinery';
import { certificateSigningRequests, createController } from '#client';
import type { ControllerDefinition } from '../context.ts';

const decidedMs = 3600 * 1000;
const pendingMs = 24 * 3600 * 1000;

/** When the certificate ends; undefined without one that can be read. */
function certificateEnd(base64: string | undefined): number | undefined {
  if (!base64) return undefined;
  try {
    return Date.parse(new X509Certificate(Buffer.from(base64, 'base64')).validTo);
  } catch {
    return undefined;
  }
}

/** When a request is to be deleted, in wall milliseconds; undefined: never, as far as it looks now. */
export function expiryOfRequest({ metadata, status }: CertificateSigningRequest): number | undefined {
  const conditions = status?.conditions ?? [];
  if (conditions.length === 0) return Date.parse(metadata.creationTimestamp ?? '') + pendingMs;
  const times: number[] = [];
  for (const { type, lastUpdateTime } of conditions) {
    const end = type === 'Approved' ? certificateEnd(status?.certificate) : undefined;
    if (end !== undefined) times.push(end);
    if (!lastUpdateTime) continue;
    const updated = Date.parse(lastUpdateTime);
    if (type === 'Denied' || type === 'Failed') times.push(updated + decidedMs);
    if (type === 'Approved') times.push(updated + (status?.certificate ? decidedMs : pendingMs));
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

export const certificateCleaner: ControllerDefinition = {
  name: 'certificatesigningrequest-cleaner-controller',
  serviceAccount: 'certificate-controller',
  setUp(context) {
    const { client, clock } = context;
    const requests = context.informers.informer(certificateSigningRequests);
    const controller = createController(context, {
      name: 'certificate_cleaner',
      async reconcile(name) {
        const request = requests.get(name);
        const expiryMs = request && expiryOfRequest(request);
        if (expiryMs === undefined) return;
        const leftMs = expiryMs - clock.now();
        if (leftMs > 0) return { requeueAfterMs: Math.min(leftMs, pendingMs) };
        try {
          await client.resource(certificateSigningRequests).delete(name);
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
        return;
      },
    });
    const enqueue = (request: CertificateSigningRequest): void => controller.queue.add(request.metadata.name!);
    requests.addHandler({ added: enqueue, updated: enqueue });
    return controller;
  },
};
