/**
 * The network/node layer's face: everything a node's network needs, one a node, a client of the API: pod addresses and
 * routes (CNI), the Service proxy, cluster DNS and egress.
 */
export { nodeAddressOf } from './addresses.ts';
export { linuxKernel, type NetworkKernel } from './kernel.ts';
export { type NodeNetwork, type NodeNetworkConfig, type NodeNetworkDeps, startNodeNetwork } from './node-network.ts';
