/** The container engine's face: images, sandboxes, containers on Linux behind the CRI contract. Imported dynamically. */
export {
  type ContainerEngineConfig,
  type ContainerEngineDeps,
  createContainerEngine,
  type KobuneEngine,
} from './engine.ts';
export { detectHost, type Host } from './host.ts';
export type { ImageAdmin } from './images/admin.ts';
export type { HostImageOptions } from './images/build-from-host.ts';
