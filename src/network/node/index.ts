/**
 * The network/node layer's face: everything a node's network needs, one a node, a client of the API. Pod addresses and
 * routes (CNI), the Service proxy, cluster DNS and egress; all of it removed on dispose except what pods still use.
 */
export { nodeAddressOf } from './addresses.ts';
export type { DnsView } from './dns-records.ts';
export { linuxKernel, type NetworkKernel } from './kernel.ts';
export { createServiceView, type MutableServiceView } from './service-view.ts';
