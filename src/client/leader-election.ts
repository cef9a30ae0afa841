/**
 * One of several runs: whoever holds a Lease and renews it in time. Upstream: client-go tools/leaderelection.
 *
 * A candidate never trusts another's clock: it counts from when it saw the Lease change. Worked example: a Lease of 15 s
 * is renewed every 2 s; when the holder dies, another takes it 15 s after the last change that it saw.
 */
import type { Lease } from '#api/types';
import { formatMicroTime, isStatusError } from '#apimachinery';
import { anySignal, type Clock, deadline, isAbort, type Logger } from '#base';
import type { Client } from './client.ts';
import { leases } from './resources.ts';

export interface LeaderElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Distinct for each candidate. */
  readonly identity: string;
  /** Upstream's defaults: 15 s, 10 s, 2 s. */
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
}

/**
 * Waits to become the leader, then calls `lead` with a signal that aborts when leadership is lost or `signal` aborts.
 * Resolves when `lead` has ended; gives the Lease back if it is still held. Losing the Lease rejects.
 */
export async function runAsLeader(
  deps: { readonly client: Client; readonly clock: Clock; readonly logger: Logger },
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger } = deps;
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  const resource = deps.client.resource(leases).namespace(options.namespace);
  let seen: { text: string; atMs: number } | undefined;

  /** True when the Lease is ours now. */
  const attempt = async (during: AbortSignal): Promise<boolean> => {
    const lease = await resource.get(options.name, { signal: during }).catch(error => {
      if (isStatusError(error, 'NotFound')) return undefined;
      throw error;
    });
    const now = formatMicroTime(clock.now());
    const ours = {
      holderIdentity: options.identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      renewTime: now,
    };
    if (!lease) {
      const spec = { ...ours, acquireTime: now, leaseTransitions: 0 };
      await resource.create({ metadata: { name: options.name }, spec } as Partial<Lease>, { signal: during });
      return true;
    }
    const text = JSON.stringify(lease.spec ?? {});
    if (seen?.text !== text) seen = { text, atMs: clock.monotonicMs() };
    const mine = lease.spec?.holderIdentity === options.identity;
    if (!mine && lease.spec?.holderIdentity && clock.monotonicMs() - seen.atMs < leaseDurationMs) return false;
    const spec = mine
      ? { ...lease.spec, ...ours }
      : { ...lease.spec, ...ours, acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    await resource.update({ ...lease, spec } as Lease, { signal: during });
    return true;
  };
  /** Gives up after `withinMs`: who waits for a server that does not answer must not think that he still leads. */
  const tryOnce = async (withinMs: number, until: AbortSignal): Promise<boolean> => {
    using limit = deadline(clock, withinMs, until);
    try {
      return await Promise.race([attempt(limit.signal), aborted(limit.signal)]);
    } catch (error) {
      logger.debug('the lease was not taken', { lease: options.name, error });
      return false;
    }
  };

  while (!(await tryOnce(renewDeadlineMs, signal))) await clock.sleep(retryPeriodMs, signal);
  logger.info('became leader', { lease: options.name, identity: options.identity });
  const lost = new AbortController();
  const ended = new AbortController();
  const renewing = (async () => {
    let renewedMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(retryPeriodMs, ended.signal);
      const begunMs = clock.monotonicMs();
      const leftMs = renewedMs + renewDeadlineMs - begunMs;
      // Others count from when they see the Lease change, which may be before the answer comes.
      if (leftMs > 0 && (await tryOnce(leftMs, ended.signal))) renewedMs = begunMs;
      else if (clock.monotonicMs() - renewedMs >= renewDeadlineMs)
        return lost.abort(new Error(`lost the lease ${options.name}`));
    }
  })().catch(error => {
    if (!isAbort(error, ended.signal)) throw error;
  });
  try {
    await lead(anySignal(signal, lost.signal));
  } finally {
    ended.abort();
    await renewing;
    if (!lost.signal.aborted) await giveBack();
  }
  lost.signal.throwIfAborted();

  async function giveBack(): Promise<void> {
    try {
      const lease = await resource.get(options.name);
      if (lease.spec?.holderIdentity !== options.identity) return;
      await resource.update({
        ...lease,
        spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 },
      } as Lease);
    } catch (error) {
      logger.debug('the lease was not given back', { lease: options.name, error });
    }
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
