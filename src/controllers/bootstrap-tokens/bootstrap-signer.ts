/**
 * Signs the ConfigMap `cluster-info` of kube-public, which everybody may read, with each token of a joining node, so
 * that who has such a token can tell the right cluster. Upstream: pkg/controller/bootstrap/bootstrapsigner.go.
 *
 * Deviation: it runs without being asked for, as tokens of joining nodes are accepted without being asked for.
 */
import type { ConfigMap, Secret } from '#api/types';
import { isStatusError } from '#apimachinery';
import { configMaps, createController, secrets } from '#client';
import type { ControllerDefinition } from '../context.ts';
import { detachedSignature, isBootstrapToken, type SigningToken, signingToken } from './token-secret.ts';

const mapKey = 'kube-public/cluster-info';
const signaturePrefix = 'jws-kubeconfig-';

/** The data with the signatures that belong there; undefined when they are the ones that stand there. */
export function signedData(
  { data = {} }: Pick<ConfigMap, 'data'>,
  tokens: readonly SigningToken[],
): Readonly<Record<string, string>> | undefined {
  const content = data['kubeconfig'];
  if (content === undefined) return undefined;
  const others = Object.entries(data).filter(([key]) => !key.startsWith(signaturePrefix));
  const signatures = tokens.map(token => [`${signaturePrefix}${token.id}`, detachedSignature(content, token)] as const);
  const isSame =
    others.length + signatures.length === Object.keys(data).length &&
    signatures.every(([key, signature]) => data[key] === signature);
  return isSame ? undefined : Object.fromEntries([...others, ...signatures]);
}

export const bootstrapSigner: ControllerDefinition = {
  name: 'bootstrap-signer-controller',
  serviceAccount: 'bootstrap-signer',
  setUp(context) {
    const { client, clock } = context;
    const maps = context.informers.informer(configMaps);
    const tokens = context.informers.informer(secrets);
    const controller = createController(context, {
      name: 'bootstrap_signer_queue',
      async reconcile() {
        const map = maps.get(mapKey);
        if (!map) return;
        const all = [...tokens.list('kube-system')].filter(isBootstrapToken);
        const data = signedData(
          map,
          all.map(each => signingToken(each, clock.now())).filter(each => each !== undefined),
        );
        if (!data) return;
        try {
          await client
            .resource(configMaps)
            .namespace('kube-public')
            .update({ ...map, data });
        } catch (error) {
          if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
        }
      },
    });
    const onMap = ({ metadata: { namespace, name } }: ConfigMap): void => {
      if (`${namespace}/${name}` === mapKey) controller.queue.add(mapKey);
    };
    const onToken = (secret: Secret): void => {
      if (isBootstrapToken(secret)) controller.queue.add(mapKey);
    };
    maps.addHandler({ added: onMap, updated: onMap });
    tokens.addHandler({ added: onToken, updated: onToken, deleted: onToken });
    return controller;
  },
};
