/**
 * The text of our nftables table: what stands in it for ever, and the chains that pick one of N endpoints.
 * Maps only, no rule per Service: 10,000 Services load in half a second and one more costs milliseconds.
 * All state is in one table a cluster, so that removing it leaves nothing. `route_localnet` is never set.
 */

export interface RulesetConfig {
  /** As `kobune0`; also the prefix of our set of marks. */
  readonly table: string;
  /** The node's own address in its pod range. */
  readonly nodeAddress: string;
  readonly podCidr: string;
  /** All pods of the cluster: not masqueraded on the way out. */
  readonly clusterCidr: string;
  /** Name of the interface that holds the node's own address. */
  readonly nodeInterface: string;
  /** What the names of the host's ends of pod interfaces begin with. */
  readonly podInterfacePrefix: string;
  /** First mark of the picks; bits outside `0x4b000000` + index are never touched. */
  readonly markBase: number;
}

const service = 'ip daddr . meta l4proto . th dport';
const nodePort = 'meta l4proto . th dport';
const client = `ip saddr . ${service}`;
const key = 'ipv4_addr . inet_proto . inet_service';
const portKey = 'inet_proto . inet_service';
const target = 'ipv4_addr . inet_service';

/** The whole table with empty maps, replacing one of the same name. */
export function baseRuleset(config: RulesetConfig): string {
  const { table, nodeAddress, podCidr, clusterCidr, nodeInterface, podInterfacePrefix } = config;
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  map services { type ${key} : verdict; }
  map endpoints { type ${key} . mark : ${target}; }
  map node_ports { type ${portKey} : verdict; }
  map node_endpoints { type ${portKey} . mark : ${target}; }
  set no_endpoints { type ${key}; }
  set no_node_endpoints { type ${portKey}; }
  map sticky_ids { type ${key} . mark : mark; }
  map sticky_node_ids { type ${portKey} . mark : mark; }
  map sticky_targets { type inet_proto . mark : ${target}; }
  map affinity { type ipv4_addr . ${key} : mark; flags dynamic,timeout; size 262144; }
  map host_ports { type ${portKey} : ${target}; }
  map host_address_ports { type ${key} : ${target}; }
  set hairpin { type ipv4_addr . ipv4_addr; }

  chain pick { dnat ip to ${service} . meta mark map @endpoints
  }
  chain pick_node { dnat ip to ${nodePort} . meta mark map @node_endpoints
  }
  chain dispatch {
    meta l4proto != { tcp, udp, sctp } return
    ${service} vmap @services
    fib daddr type local jump local_ports
  }
  chain local_ports {
    ip daddr 127.0.0.0/8 return
    ${nodePort} vmap @node_ports
    dnat ip to ${service} map @host_address_ports
    dnat ip to ${nodePort} map @host_ports
  }
  chain prerouting { type nat hook prerouting priority dstnat; jump dispatch
  }
  chain output { type nat hook output priority -100; jump dispatch
  }
  chain postrouting { type nat hook postrouting priority srcnat;
    ct status dnat ip saddr . ip daddr @hairpin snat to ${nodeAddress}
    ip saddr ${podCidr} ip daddr != ${clusterCidr} oifname != { "${nodeInterface}", "lo" } oifname != "${podInterfacePrefix}*" masquerade
  }
  chain refuse { meta l4proto tcp reject with tcp reset
    reject with icmp type port-unreachable
  }
  chain filter_forward { type filter hook forward priority filter;
    ${service} @no_endpoints goto refuse
  }
  chain filter_output { type filter hook output priority filter;
    ${service} @no_endpoints goto refuse
  }
  chain filter_input { type filter hook input priority filter;
    ip daddr ${nodeAddress} iifname != "lo" iifname != "${podInterfacePrefix}*" drop
    fib daddr type local ${nodePort} @no_node_endpoints goto refuse
  }
}
`;
}

/** How one Service port chooses among its endpoints; each distinct pick is one chain. */
export interface Pick {
  readonly count: number;
  /** Whether the key is a port of the node (`node_ports`) rather than an address and a port. */
  readonly byNodePort: boolean;
  /** Session affinity's time-out; undefined picks anew for every connection. */
  readonly affinitySeconds: number | undefined;
}

/** Name of a pick's chain. */
export function pickChain(pick: Pick): string {
  const suffix = pick.byNodePort ? 'p' : '';
  return pick.affinitySeconds === undefined
    ? `n${pick.count}${suffix}`
    : `s${pick.count}x${pick.affinitySeconds}${suffix}`;
}

/**
 * Script that declares a pick's chain. With affinity the client's remembered endpoint goes before a fresh pick; when
 * that endpoint is gone, the last rules pick again.
 */
export function pickChainScript(table: string, markBase: number, pick: Pick): string {
  const random = `meta mark set numgen random mod ${pick.count} offset ${markBase}`;
  if (pick.affinitySeconds === undefined) {
    return chain(table, pickChain(pick), [random, pick.byNodePort ? 'goto pick_node' : 'goto pick']);
  }
  const ids = pick.byNodePort
    ? `${nodePort} . meta mark map @sticky_node_ids`
    : `${service} . meta mark map @sticky_ids`;
  const remember = `update @affinity { ${client} timeout ${pick.affinitySeconds}s : meta mark }`;
  const go = 'dnat ip to meta l4proto . meta mark map @sticky_targets';
  const choose = [random, `meta mark set ${ids}`];
  return chain(table, pickChain(pick), [
    ...choose,
    `meta mark set ${client} map @affinity`,
    remember,
    go,
    ...choose,
    remember,
    go,
  ]);
}

function chain(table: string, name: string, rules: readonly string[]): string {
  return `table ip ${table} {\n  chain ${name} {\n${rules.map(rule => `    ${rule}\n`).join('')}  }\n}\n`;
}
