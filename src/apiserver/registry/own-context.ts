/** As whom the server writes to itself: upstream's loopback identity. */
import { user } from '../authentication/user.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { DeleteContext } from './context.ts';

export function ownContext(
  { group, resource }: Pick<ServedResource, 'group' | 'resource'>,
  name: string,
  namespace = '',
): DeleteContext {
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
