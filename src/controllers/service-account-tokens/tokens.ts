/**
 * Fills Secrets of type `kubernetes.io/service-account-token` with a token, the namespace and the CA, and deletes them
 * when their account is gone; an account forgets a Secret that is gone. Upstream:
 * pkg/controller/serviceaccount/tokens_controller.go.
 */
import type { Secret, ServiceAccount } from '#api/types';
import { isStatusError } from '#apimachinery';
import { type Client, createController, secrets, serviceAccounts } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';

export const tokenSecretType = 'kubernetes.io/service-account-token';
export const accountNameKey = 'kubernetes.io/service-account.name';
export const accountUidKey = 'kubernetes.io/service-account.uid';
const legacyIssuer = 'kubernetes/serviceaccount';

const encode = (text: string): string => Buffer.from(text).toString('base64');

/** The claims of a token that lives in a Secret: it has neither an end nor an audience. */
export function legacyClaims(account: ServiceAccount, secret: Secret): Readonly<Record<string, string>> {
  const { namespace = '', name = '', uid = '' } = account.metadata;
  return {
    iss: legacyIssuer,
    'kubernetes.io/serviceaccount/namespace': namespace,
    'kubernetes.io/serviceaccount/secret.name': secret.metadata.name!,
    'kubernetes.io/serviceaccount/service-account.name': name,
    'kubernetes.io/serviceaccount/service-account.uid': uid,
    sub: `system:serviceaccount:${namespace}:${name}`,
  };
}

/** The Secret with what it lacks; undefined when it lacks nothing. */
export function filledSecret(
  secret: Secret,
  account: ServiceAccount,
  { rootCaPem, sign }: { readonly rootCaPem: string; readonly sign: (claims: object) => string },
): Secret | undefined {
  const { data = {} } = secret;
  const ca = encode(rootCaPem);
  const lacks = {
    ...(rootCaPem !== '' && data['ca.crt'] !== ca && { 'ca.crt': ca }),
    ...(!data['namespace'] && { namespace: encode(secret.metadata.namespace!) }),
  };
  if (data['token'] && Object.keys(lacks).length === 0) return undefined;
  const token = data['token'] || encode(sign(legacyClaims(account, secret)));
  const names = { [accountNameKey]: account.metadata.name!, [accountUidKey]: account.metadata.uid! };
  return {
    ...secret,
    metadata: { ...secret.metadata, annotations: { ...secret.metadata.annotations, ...names } },
    data: { ...data, ...lacks, token },
  };
}

export const serviceAccountTokenController: ControllerDefinition = {
  name: 'serviceaccount-token-controller',
  serviceAccount: 'tokens-controller',
  // Upstream starts it before there are ServiceAccounts to be.
  user: 'system:kube-controller-manager',
  setUp(context) {
    const work = new TokenSecrets(context);
    const byAccount = createController(context, {
      name: 'serviceaccount_tokens_service',
      reconcile: key => work.settleAccount(key),
    });
    const bySecret = createController(context, {
      name: 'serviceaccount_tokens_secret',
      reconcile: key => work.settleSecret(key),
    });
    const onAccount = ({ metadata: { namespace, name, uid } }: ServiceAccount): void =>
      byAccount.queue.add(`${namespace}/${name}/${uid}`);
    context.informers
      .informer(serviceAccounts)
      .addHandler({ added: onAccount, updated: onAccount, deleted: onAccount });
    const onSecret = (secret: Secret): void => {
      if (secret.type !== tokenSecretType) return;
      const { namespace, name, uid, annotations } = secret.metadata;
      const account = [annotations?.[accountNameKey] ?? '', annotations?.[accountUidKey] ?? ''];
      if (account[0] !== '') bySecret.queue.add([namespace, name, uid, ...account].join('/'));
    };
    context.informers.informer(secrets).addHandler({ added: onSecret, updated: onSecret, deleted: onSecret });
    context.rootCa.onChange(() => {
      for (const secret of context.informers.informer(secrets).list()) onSecret(secret);
    });
    return {
      start(signal) {
        byAccount.start(signal);
        bySecret.start(signal);
      },
      async [Symbol.asyncDispose]() {
        await byAccount[Symbol.asyncDispose]();
        await bySecret[Symbol.asyncDispose]();
      },
    };
  },
};

class TokenSecrets {
  readonly #context: ControllerContext;
  readonly #client: Client;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#client = context.client;
  }

  /** The tokens of an account that is gone, or is another one now, go with it. */
  async settleAccount(key: string): Promise<void> {
    const [namespace = '', name = '', uid = ''] = key.split('/');
    const account = this.#context.informers.informer(serviceAccounts).get(`${namespace}/${name}`);
    if (account?.metadata.uid === uid) return;
    for (const secret of [...this.#context.informers.informer(secrets).list(namespace)]) {
      const { annotations } = secret.metadata;
      const isOf = annotations?.[accountNameKey] === name && annotations[accountUidKey] === uid;
      if (secret.type === tokenSecretType && isOf) await this.#delete(secret);
    }
  }

  async settleSecret(key: string): Promise<void> {
    const [namespace = '', name = '', uid = '', accountName = '', accountUid = ''] = key.split('/');
    const secret = this.#context.informers.informer(secrets).get(`${namespace}/${name}`);
    const known = this.#context.informers.informer(serviceAccounts).get(`${namespace}/${accountName}`);
    const isRight = (account: ServiceAccount | undefined): account is ServiceAccount =>
      account !== undefined && (accountUid === '' || account.metadata.uid === accountUid);
    if (secret?.metadata.uid !== uid) {
      if (isRight(known)) await this.#forget(known, name);
      return;
    }
    const account = isRight(known) ? known : await this.#liveAccount(namespace, accountName);
    if (isRight(account)) await this.#fill(secret, account);
    else await this.#delete(secret);
  }

  async #liveAccount(namespace: string, name: string): Promise<ServiceAccount | undefined> {
    try {
      return await this.#client.resource(serviceAccounts).namespace(namespace).get(name);
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #fill(cached: Secret, account: ServiceAccount): Promise<void> {
    const { signToken: sign, rootCa } = this.#context;
    if (!sign) return;
    const filled = filledSecret(cached, account, { rootCaPem: rootCa.pem, sign });
    if (!filled) return;
    try {
      await this.#client.resource(secrets).namespace(cached.metadata.namespace!).update(filled);
    } catch (error) {
      // Somebody else changed it, and it comes again.
      if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  async #forget(account: ServiceAccount, secretName: string): Promise<void> {
    if (!account.secrets?.some(each => each.name === secretName)) return;
    const { namespace, name } = account.metadata;
    const accounts = this.#client.resource(serviceAccounts).namespace(namespace!);
    try {
      const live = await accounts.get(name!);
      if (live.metadata.uid !== account.metadata.uid) return;
      await accounts.update({ ...live, secrets: (live.secrets ?? []).filter(each => each.name !== secretName) });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  async #delete({ metadata: { namespace, name, uid } }: Secret): Promise<void> {
    try {
      const preconditions = { uid: uid! };
      await this.#client.resource(secrets).namespace(namespace!).delete(name!, { preconditions });
    } catch (error) {
      if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}
