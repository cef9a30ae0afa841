/** The cri layer's face: the contract between a kubelet and a container engine. */
export * from './contract.ts';
