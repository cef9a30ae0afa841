/**
 * What the API server shows to webhooks that ask who calls: the users of a kubeconfig that WebhookAdmissionConfiguration
 * names, each called after the hosts that it is for. Upstream: apiserver pkg/util/webhook/authentication.go.
 */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { parseYamlOrJson } from '#apimachinery';
import { UserError } from '#base';
import { parseKubeconfig } from '#client';

export interface WebhookCredential {
  /** The value of the header Authorization, read again each time where it stands in a file. */
  readonly authorization: () => string | undefined;
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
}

/** By `host:port`; undefined: nothing is shown. */
export type WebhookCredentials = (hostPort: string) => WebhookCredential | undefined;

interface User {
  readonly username?: string;
  readonly password?: string;
}

interface Kubeconfig {
  readonly users?: ReadonlyArray<{ readonly name: string; readonly user?: User }>;
  readonly contexts?: ReadonlyArray<{ readonly name: string; readonly context?: { readonly user?: string } }>;
  readonly 'current-context'?: string;
}

/** Names of users that are for a target, the best first. */
function* namesFor(target: string): Generator<string> {
  const starred = function* (host: string): Generator<string> {
    yield host;
    const steps = host.split('.');
    for (let i = 1; i < steps.length; i++) yield `*.${steps.slice(i).join('.')}`;
  };
  yield* starred(target);
  if (target.endsWith(':443')) yield* starred(target.slice(0, -':443'.length).replace(/^\[(.*)\]$/, '$1'));
  yield '*';
}

/** Throws a UserError when the file cannot be read. */
export function readWebhookCredentials(path: string): WebhookCredentials {
  if (!isAbsolute(path)) {
    throw new UserError(`kubeConfigFile: Invalid value: ${JSON.stringify(path)}: must be an absolute file path`);
  }
  let config: Kubeconfig;
  try {
    config = (parseYamlOrJson(readFileSync(path, 'utf8')).value ?? {}) as Kubeconfig;
  } catch (cause) {
    throw new UserError(`the kubeconfig ${path} cannot be read`, { cause });
  }
  const { users = [], contexts = [], 'current-context': current } = config;
  const byName = new Map<string, WebhookCredential>();
  for (const { name, user } of users) byName.set(name, credentialOf(users, name, user ?? {}, dirname(path)));
  const last = contexts.find(each => each.name === current)?.context?.user;
  return target => {
    for (const name of namesFor(target)) if (byName.has(name)) return byName.get(name);
    return last === undefined ? undefined : byName.get(last);
  };
}

function credentialOf(
  users: unknown,
  name: string,
  { username, password }: User,
  directory: string,
): WebhookCredential {
  const document = {
    clusters: [{ name: 'webhook', cluster: { server: 'https://webhook' } }],
    contexts: [{ name: 'webhook', context: { cluster: 'webhook', user: name } }],
    users,
    'current-context': 'webhook',
  };
  const { certPem, keyPem, token, tokenFile } = parseKubeconfig(JSON.stringify(document), { directory }).transport;
  return {
    certPem,
    keyPem,
    authorization: () => {
      const bearer = tokenFile === undefined ? token : readFileSync(tokenFile, 'utf8').trim();
      if (bearer) return `Bearer ${bearer}`;
      return username ? `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` : undefined;
    },
  };
}
