/** The second stage of a start: who callers are and what they may do. */
import { hostname } from 'node:os';
import type { TokenKeys } from '#pki';
import { cacheLookup, type Lookup, podsOnNode } from '../admission/lookup.ts';
import { type Authentication, createAuthentication } from '../authentication/authentication.ts';
import type { AuthenticationOptions } from '../authentication/options.ts';
import {
  externalTokenKeys,
  withSignerLimits,
} from '../authentication/service-accounts/external-signer/external-keys.ts';
import { SignerMetrics, signerClient } from '../authentication/service-accounts/external-signer/signer-client.ts';
import { tokenKeysOf } from '../authentication/service-accounts/key-files.ts';
import { secretLabeller } from '../authentication/service-accounts/label-secret.ts';
import { AuthorizerChain } from '../authorization/chain.ts';
import { nodeAuthorizer } from '../authorization/node.ts';
import { Rbac } from '../authorization/rbac.ts';
import { watchRbacObjects } from '../authorization/rbac-objects.ts';
import { leaseName } from '../bootstrap/identity-lease.ts';
import type { ApiServerConfig } from '../config.ts';
import type { Start } from './start.ts';
import type { Storage } from './storage.ts';

export interface Access {
  readonly lookup: Lookup;
  readonly rbac: Rbac;
  readonly authorizer: AuthorizerChain;
  readonly authentication: Authentication;
  readonly tokenKeys: TokenKeys | undefined;
}

export async function startAccess(start: Start, { scheme, caches }: Storage): Promise<Access> {
  const { deps, config, hooks, signal, loopback } = start;
  const rbac = await hooks.run(
    'generic-apiserver-start-informers',
    async () => new Rbac(await watchRbacObjects(scheme, caches, deps.clock, signal)),
  );
  await hooks.run('storage-object-count-tracker-hook', () => {});
  const lookup = cacheLookup(scheme, caches);
  const node = nodeAuthorizer(lookup, podsOnNode(scheme, caches));
  const serverId = leaseName(hostname());
  const authorizer = new AuthorizerChain({ ...deps, rbac, node, serverId }, config.authorization, signal);
  const { tokenKeys, options } = await tokens(start);
  const authentication = createAuthentication(
    {
      ...deps,
      lookup,
      signal,
      serverId,
      tokenAuthenticators: deps.tokenAuthenticators ?? [],
      tokenKeys,
      labelSecret: secretLabeller(loopback),
    },
    {
      ...config,
      anonymousAuth: config.anonymousAuth && !allowsEverybody(config),
      options,
    },
  );
  return { lookup, rbac, authorizer, authentication, tokenKeys };
}

interface Tokens {
  readonly tokenKeys: TokenKeys | undefined;
  readonly options: AuthenticationOptions;
}

/** Who signs, and what follows from it. */
async function tokens({ deps, config, signal }: Start): Promise<Tokens> {
  const { authentication: options } = config;
  const { serviceAccountSigningEndpoint: endpoint } = options;
  if (endpoint === undefined) return { tokenKeys: tokenKeysOf(deps.tokenKeys, options, { ...deps, signal }), options };
  const metrics = new SignerMetrics(deps.metrics);
  const client = await signerClient(endpoint, { ...deps, metrics });
  signal.addEventListener('abort', () => client[Symbol.dispose](), { once: true });
  const tokenKeys = await externalTokenKeys({ ...deps, client, metrics, signal });
  return { tokenKeys, options: await withSignerLimits(options, client) };
}

/** With `--authorization-mode=AlwaysAllow` nobody is anonymous: who may do everything is to be somebody. */
function allowsEverybody({ authorization: { authorizers, file } }: ApiServerConfig): boolean {
  return file === undefined && authorizers.some(({ type }) => type === 'AlwaysAllow');
}
