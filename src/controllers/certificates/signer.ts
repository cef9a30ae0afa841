/** Certifies approved requests of the cluster's own signers. Upstream: pkg/controller/certificates/signer. */
import type { CertificateSigningRequest } from '#api/types';
import { type Draft, formatTime } from '#apimachinery';
import { certificateSigningRequests, createController } from '#client';
import type { Authority, ExtendedUsage, KeyUsage } from '#pki';
import type { ControllerDefinition } from '../context.ts';
import { hasCondition, isOwnSigner, pemOf, signingProblem } from './requests.ts';

/** `--cluster-signing-duration`. */
const longestMs = 365 * 24 * 3600 * 1000;
const shortestMs = 10 * 60 * 1000;

const extendedUsages: readonly string[] = ['client auth', 'server auth'] satisfies ExtendedUsage[];

function certify(signer: Pick<Authority, 'sign'>, request: CertificateSigningRequest, nowMs: number): Promise<string> {
  const { usages = [], expirationSeconds } = request.spec;
  const asked = expirationSeconds === undefined ? longestMs : expirationSeconds * 1000;
  return signer.sign(pemOf(request), {
    usages: usages.filter(usage => extendedUsages.includes(usage)) as ExtendedUsage[],
    keyUsages: usages.filter(usage => !extendedUsages.includes(usage)) as KeyUsage[],
    validityMs: Math.max(shortestMs, Math.min(asked, longestMs)),
    nowMs,
  });
}

export const certificateSigner: ControllerDefinition = {
  name: 'certificatesigningrequest-signing-controller',
  serviceAccount: 'certificate-controller',
  setUp(context) {
    const { client, clock, signer } = context;
    const requests = context.informers.informer(certificateSigningRequests);
    const isMine = (request: CertificateSigningRequest): boolean =>
      signer !== undefined &&
      !request.status?.certificate &&
      hasCondition(request, 'Approved') &&
      !hasCondition(request, 'Failed') &&
      isOwnSigner(request.spec.signerName);
    const controller = createController(context, {
      name: 'certificate_signing',
      async reconcile(name) {
        const request = requests.get(name);
        if (!request || !signer || !isMine(request)) return;
        const draft = structuredClone(request) as Draft<CertificateSigningRequest>;
        const status = (draft.status ??= {});
        const problem = signingProblem(request);
        if (problem !== undefined) {
          status.conditions = [
            ...(status.conditions ?? []),
            {
              type: 'Failed',
              status: 'True',
              reason: 'SignerValidationFailure',
              message: problem,
              lastUpdateTime: formatTime(clock.now()),
            },
          ];
        } else {
          status.certificate = Buffer.from(await certify(signer, request, clock.now())).toString('base64');
        }
        await client.resource(certificateSigningRequests).updateStatus(draft);
      },
    });
    const enqueue = (request: CertificateSigningRequest): void => {
      if (isMine(request)) controller.queue.add(request.metadata.name!);
    };
    requests.addHandler({ added: enqueue, updated: enqueue });
    return controller;
  },
};
