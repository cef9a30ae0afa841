/** As whom the aggregator writes: upstream's loopback identity. */
import { user } from '../authentication/user.ts';
import type { DeleteContext } from '../registry/context.ts';
import type { ServedResource } from '../scheme/resource.ts';

export function ownContext({ group, resource }: ServedResource, name: string, namespace = ''): DeleteContext {
  return {
    user: user('system:apiserver', ['system:authenticated', 'system:masters']),
    namespace,
    name,
    subresource: '',
    dryRun: false,
    warn: () => {},
    requestResource: { group, resource },
    options: {},
  };
}
