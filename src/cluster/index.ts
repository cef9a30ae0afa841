/** The cluster layer's face: the composition root and everything that the command line does with a cluster. */
export { adminAccess } from './admin-access.ts';
export { type AdminImage, adminClient, type ImageAdmin } from './admin-socket.ts';
export {
  type ClusterStatus,
  clusterStatus,
  ensureConfig,
  type GivenSettings,
  listeningSettings,
  startInBackground,
  stopServer,
} from './background.ts';
export {
  type CertificateLine,
  certificateReport,
  type Rotation,
  type RotationStep,
  renewCertificates,
  rotate,
  rotationSteps,
  rotations,
} from './certificate-commands.ts';
export { type ClusterDeps, type ControlPlane, type ControlPlaneOptions, startControlPlane } from './cluster.ts';
export { type ClusterConfig, defaultConfig, readConfig } from './config.ts';
export { type Flag, type FlagGroup, GivenFlags } from './flags/flag.ts';
export { flagGroups, serverArguments, serverSettings } from './flags/flags.ts';
export { isDebugVerbosity } from './flags/logs.ts';
export type { ServerSettings } from './flags/settings.ts';
export {
  type Access,
  checkKubeconfig,
  kubeconfigText,
  mergeKubeconfig,
  removeFromKubeconfig,
  userKubeconfigPath,
} from './kubeconfig.ts';
export { removeCluster } from './remove.ts';
export { checkMachine, type Machine, thisMachine } from './requirements.ts';
export { runServer, type ServerOptions } from './server.ts';
export { clusterNames, defaultRoot, runningServer, type ServerFile, type StateDir, stateDir } from './state-dir.ts';
export { kubernetesVersion, version } from './version.ts';
