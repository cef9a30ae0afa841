/** The kubelet layer's face: the node agent, which makes an engine's containers follow the API's pods. */
export {
  CertificateManager,
  type CertificateManagerDeps,
  type CertificateStore,
  type CertificateTemplate,
  nodeClientTemplate,
} from './certificates/certificate-manager.ts';
export { certificateFile } from './certificates/file-store.ts';
export {
  defaultKubeletConfig,
  type KubeletConfig,
  type KubeletDeps,
  type KubeletPaths,
  type KubeletServing,
} from './config.ts';
export { type Kubelet, startKubelet } from './kubelet.ts';
