/**
 * What the API server shows to webhooks that ask who calls: the users of a kubeconfig that WebhookAdmissionConfiguration
 * names, each called after the hosts that it is for. Upstream: apiserver pkg/util/webhook/authentication.go.
 */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { UserError } from '#base';
import { kubeconfigTransport, readKubeconfig, type UserEntry } from '#client';

export interface WebhookCredential {
  /** The value of the header Authorization, read again each time where it stands in a file. */
  readonly authorization: () => string | undefined;
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
}

/** By `host:port`; undefined: nothing is shown. */
export type WebhookCredentials = (hostPort: string) => WebhookCredential | undefined;

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
  const { users, contexts, currentContext } = readKubeconfig(path);
  const byName = new Map<string, WebhookCredential>();
  for (const [name, user] of users) byName.set(name, credentialOf(user, dirname(path)));
  const last = contexts.get(currentContext)?.user;
  return target => {
    for (const name of namesFor(target)) if (byName.has(name)) return byName.get(name);
    return last === undefined ? undefined : byName.get(last);
  };
}

function credentialOf(user: UserEntry, directory: string): WebhookCredential {
  const { certPem, keyPem, token, tokenFile } = kubeconfigTransport({}, user, directory);
  const { username, password } = user;
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
