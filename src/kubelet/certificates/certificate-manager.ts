/**
 * A certificate that its holder asks the cluster for, and asks for again when most of its life is over: a request to a
 * signer, approved and certified by whoever does so there. What there is stays in use until there is a better one.
 * Upstream: client-go util/certificate/certificate_manager.go, pkg/kubelet/certificate/kubelet.go.
 *
 * For a node that joins over HTTPS; one in the API server's process has no use for it (docs/adr/2026-11-in-process-nodes-have-no-client-certificate.md).
 */
import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '#api/types';
import type { Clock, Logger, Random } from '#base';
import { type Client, certificateSigningRequests } from '#client';
import { createCertificateRequest, type KeyPair } from '#pki';

export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving';

/** Where the pair outlives the process. */
export interface CertificateStore {
  read(): KeyPair | undefined;
  write(pair: KeyPair): void;
}

export interface CertificateManagerDeps {
  /** Acts as who asks: a node, or at first whoever may ask in its name. */
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: CertificateStore;
}

/** What is asked for; a change of it asks anew. */
export interface CertificateTemplate {
  readonly signerName: string;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly string[];
  /** Absent: as long as the signer gives. */
  readonly expirationSeconds?: number;
}

/** A node's identity as a client. */
export function nodeClientTemplate(nodeName: string): CertificateTemplate {
  return {
    signerName: kubeletClientSigner,
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    usages: ['digital signature', 'client auth'],
  };
}

const answerTimeoutMs = 15 * 60_000;
const pollMs = 1000;
const firstPauseMs = 2000;
const longestPauseMs = 32_000;
/** How often names and dates are looked at. */
const lookMs = 60_000;

/** See the file header; does nothing until {@link run}. */
export class CertificateManager {
  readonly #deps: CertificateManagerDeps;
  readonly #template: () => CertificateTemplate;
  readonly #listeners = new Set<(pair: KeyPair) => void>();
  #current: KeyPair | undefined;
  #rotateAtMs = 0;

  constructor(deps: CertificateManagerDeps, template: () => CertificateTemplate) {
    this.#deps = deps;
    this.#template = template;
    const stored = deps.store.read();
    if (stored) this.#take(stored);
  }

  /** The certificate to show; undefined before the first, and when the last has ended. */
  get current(): KeyPair | undefined {
    const { clock } = this.#deps;
    if (!this.#current) return undefined;
    return new X509Certificate(this.#current.certPem).validToDate.getTime() > clock.now() ? this.#current : undefined;
  }

  /** When the next one is asked for, in milliseconds since 1970: at 70 to 90 % of the life of this one. */
  get rotateAtMs(): number {
    return this.#rotateAtMs;
  }

  onChange(listener: (pair: KeyPair) => void): void {
    this.#listeners.add(listener);
  }

  /** Asks, waits and asks again until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      if (!this.#isDue()) {
        await clock.sleep(Math.min(lookMs, Math.max(1, this.#rotateAtMs - clock.now())), signal).catch(() => {});
        continue;
      }
      try {
        await this.#rotate(signal);
        pauseMs = firstPauseMs;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('no new certificate; the one before stays', { signer: this.#template().signerName, error });
        await clock.sleep(pauseMs, signal).catch(() => {});
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  }

  #isDue(): boolean {
    if (!this.#current || this.#deps.clock.now() >= this.#rotateAtMs) return true;
    const certificate = new X509Certificate(this.#current.certPem);
    const { commonName, dnsNames = [], ipAddresses = [] } = this.#template();
    return (
      !certificate.subject.split('\n').includes(`CN=${commonName}`) ||
      dnsNames.some(name => certificate.checkHost(name) === undefined) ||
      ipAddresses.some(address => certificate.checkIP(address) === undefined)
    );
  }

  async #rotate(signal: AbortSignal): Promise<void> {
    const { client, store } = this.#deps;
    const template = this.#template();
    const { requestPem, keyPem } = await createCertificateRequest(template);
    const { signerName, usages, expirationSeconds } = template;
    const asked = await client.resource(certificateSigningRequests).create({
      metadata: { generateName: 'csr-' },
      spec: {
        request: Buffer.from(requestPem).toString('base64'),
        signerName,
        usages,
        ...(expirationSeconds !== undefined && { expirationSeconds }),
      },
    } as unknown as CertificateSigningRequest);
    const certPem = await this.#answer(asked.metadata.name!, signal);
    const pair = { certPem, keyPem };
    store.write(pair);
    this.#take(pair);
    for (const listener of this.#listeners) listener(pair);
  }

  /** Throws for a request that was denied, failed, or is not answered in time. */
  async #answer(name: string, signal: AbortSignal): Promise<string> {
    const { client, clock } = this.#deps;
    const untilMs = clock.now() + answerTimeoutMs;
    while (clock.now() < untilMs) {
      const { status } = await client.resource(certificateSigningRequests).get(name);
      const refused = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed');
      if (refused) throw new Error(`certificate request ${name} is ${refused.type}: ${refused.reason}`);
      if (status?.certificate && status.conditions?.some(({ type }) => type === 'Approved')) {
        return Buffer.from(status.certificate, 'base64').toString('utf8');
      }
      await clock.sleep(pollMs, signal);
    }
    throw new Error(`certificate request ${name} was not answered`);
  }

  #take(pair: KeyPair): void {
    const { validFromDate, validToDate } = new X509Certificate(pair.certPem);
    const lifeMs = validToDate.getTime() - validFromDate.getTime();
    this.#current = pair;
    this.#rotateAtMs = validFromDate.getTime() + lifeMs * (0.7 + 0.2 * this.#deps.random.float());
  }
}
