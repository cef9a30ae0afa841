/**
 * The environment that all expressions of Kubernetes share. Upstream: k8s.io/apiserver pkg/cel/environment/base.go, as
 * of v1.36. The math and encoders extensions, and names in backticks, are not part of it.
 */
import { Environment } from './environment.ts';
import { optionalLibrary } from './library/optional.ts';
import { standardLibrary } from './library/standard.ts';

/** A new base environment, without variables. Make it once and extend it. */
export function newBaseEnvironment(): Environment {
  return new Environment({ libraries: [standardLibrary, optionalLibrary] });
}
