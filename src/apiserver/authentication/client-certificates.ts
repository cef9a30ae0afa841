/**
 * Client certificates: CN is the user, O the groups, an attribute of its own the uid. A certificate that is not good is
 * refused, not taken for none. Upstream: apiserver pkg/authentication/request/x509.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import { systemClock } from '#base';
import { type CertificateBundle, type CertificateSubject, certificateSubject, clientCertificateProblem } from '#pki';
import type { PresentedCertificates } from '../http/message.ts';
import { type Authenticated, Refused, type RequestAuthenticator } from './authenticator.ts';
import type { CertificateAuthorities } from './certificate-authorities.ts';
import type { AuthenticationMetrics } from './metrics.ts';
import { user } from './user.ts';

/** What is known of a certificate for as long as its connection lasts; the bundle's verdict only until it changes. */
interface Known {
  readonly subject: CertificateSubject;
  readonly fingerprint: string;
  readonly validToMs: number;
  readonly verdicts: WeakMap<CertificateBundle, { readonly problem: string | undefined; readonly untilMs: number }>;
}

/** How long a chain that was found is believed without looking again; its dates are looked at each time. */
const verdictMs = 10_000;

/**
 * Asks whether authorities vouch for who is at the other end, with an answer that is kept for a moment.
 * Certificates are minted and checked by real time, whatever the server's clock says.
 */
export class CertificateVerifier {
  readonly #authorities: CertificateAuthorities;
  readonly #known = new WeakMap<X509Certificate, Known>();
  #bundle: CertificateBundle;

  constructor(authorities: CertificateAuthorities) {
    this.#authorities = authorities;
    this.#bundle = authorities.bundle;
    authorities.onChange(() => {
      this.#bundle = this.#authorities.bundle;
    });
  }

  /** False: nobody is trusted, and certificates say nothing. */
  get trustsAnybody(): boolean {
    return this.#bundle.length > 0;
  }

  known(leaf: X509Certificate): Known {
    let known = this.#known.get(leaf);
    if (!known) {
      known = {
        subject: certificateSubject(leaf),
        fingerprint: createHash('sha256').update(leaf.raw).digest('hex'),
        validToMs: leaf.validToDate.getTime(),
        verdicts: new WeakMap(),
      };
      this.#known.set(leaf, known);
    }
    return known;
  }

  /** Throws a Refused. */
  verify({ leaf, intermediates, problem }: PresentedCertificates): Known {
    const known = this.known(leaf);
    const nowMs = systemClock.now();
    let verdict = known.verdicts.get(this.#bundle);
    if (!verdict || verdict.untilMs < nowMs || (verdict.problem === undefined && nowMs > known.validToMs)) {
      const found = clientCertificateProblem(leaf, intermediates, this.#bundle, nowMs) ?? problem;
      verdict = { problem: found, untilMs: nowMs + verdictMs };
      known.verdicts.set(this.#bundle, verdict);
    }
    if (verdict.problem !== undefined) {
      throw new Refused(`verifying certificate SN=${BigInt(`0x${leaf.serialNumber}`)} failed: ${verdict.problem}`);
    }
    return known;
  }
}

export function clientCertificates(
  verifier: CertificateVerifier,
  metrics: Pick<AuthenticationMetrics, 'certificateExpires'>,
): RequestAuthenticator {
  return {
    async authenticate({ certificates }) {
      if (!certificates || !verifier.trustsAnybody) return undefined;
      metrics.certificateExpires((verifier.known(certificates.leaf).validToMs - systemClock.now()) / 1000);
      return identityOf(verifier.verify(certificates));
    },
  };
}

function identityOf({ subject, fingerprint }: Known): Authenticated | undefined {
  const { commonName, organizations, uids } = subject;
  if (commonName === '') return undefined;
  const extra = { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] };
  return { user: user(commonName, organizations, { uid: uidOf(uids), extra }) };
}

function uidOf(uids: CertificateSubject['uids']): string {
  const [uid] = uids;
  if (uids.includes(null)) throw new Refused('unable to parse UID into a string');
  if (uids.length > 1) throw new Refused(`expected 1 UID, but found multiple: [${uids.join(' ')}]`);
  if (uid === '') throw new Refused('UID cannot be an empty string');
  return uid ?? '';
}
