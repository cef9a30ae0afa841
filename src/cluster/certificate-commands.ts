/**
 * What an operator does with the cluster's certificates, authorities and token keys, by their files: a server that runs
 * takes over what changed at once, one that does not when it starts. Upstream: `kubeadm certs`, and for authorities the
 * page "Manual Rotation of CA Certificates", whose steps these are.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keepProcessAlive, systemClock, UserError } from '#base';
import { bundleFile, dropPrevious, phaseOf, prepareNext, switchToNext } from './authority-files.ts';
import { frontProxyFiles, leafFiles } from './pki-files.ts';
import { runningServer, type StateDir } from './state-dir.ts';
import { dropFormerTokenKeys, rotateTokenKey, tokenKeyFiles } from './token-key-files.ts';

/** What can be rotated. */
export const rotations: readonly ['ca', 'front-proxy-ca', 'sa'] = ['ca', frontProxyFiles.authority, 'sa'];
export type Rotation = (typeof rotations)[number];

/** `prepare`: the next one is trusted. `switch`: it signs. `finish`: the one before is trusted no more. */
export const rotationSteps = ['prepare', 'switch', 'finish'] as const;
export type RotationStep = (typeof rotationSteps)[number];

/** One certificate of the cluster as it stands on disk. */
export interface CertificateLine {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly endsMs: number;
  /** `signs`, `next`, `previous` of an authority; who signed it of any other. */
  readonly role: string;
}

/** All of them, authorities first. Throws a UserError before the first start made them. */
export function certificateReport(dir: StateDir): CertificateLine[] {
  const names = [...madeFiles(dir)].filter(name => name.endsWith('.crt') && !name.endsWith('-bundle.crt'));
  const lines = names.map(name => {
    const certificate = new X509Certificate(readFileSync(join(dir.pki, name)));
    const role = certificate.ca ? authorityRole(name) : `signed by ${certificate.issuer.replace(/^CN=/, '')}`;
    return { name: name.slice(0, -'.crt'.length), endsMs: Date.parse(certificate.validTo), role, isCa: certificate.ca };
  });
  return lines
    .sort((a, b) => Number(b.isCa) - Number(a.isCa) || (a.name < b.name ? -1 : 1))
    .map(({ name, endsMs, role }) => ({ name, endsMs, role }));
}

const authorityRole = (name: string): string => /-(next|previous)\.crt$/.exec(name)?.[1] ?? 'signs';

/** Has certificates made anew; answers their names. Resolves when a server that runs has done so. */
export async function renewCertificates(dir: StateDir, names: readonly string[]): Promise<readonly string[]> {
  madeFiles(dir);
  const wrong = names.find(name => !leafFiles.includes(name));
  if (wrong !== undefined) {
    throw new UserError(`The cluster has no certificate "${wrong}".`, { remedy: `It has ${leafFiles.join(', ')}.` });
  }
  const chosen = names.length > 0 ? names : leafFiles;
  // A certificate without its key is none: it is made at the next look.
  for (const name of chosen) rmSync(join(dir.pki, `${name}.key`), { force: true });
  await settled(dir, () => chosen.every(name => existsSync(join(dir.pki, `${name}.key`))));
  return chosen;
}

/** Takes one step of a rotation. Throws a UserError for a step out of order. */
export async function rotate(dir: StateDir, what: Rotation, step: RotationStep): Promise<void> {
  madeFiles(dir);
  if (what === 'sa') return rotateTokens(dir, step);
  const base = join(dir.pki, what);
  const phase = phaseOf(base);
  const expected = { prepare: 'steady', switch: 'prepared', finish: 'switched' } as const;
  if (phase !== expected[step]) {
    const due = { steady: 'prepare', prepared: 'switch', switched: 'finish' } as const;
    const remedy = `The next step is: kobune certs rotate ${what} ${due[phase]}`;
    throw new UserError(`"${step}" is not the step that follows.`, { remedy });
  }
  const nowMs = systemClock.now();
  const trusted = (): string => readFileSync(bundleFile(base), 'utf8');
  const before = trusted();
  if (step === 'prepare') await prepareNext(base, nowMs);
  else if (step === 'switch') switchToNext(base, nowMs);
  else dropPrevious(base);
  await settled(dir, () => step === 'switch' || trusted() !== before);
}

/** A key needs no time to be learned of within one server: there is nothing to prepare. */
async function rotateTokens(dir: StateDir, step: RotationStep): Promise<void> {
  if (step === 'prepare') {
    const remedy = 'Begin with: kobune certs rotate sa switch';
    throw new UserError('A new key of tokens needs no preparation.', { remedy });
  }
  if (step === 'switch') return rotateTokenKey(dir.pki);
  if (!existsSync(join(dir.pki, tokenKeyFiles.former))) {
    throw new UserError('There is no key of tokens before the one that signs.');
  }
  dropFormerTokenKeys(dir.pki);
}

function madeFiles(dir: StateDir): string[] {
  if (existsSync(join(dir.pki, 'ca.crt'))) return readdirSync(dir.pki);
  const remedy = `Start it: kobune up --name ${dir.name}`;
  throw new UserError(`The cluster "${dir.name}" was never started.`, { remedy });
}

const settleMs = 5000;
const pollMs = 20;

/** Gives a server that runs the time to do its part; without one, nothing is waited for. */
async function settled(dir: StateDir, isDone: () => boolean): Promise<void> {
  using _alive = keepProcessAlive();
  const deadline = systemClock.monotonicMs() + settleMs;
  while (runningServer(dir) && !isDone()) {
    if (systemClock.monotonicMs() > deadline) {
      const remedy = `See: kobune logs --name ${dir.name}`;
      throw new UserError('The server does not take over what was changed.', { remedy });
    }
    await systemClock.sleep(pollMs);
  }
}
