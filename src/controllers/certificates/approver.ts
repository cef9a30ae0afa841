/**
 * Approves what kubelets ask for as clients, when whoever asks may. Upstream:
 * pkg/controller/certificates/approver/sarapprove.go.
 */
import type { CertificateSigningRequest, SubjectAccessReview } from '#api/types';
import type { Draft } from '#apimachinery';
import { type Client, certificateSigningRequests, createController, subjectAccessReviews } from '#client';
import type { ControllerDefinition } from '../context.ts';
import { isKubeletClientRequest, isOwnKubeletRequest } from './requests.ts';

/** In this order: what a request looks like, the permission that it takes, and what is said of it. */
const recognizers = [
  {
    recognizes: isOwnKubeletRequest,
    subresource: 'selfnodeclient',
    message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  },
  {
    recognizes: isKubeletClientRequest,
    subresource: 'nodeclient',
    message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
  },
];

async function mayAsk(client: Client, { spec }: CertificateSigningRequest, subresource: string): Promise<boolean> {
  const { username, uid, groups, extra } = spec;
  const review = {
    spec: {
      ...(username && { user: username }),
      ...(uid && { uid }),
      ...(groups && { groups }),
      ...(extra && { extra }),
      resourceAttributes: {
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        verb: 'create',
        subresource,
        version: '*',
      },
    },
  } as unknown as SubjectAccessReview;
  return (await client.resource(subjectAccessReviews).create(review)).status?.allowed ?? false;
}

const isUndecided = ({ status }: CertificateSigningRequest): boolean =>
  !status?.certificate && !status?.conditions?.some(({ type }) => type === 'Approved' || type === 'Denied');

export const certificateApprover: ControllerDefinition = {
  name: 'certificatesigningrequest-approving-controller',
  serviceAccount: 'certificate-controller',
  setUp(context) {
    const { client } = context;
    const requests = context.informers.informer(certificateSigningRequests);
    const controller = createController(context, {
      name: 'certificate_approving',
      async reconcile(name) {
        const request = requests.get(name);
        if (!request || !isUndecided(request)) return;
        for (const { recognizes, subresource, message } of recognizers) {
          if (!recognizes(request) || !(await mayAsk(client, request, subresource))) continue;
          const draft = structuredClone(request) as Draft<CertificateSigningRequest>;
          const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message };
          draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []), approved] };
          await client.resource(certificateSigningRequests).subresource(name, 'approval', draft, { method: 'PUT' });
          return;
        }
      },
    });
    const enqueue = (request: CertificateSigningRequest): void => {
      if (isUndecided(request) && isKubeletClientRequest(request)) controller.queue.add(request.metadata.name!);
    };
    requests.addHandler({ added: enqueue, updated: enqueue });
    return controller;
  },
};
