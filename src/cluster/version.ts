/** The two versions: ours, and the level of the Kubernetes API. */

/** Ours; a test holds it against package.json. */
export const version = '0.1.0';

/** The level of the API that is served; one constant, see design decision 1. */
export { kubernetesVersion } from '#apiserver';
