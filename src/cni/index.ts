/** The cni layer's face: the contract between a container engine and pod networking. */
export type { Cni, CniHostPort, CniPodRequest, CniResult } from './contract.ts';
