/** /version: the level of the API that is served. Upstream: apimachinery pkg/version. */

/** The one constant that says which Kubernetes this is. */
export const kubernetesVersion = 'v1.36.3';

export const versionInfo: Readonly<Record<string, string>> = Object.freeze({
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: kubernetesVersion,
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'go1.26.0',
  compiler: 'gc',
  platform: 'linux/amd64',
});
