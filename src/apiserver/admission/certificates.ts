/**
 * Who may approve and sign for a signer, and whom the signers of clients do not make. Upstream:
 * plugin/pkg/admission/certificates/{approval,signing,subjectrestriction,ctbattest}.
 */
import type { CertificateSigningRequest } from '#api/types';
import { semanticEqual } from '#apimachinery';
import { requestSubject } from '#pki';
import type { Authorizer } from '../authorization/authorizer.ts';
import { onlyCollectorFields } from '../authorization/escalation.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';

const group = 'certificates.k8s.io';
const resource = 'certificatesigningrequests';

/** By the signer's full name, or by all of its domain. */
async function mayFor(
  authorizer: Authorizer,
  attributes: AdmissionAttributes,
  verb: string,
  signer: string,
): Promise<boolean> {
  const domain = signer.slice(0, signer.indexOf('/'));
  for (const name of [signer, `${domain}/*`]) {
    const { decision } = await authorizer.authorize({
      user: attributes.user,
      verb,
      isResourceRequest: true,
      path: '',
      group,
      version: '*',
      namespace: '',
      resource: 'signers',
      subresource: '',
      name,
      fieldSelector: '',
      labelSelector: '',
    });
    if (decision === 'allow') return true;
  }
  return false;
}

export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    handles: attributes => attributes.operation === 'UPDATE' && isFor(attributes, group, resource, 'approval'),
    async validate(attributes, object) {
      const { signerName } = (attributes.old as unknown as CertificateSigningRequest).spec;
      if (await mayFor(authorizer, attributes, 'approve', signerName)) return;
      throw admissionForbidden(
        attributes,
        object,
        `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`,
      );
    },
  };
}

export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    handles: attributes => attributes.operation === 'UPDATE' && isFor(attributes, group, resource, 'status'),
    async validate(attributes, object) {
      const old = attributes.old as unknown as CertificateSigningRequest;
      const now = object as unknown as CertificateSigningRequest;
      const same =
        old.status?.certificate === now.status?.certificate &&
        semanticEqual(old.status?.conditions, now.status?.conditions);
      const { signerName } = old.spec;
      if (same || (await mayFor(authorizer, attributes, 'sign', signerName))) return;
      throw admissionForbidden(
        attributes,
        object,
        `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`,
      );
    },
  };
}

const apiClientSigner = 'kubernetes.io/kube-apiserver-client';

/** The built-in signer of clients makes no administrators. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: attributes => attributes.operation === 'CREATE' && isFor(attributes, group, resource),
  validate(attributes, object) {
    const { signerName, request } = (object as unknown as CertificateSigningRequest).spec;
    if (signerName !== apiClientSigner) return;
    let organizations: readonly string[];
    try {
      organizations = requestSubject(Buffer.from(request, 'base64').toString()).organizations;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw admissionForbidden(attributes, object, `failed to parse CSR: ${why}`);
    }
    if (!organizations.includes('system:masters')) return;
    const why = `use of ${apiClientSigner} signer with system:masters group is not allowed`;
    throw admissionForbidden(attributes, object, why);
  },
};

/** Who publishes trust for a signer must be allowed to attest for it. */
export function clusterTrustBundleAttest(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'ClusterTrustBundleAttest',
    handles: ({ operation, resource: { group: own, resource: name } }) =>
      own === group && name === 'clustertrustbundles' && (operation === 'CREATE' || operation === 'UPDATE'),
    async validate(attributes, object) {
      const signer = (object as unknown as { spec?: { signerName?: string } }).spec?.signerName ?? '';
      if (signer === '' || (attributes.old && onlyCollectorFields(object!, attributes.old))) return;
      if (await mayFor(authorizer, attributes, 'attest', signer)) return;
      const why = `user not permitted to attest for signerName ${JSON.stringify(signer)}`;
      throw admissionForbidden(attributes, object, why);
    },
  };
}
