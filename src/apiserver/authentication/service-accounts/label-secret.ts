/** Labels of Secrets, written through the API, so that admission and watchers see it as anybody's change. */
import type { Secret } from '#api/types';
import type { Transport } from '#client';

/** `loopback`: acts as the API server itself. */
export function secretLabeller(
  loopback: () => Transport,
): (secret: Secret, labels: Readonly<Record<string, string>>) => Promise<void> {
  return async ({ metadata: { namespace, name, uid } }, labels) => {
    await loopback().request({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      // The uid makes it a conflict where another Secret has taken the name.
      body: { metadata: { uid: uid!, labels } },
    });
  };
}
