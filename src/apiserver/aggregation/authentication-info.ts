/**
 * How this server recognises its callers, told to servers behind it: ConfigMap
 * kube-system/extension-apiserver-authentication. What other servers of the cluster have said stays, but for
 * certificates that ended. Upstream: pkg/controlplane/controller/clusterauthenticationtrust.
 *
 * Deviation: an authority that this server trusts no more leaves the ConfigMap at once; upstream's stays until it ends.
 */
import { X509Certificate } from 'node:crypto';
import { type Draft, isStatusError, type KubeObject } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { RequestHeaderConfig } from '../authentication/request-header.ts';
import type { Caches } from '../registry/caches.ts';
import { ownFieldManager } from '../registry/field-managers.ts';
import { follow } from '../registry/follow.ts';
import { ownContext } from '../registry/own-context.ts';
import type { Registry } from '../registry/registry.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';

const namespace = 'kube-system';
const name = 'extension-apiserver-authentication';

/** Certificates in PEM, one after another. */
interface Authorities {
  readonly pem: string;
  readonly dropped: ReadonlySet<string>;
  onChange(listener: () => void): void;
}

export interface AuthenticationInfoDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly clientAuthorities: Authorities;
  readonly proxyAuthorities: Authorities;
  readonly requestHeader: RequestHeaderConfig | undefined;
}

export interface AuthenticationInfo {
  readonly clientCaPem: string;
  readonly proxyCaPem: string;
  readonly requestHeader: RequestHeaderConfig | undefined;
  /** SHA-256 fingerprints of authorities that are to go. */
  readonly dropped?: ReadonlySet<string>;
}

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** Those of both, once each, without what has ended or was dropped. */
function joinedPem(a: string, b: string, nowMs: number, dropped: ReadonlySet<string>): string {
  const found = [...a.matchAll(block), ...b.matchAll(block)].map(([text]) => text);
  const kept = new Map<string, string>();
  for (const text of found) {
    const certificate = new X509Certificate(text);
    const { fingerprint256, validTo } = certificate;
    if (Date.parse(validTo) < nowMs || kept.has(fingerprint256) || dropped.has(fingerprint256)) continue;
    kept.set(fingerprint256, `${text.replaceAll('\r', '')}\n`);
  }
  return [...kept.values()].join('');
}

type Lists = Readonly<Record<string, readonly string[]>>;

function listsOf(config: RequestHeaderConfig | undefined): Lists {
  return {
    'requestheader-username-headers': config?.usernameHeaders ?? [],
    'requestheader-uid-headers': config?.uidHeaders ?? [],
    'requestheader-group-headers': config?.groupHeaders ?? [],
    'requestheader-extra-headers-prefix': config?.extraHeaderPrefixes ?? [],
    'requestheader-allowed-names': config?.allowedNames ?? [],
  };
}

/** The ConfigMap's data: what it has, and what this server says. Throws for data that is no JSON. */
export function authenticationData(
  existing: Readonly<Record<string, string>>,
  { clientCaPem, proxyCaPem, requestHeader, dropped = new Set() }: AuthenticationInfo,
  nowMs: number,
): Record<string, string> {
  const data: Record<string, string> = {};
  const clients = joinedPem(existing['client-ca-file'] ?? '', clientCaPem, nowMs, dropped);
  if (clients !== '') data['client-ca-file'] = clients;
  const proxies = joinedPem(existing['requestheader-client-ca-file'] ?? '', proxyCaPem, nowMs, dropped);
  if (proxies === '') return data;
  for (const [key, own] of Object.entries(listsOf(requestHeader))) {
    const said = JSON.parse(existing[key] || '[]') as string[];
    const all = [...new Set([...said, ...own])];
    if (key !== 'requestheader-uid-headers' || all.length > 0) data[key] = JSON.stringify(all);
  }
  data['requestheader-client-ca-file'] = proxies;
  return data;
}

const checkPeriodMs = 60_000;

/** Publishes until `signal` aborts: at once, when authorities change, when the ConfigMap goes, and every minute. */
export async function publishAuthenticationInfo(deps: AuthenticationInfoDeps, signal: AbortSignal): Promise<void> {
  const resource = deps.scheme.find('', 'v1', 'configmaps')!;
  let running: Promise<void> = Promise.resolve();
  const publish = (): void => {
    running = running.then(async () => {
      if (signal.aborted) return;
      await write(deps, resource).catch(error => {
        if (!signal.aborted) deps.logger.error('cannot publish how callers are recognised', { error });
      });
    });
  };
  deps.clientAuthorities.onChange(publish);
  deps.proxyAuthorities.onChange(publish);
  const own = `/${namespace}/${name}`;
  await follow(deps, resource, signal, {
    put: () => {},
    gone: key => {
      if (key.endsWith(own)) publish();
    },
  });
  const ticker = deps.clock.setTicker(publish, checkPeriodMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
  publish();
  await running;
}

async function write(deps: AuthenticationInfoDeps, resource: ServedResource): Promise<void> {
  const { clock, registry, clientAuthorities, proxyAuthorities, requestHeader } = deps;
  const info = {
    clientCaPem: clientAuthorities.pem,
    proxyCaPem: proxyAuthorities.pem,
    requestHeader,
    dropped: clientAuthorities.dropped.union(proxyAuthorities.dropped),
  };
  const context = { ...ownContext(resource, name, namespace), fieldManager: ownFieldManager };
  try {
    await registry.modify(resource, context, draft => {
      draft['data'] = authenticationData((draft['data'] ?? {}) as Record<string, string>, info, clock.now());
    });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
    const data = authenticationData({}, info, clock.now());
    if (Object.keys(data).length === 0) return;
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
    await registry.create(resource, object as unknown as Draft<KubeObject>, context);
  }
}
