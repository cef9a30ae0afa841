/** Certifies approved requests of the cluster's own signers. Upstream: pkg/controller/certificates/signer. */
import type { CertificateSigningRequest } from '#api/types';
import { type Draft, formatTime } from '#apimachinery';
import { certificateSigningRequests, createController } from '#client';
import type { ExtendedUsage, KeyUsage } from '#pki';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { hasCondition, isOwnSigner, pemOf, signingProblem } from './requests.ts';

/** `--cluster-signing-duration`. */
const defaultDurationMs = 365 * 24 * 3600 * 1000;
const shortestMs = 10 * 60 * 1000;
/** Certificates begin so long before they are made; those that live long end so much earlier. */
const backdateMs = 5 * 60 * 1000;
const shortLivedMs = 8 * 3600 * 1000;

/** How long from now a certificate is good. Upstream: signer.go duration, authority/policies.go. */
export function validityMs(expirationSeconds: number | undefined, longestMs: number): number {
  const asked = expirationSeconds === undefined ? longestMs : expirationSeconds * 1000;
  const granted = asked > longestMs ? longestMs : expirationSeconds === undefined ? asked : Math.max(shortestMs, asked);
  return granted < shortLivedMs ? granted : granted - backdateMs;
}

const extendedUsages: readonly string[] = ['client auth', 'server auth'] satisfies ExtendedUsage[];

function certify(
  { signer, signingDurationMs = defaultDurationMs }: Pick<ControllerContext, 'signer' | 'signingDurationMs'>,
  request: CertificateSigningRequest,
  nowMs: number,
): Promise<string> {
  const { usages = [], expirationSeconds } = request.spec;
  return signer!.sign(pemOf(request), {
    usages: usages.filter(usage => extendedUsages.includes(usage)) as ExtendedUsage[],
    keyUsages: usages.filter(usage => !extendedUsages.includes(usage)) as KeyUsage[],
    validityMs: validityMs(expirationSeconds, signingDurationMs),
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
          status.certificate = Buffer.from(await certify(context, request, clock.now())).toString('base64');
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
