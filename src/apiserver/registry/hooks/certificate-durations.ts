/**
 * How many certificates were issued for requests that ask for a duration, and how many have it.
 * Upstream: pkg/registry/certificates/certificates/storage/metrics.go.
 */
import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '#api/types';
import type { KubeObject } from '#apimachinery';
import type { Logger, MetricsRegistry } from '#base';
import type { RegistryHook } from '../registry.ts';

/** By which a certificate's own duration may differ, beside a twentieth of what was asked for. */
const backdatingSeconds = 300;

export interface CertificateHookDeps {
  readonly metrics: MetricsRegistry;
  readonly logger: Logger;
}

export function certificateDurationHook(deps: CertificateHookDeps): RegistryHook {
  const about = 'sliced by signer (only kubernetes.io signer names are specifically identified)';
  const requested = deps.metrics.counter(
    'apiserver_certificates_registry_csr_requested_duration_total',
    `[ALPHA] Total number of issued CSRs with a requested duration, ${about}`,
  );
  const honored = deps.metrics.counter(
    'apiserver_certificates_registry_csr_honored_duration_total',
    `[ALPHA] Total number of issued CSRs with a requested duration that was honored, ${about}`,
  );
  return {
    prepare: () => undefined,
    updated(object, old) {
      const { spec, status } = old as KubeObject & CertificateSigningRequest;
      const { certificate } = (object as KubeObject & CertificateSigningRequest).status ?? {};
      if (status?.certificate || spec.expirationSeconds === undefined || !certificate) return;
      const signer = { signerName: spec.signerName.startsWith('kubernetes.io/') ? spec.signerName : 'other' };
      requested.inc(signer);
      try {
        const seconds = durationSeconds(new X509Certificate(Buffer.from(certificate, 'base64')));
        if (isHonored(spec.expirationSeconds, seconds)) honored.inc(signer);
      } catch (error) {
        deps.logger.warn('an issued certificate cannot be read', { name: object.metadata.name, error });
      }
    },
  };
}

function durationSeconds({ validFromDate, validToDate }: X509Certificate): number {
  return (validToDate.getTime() - validFromDate.getTime()) / 1000;
}

export function isHonored(wantedSeconds: number, seconds: number): boolean {
  return Math.abs(wantedSeconds - seconds) < backdatingSeconds + wantedSeconds / 20;
}
