/**
 * The Service proxy's loop: collects changes of Services and EndpointSlices, computes the desired elements and applies
 * the difference as one nft transaction. Changes that arrive while one is being applied go together into the next.
 * If a transaction is refused (somebody changed our table) the whole table is written anew.
 */
import type { Activity, Clock, Logger } from '#base';
import type { CniHostPort } from '#cni';
import { type ElementSets, elementChanges } from './element-sets.ts';
import type { NetworkKernel } from './kernel.ts';
import { baseRuleset, type Pick, pickChainScript, type RulesetConfig } from './ruleset.ts';
import { createStickyIds, type ProxyEndpointSlice, type ProxyService, serviceElements } from './service-elements.ts';

/** What the proxy looks at, kept up to date by informers. */
export interface ServiceView {
  services(): Iterable<ProxyService>;
  /** By `namespace/service`. */
  slices(): ReadonlyMap<string, readonly ProxyEndpointSlice[]>;
}

export interface ServiceProxyDeps {
  readonly kernel: NetworkKernel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly view: ServiceView;
  readonly ruleset: RulesetConfig;
  readonly nodeName: string;
}

export interface ServiceProxy extends AsyncDisposable {
  /** Says that the view changed; cheap, call it for every event. */
  changed(): void;
  /** Replaces the node's host ports; resolves when they are in force. */
  setHostPorts(ports: ReadonlyArray<CniHostPort & { readonly address: string }>): Promise<void>;
  /** Resolves when everything said so far is in force. */
  settled(): Promise<void>;
}

/** Numbers for sticky endpoints begin above every possible pick. */
const stickyMarkOffset = 0x10000;
const retryDelayMs = 1000;

/** Writes the table and starts the loop; disposing removes the table. */
export async function startServiceProxy(deps: ServiceProxyDeps): Promise<ServiceProxy> {
  const { kernel, logger, ruleset } = deps;
  const stickyId = createStickyIds(ruleset.markBase + stickyMarkOffset);
  let hostPorts: ElementSets = new Map();
  let applied: ElementSets = new Map();
  let chains = new Set<string>();
  let dirty = false;
  let running: Promise<void> | undefined;
  let stopped = false;

  const apply = async (): Promise<void> => {
    const { sets, picks } = serviceElements({
      services: deps.view.services(),
      slices: deps.view.slices(),
      nodeName: deps.nodeName,
      markBase: ruleset.markBase,
      stickyId,
    });
    const wanted: ElementSets = new Map([...sets, ...hostPorts]);
    const changes = elementChanges(`ip ${ruleset.table}`, applied, wanted);
    if (changes === '') return;
    await kernel.nft(newChains(picks) + changes);
    const stale = staleUdpTargets(applied, wanted);
    chains = new Set([...chains, ...picks.keys()]);
    applied = wanted;
    for (const address of stale) await kernel.conntrackDelete('-p', 'udp', '--dst-nat', address);
  };
  const newChains = (picks: ReadonlyMap<string, Pick>): string =>
    [...picks]
      .filter(([name]) => !chains.has(name))
      .map(([, pick]) => pickChainScript(ruleset.table, ruleset.markBase, pick))
      .join('');
  const rewrite = async (): Promise<void> => {
    await kernel.nft(baseRuleset(ruleset));
    applied = new Map();
    chains = new Set();
  };
  const loop = async (): Promise<void> => {
    const end = deps.activity.begin();
    try {
      while (dirty && !stopped) {
        dirty = false;
        try {
          await apply();
        } catch (error) {
          logger.warn('service rules were refused; writing the whole table anew', { error });
          dirty = true;
          await rewrite().catch(again => logger.error('service table cannot be written', { error: again }));
          await deps.clock.sleep(retryDelayMs);
        }
      }
    } finally {
      running = undefined;
      end();
    }
  };
  const changed = (): void => {
    dirty = true;
    running ??= loop();
  };

  await rewrite();
  return {
    changed,
    async setHostPorts(ports) {
      hostPorts = hostPortElements(ports);
      changed();
      await running;
    },
    async settled() {
      while (running) await running;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
      await kernel.nft(`table ip ${ruleset.table}\ndelete table ip ${ruleset.table}\n`);
    },
  };
}

/** Elements of `host_ports` (any address) and `host_address_ports`. */
export function hostPortElements(ports: ReadonlyArray<CniHostPort & { readonly address: string }>): ElementSets {
  const any = new Map<string, string>();
  const one = new Map<string, string>();
  for (const { protocol, hostIp, hostPort, address, containerPort } of ports) {
    const key = `${protocol.toLowerCase()} . ${hostPort}`;
    const target = `${address} . ${containerPort}`;
    if (hostIp && hostIp !== '0.0.0.0') one.set(`${hostIp} . ${key}`, target);
    else any.set(key, target);
  }
  return new Map([
    ['host_ports', any],
    ['host_address_ports', one],
  ]);
}

/**
 * Addresses of UDP endpoints that are no longer led to: the kernel would keep sending a known client there for as long
 * as it keeps talking, so its tracked connections are forgotten.
 */
export function staleUdpTargets(before: ElementSets, after: ElementSets): Set<string> {
  const targets = (sets: ElementSets): Set<string> => {
    const found = new Set<string>();
    for (const name of ['endpoints', 'node_endpoints', 'sticky_targets']) {
      for (const [key, target] of sets.get(name) ?? []) {
        if (/\budp\b/.test(key)) found.add(target.split(' ')[0]!);
      }
    }
    return found;
  };
  const remaining = targets(after);
  return new Set([...targets(before)].filter(address => !remaining.has(address)));
}
