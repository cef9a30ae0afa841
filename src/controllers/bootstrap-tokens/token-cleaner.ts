/**
 * Deletes the tokens of joining nodes when their time is over. Upstream: pkg/controller/bootstrap/tokencleaner.go.
 *
 * Deviation: it runs without being asked for, as such tokens are accepted without being asked for.
 */
import type { Secret } from '#api/types';
import { isStatusError } from '#apimachinery';
import { createController, secrets } from '#client';
import type { ControllerDefinition } from '../context.ts';
import { isBootstrapToken, remainingMs } from './token-secret.ts';

export const tokenCleaner: ControllerDefinition = {
  name: 'token-cleaner-controller',
  serviceAccount: 'token-cleaner',
  setUp(context) {
    const { client, clock } = context;
    const tokens = context.informers.informer(secrets);
    const controller = createController(context, {
      name: 'token_cleaner',
      async reconcile(key) {
        const secret = tokens.get(key);
        if (!secret || !isBootstrapToken(secret)) return;
        const leftMs = remainingMs(secret, clock.now());
        if (leftMs === undefined) return;
        if (leftMs > 0) return { requeueAfterMs: leftMs };
        const { namespace, name, uid } = secret.metadata;
        try {
          await client
            .resource(secrets)
            .namespace(namespace!)
            .delete(name!, { preconditions: { uid: uid! } });
        } catch (error) {
          if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
        }
        return;
      },
    });
    const onToken = (secret: Secret): void => {
      if (isBootstrapToken(secret)) controller.queue.add(`${secret.metadata.namespace}/${secret.metadata.name}`);
    };
    tokens.addHandler({ added: onToken, updated: onToken });
    return controller;
  },
};
