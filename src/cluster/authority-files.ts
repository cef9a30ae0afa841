/**
 * An authority of the cluster through its life, in files that follow kubeadm's names. `ca.crt` and `ca.key` sign. Before
 * that one ends, `ca-next` is made and trusted beside it; when everybody had time to learn of it, it signs, and what was
 * issued is issued again; the one before (`ca-previous.crt`, whose key is gone by then) is trusted until all that it ever
 * certified has ended. `ca-bundle.crt` holds all that are trusted, for those who only read.
 * Upstream: the steps of "Manual Rotation of CA Certificates"; kubeadm's authorities are renewed by hand.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type Authority, createAuthority, loadAuthority } from '#pki';
import { readPair, writePair } from './key-pair-files.ts';
import { writeFileAtomically } from './state-dir.ts';

/** An authority with those that are trusted in its place. */
export interface TrustedAuthority {
  /** Signs. */
  readonly authority: Authority;
  /** All that are trusted, the signing one first, PEM. */
  readonly bundlePem: string;
  readonly phase: RotationPhase;
}

/** `prepared`: the next one is trusted, the old one signs. `switched`: the next one signs, the old one is trusted. */
export type RotationPhase = 'steady' | 'prepared' | 'switched';

/** How long what lasts. */
export interface Lifetimes {
  readonly authorityMs: number;
  /** The longest that anything is good that an authority certifies. */
  readonly certifiedMs: number;
  /** For how long the next authority is only trusted: time for others to learn of it. */
  readonly distributionMs: number;
  /** Certificates are made anew when they have less than this left. */
  readonly renewBeforeMs: number;
}

const dayMs = 24 * 3600_000;

export const defaultLifetimes: Lifetimes = {
  authorityMs: 3650 * dayMs,
  certifiedMs: 365 * dayMs,
  distributionMs: 90 * dayMs,
  renewBeforeMs: 30 * dayMs,
};

const file = {
  certificate: (base: string): string => `${base}.crt`,
  next: (base: string): string => `${base}-next`,
  previous: (base: string): string => `${base}-previous.crt`,
  bundle: (base: string): string => `${base}-bundle.crt`,
} as const;

/** The file with all that are trusted in the place of the authority at `base`. */
export const bundleFile = (base: string): string => file.bundle(base);

/** Loads the authority at `base` (a path without its end), makes it when there is none, and takes the step that is due. */
export async function ensureAuthority(
  base: string,
  commonName: string,
  nowMs: number,
  lifetimes: Lifetimes = defaultLifetimes,
): Promise<TrustedAuthority> {
  finishSwitch(base);
  if (!readPair(base)) writePair(base, await createAuthority(commonName, nowMs, lifetimes.authorityMs));
  if ((previousUntilMs(base) ?? Number.POSITIVE_INFINITY) <= nowMs) dropPrevious(base);
  if (isNextDue(base, nowMs, lifetimes)) await prepareNext(base, nowMs, lifetimes);
  if (isSwitchDue(base, nowMs, lifetimes)) switchToNext(base, nowMs, lifetimes);
  return load(base);
}

/** Makes the next authority, which is trusted from now on; does nothing when there is one. */
export async function prepareNext(base: string, nowMs: number, lifetimes: Lifetimes = defaultLifetimes): Promise<void> {
  if (readPair(file.next(base))) return;
  const [commonName = ''] = /(?<=^CN=).*$/m.exec(certificateOf(base).subject) ?? [];
  writePair(file.next(base), await createAuthority(commonName, nowMs, lifetimes.authorityMs));
}

/** The next authority signs from now on, and the one that did loses its key. Throws when there is no next one. */
export function switchToNext(base: string, nowMs: number, lifetimes: Lifetimes = defaultLifetimes): void {
  const next = readPair(file.next(base));
  if (!next) throw new Error(`there is no ${file.next(base)}.crt`);
  const untilMs = Math.min(nowMs + lifetimes.certifiedMs, Date.parse(certificateOf(base).validTo));
  // Explanatory text before a certificate is allowed (RFC 7468, 2) and overread by everybody.
  const blocks = [file.certificate(base), file.previous(base)].filter(existsSync).flatMap(blocksOf);
  const previous = `${untilText}${new Date(untilMs).toISOString()}\n${blocks.join('')}`;
  writeFileAtomically(file.previous(base), previous, 0o644);
  writeFileAtomically(file.certificate(base), next.certPem, 0o644);
  finishSwitch(base);
}

/** What only the one before certified is believed no more. */
export function dropPrevious(base: string): void {
  rmSync(file.previous(base), { force: true });
}

/** In which step of its life the authority at `base` is. */
export function phaseOf(base: string): RotationPhase {
  if (readPair(file.next(base))) return 'prepared';
  return existsSync(file.previous(base)) ? 'switched' : 'steady';
}

/** A switch that was torn off between its files ends as it began: the next certificate is there, its key is not. */
function finishSwitch(base: string): void {
  const next = readPair(file.next(base));
  if (!next || !existsSync(file.certificate(base))) return;
  if (readFileSync(file.certificate(base), 'utf8') !== next.certPem) return;
  writeFileAtomically(`${base}.key`, next.keyPem);
  rmSync(`${file.next(base)}.crt`, { force: true });
  rmSync(`${file.next(base)}.key`, { force: true });
}

const untilText = 'trusted until ';

function previousUntilMs(base: string): number | undefined {
  if (!existsSync(file.previous(base))) return undefined;
  const [, until] = new RegExp(`^${untilText}(\\S+)$`, 'm').exec(readFileSync(file.previous(base), 'utf8')) ?? [];
  return until === undefined ? undefined : Date.parse(until);
}

function certificateOf(base: string): X509Certificate {
  return new X509Certificate(readFileSync(file.certificate(base)));
}

const endMs = (base: string): number => Date.parse(certificateOf(base).validTo);

/** In time for all that follows, so that no certificate is cut short by its authority's end. */
function isNextDue(base: string, nowMs: number, lifetimes: Lifetimes): boolean {
  const { certifiedMs, distributionMs, renewBeforeMs } = lifetimes;
  return endMs(base) - nowMs <= certifiedMs + distributionMs + renewBeforeMs;
}

function isSwitchDue(base: string, nowMs: number, lifetimes: Lifetimes): boolean {
  const next = readPair(file.next(base));
  if (!next) return false;
  const trustedMs = nowMs - Date.parse(new X509Certificate(next.certPem).validFrom);
  return trustedMs >= lifetimes.distributionMs || endMs(base) - nowMs <= lifetimes.renewBeforeMs;
}

/** The certificates in a file, each with a line's end. */
function blocksOf(path: string): string[] {
  const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g);
  return (blocks ?? []).map(block => `${block}\n`);
}

/** Throws for a certificate with another's key: somebody is writing them. */
function load(base: string): TrustedAuthority {
  const authority = loadAuthority(readPair(base)!);
  const trusted = [file.certificate(base), `${file.next(base)}.crt`, file.previous(base)].filter(existsSync);
  const bundlePem = [...new Set(trusted.flatMap(blocksOf))].join('');
  const path = file.bundle(base);
  if (!existsSync(path) || readFileSync(path, 'utf8') !== bundlePem) writeFileAtomically(path, bundlePem, 0o644);
  return { authority, bundlePem, phase: phaseOf(base) };
}
