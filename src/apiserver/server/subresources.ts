/** The handlers of subresources and of kinds that are answered rather than stored, in one list. */
import type { Lookup } from '../admission/lookup.ts';
import type { Authentication } from '../authentication/authentication.ts';
import type { ServiceAccountTokens } from '../authentication/service-accounts/tokens.ts';
import type { Authorizer, RuleResolver } from '../authorization/authorizer.ts';
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  tokenReview,
} from '../handlers/access-reviews.ts';
import { bindPod } from '../handlers/binding.ts';
import { type ComponentProbes, componentStatuses } from '../handlers/component-statuses.ts';
import { podLog, podPortForward, podStreams } from '../handlers/connect.ts';
import { evictPod } from '../handlers/eviction.ts';
import { getObject } from '../handlers/get.ts';
import type { KubeletClient } from '../handlers/kubelet-tunnel.ts';
import { patchObject } from '../handlers/patch.ts';
import { nodeProxy, podProxy, serviceProxy } from '../handlers/proxies.ts';
import { selfSubjectReview } from '../handlers/reviews.ts';
import type { Handler } from '../handlers/scope.ts';
import { tokenRequest } from '../handlers/token-request.ts';
import { updateObject } from '../handlers/update.ts';
import type { SubresourceHandlers, VirtualHandlers } from './dispatch.ts';

export interface SubresourceDeps {
  readonly lookup: Lookup;
  readonly authorizer: Authorizer;
  readonly rules: RuleResolver;
  readonly authentication: Authentication;
  readonly serviceAccountTokens: ServiceAccountTokens | undefined;
  readonly apiAudiences: readonly string[];
  readonly kubeletClient: KubeletClient | undefined;
  readonly preferredAddresses: readonly string[];
  readonly kubeletPort: number;
  readonly components: ComponentProbes;
}

/** Every verb that a proxied request can have. */
const anyVerb = (handler: Handler): Readonly<Record<string, Handler>> => ({
  get: handler,
  create: handler,
  update: handler,
  patch: handler,
  delete: handler,
  // OPTIONS has no verb.
  '': handler,
});

const whole: Readonly<Record<string, Handler>> = { get: getObject, update: updateObject, patch: patchObject };

/** By `group/resource/subresource`, then by verb. */
export function subresourceHandlers(deps: SubresourceDeps): SubresourceHandlers {
  const { lookup, serviceAccountTokens } = deps;
  const stream = (kind: 'exec' | 'attach') => {
    const handler = podStreams(kind, deps);
    return { get: handler, create: handler };
  };
  const forward = podPortForward(deps);
  const handlers = new Map<string, Readonly<Record<string, Handler>>>([
    ['*/*/status', whole],
    ['*/*/scale', whole],
    ['/namespaces/finalize', { update: updateObject }],
    ['/pods/binding', { create: bindPod }],
    ['/pods/eviction', { create: evictPod(lookup) }],
    ['/pods/log', { get: podLog(deps) }],
    ['/pods/exec', stream('exec')],
    ['/pods/attach', stream('attach')],
    ['/pods/portforward', { get: forward, create: forward }],
    ['/pods/proxy', anyVerb(podProxy(deps))],
    ['/nodes/proxy', anyVerb(nodeProxy(deps))],
    ['/services/proxy', anyVerb(serviceProxy(deps))],
    ['/pods/ephemeralcontainers', whole],
    ['/pods/resize', whole],
    ['certificates.k8s.io/certificatesigningrequests/approval', whole],
  ]);
  if (serviceAccountTokens) {
    handlers.set('/serviceaccounts/token', { create: tokenRequest(serviceAccountTokens, lookup) });
  }
  return handlers;
}

/** Of kinds that are answered rather than stored: by `group/resource`, then by verb. */
export function virtualHandlers(deps: SubresourceDeps): VirtualHandlers {
  const { authorizer } = deps;
  const reviews: readonly (readonly [string, Handler])[] = [
    ['/bindings', bindPod],
    ['authentication.k8s.io/selfsubjectreviews', selfSubjectReview],
    ['authentication.k8s.io/tokenreviews', tokenReview(deps.authentication, deps.apiAudiences)],
    ['authorization.k8s.io/subjectaccessreviews', subjectAccessReview(authorizer)],
    ['authorization.k8s.io/localsubjectaccessreviews', localSubjectAccessReview(authorizer)],
    ['authorization.k8s.io/selfsubjectaccessreviews', selfSubjectAccessReview(authorizer)],
    ['authorization.k8s.io/selfsubjectrulesreviews', selfSubjectRulesReview(deps.rules)],
  ];
  return new Map<string, Readonly<Record<string, Handler>>>([
    ['/componentstatuses', componentStatuses(deps.components)],
    ...reviews.map(([name, create]) => [name, { create }] as const),
  ]);
}
