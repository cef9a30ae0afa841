/**
 * The environment that all expressions of Kubernetes share. Upstream: k8s.io/apiserver pkg/cel/environment/base.go, as
 * of v1.36. The math and encoders extensions, and names in backticks, are not part of it.
 */
import type { Library } from './check/declarations.ts';
import { Environment } from './environment.ts';
import { authorizerLibrary } from './library/authorizer.ts';
import { formatLibrary } from './library/format.ts';
import { listsExtension, listsLibrary, setsExtension } from './library/lists.ts';
import { cidrType, ipType, networkLibrary } from './library/network.ts';
import { optionalLibrary } from './library/optional.ts';
import { quantityLibrary } from './library/quantity.ts';
import { regexLibrary } from './library/regex.ts';
import { semverLibrary } from './library/semver.ts';
import { standardLibrary } from './library/standard.ts';
import { stringsLibrary } from './library/strings.ts';
import { urlsLibrary } from './library/urls.ts';

/** The libraries of v1.36, in upstream's order. */
const libraries: readonly Library[] = [
  standardLibrary,
  urlsLibrary,
  regexLibrary,
  listsLibrary,
  authorizerLibrary,
  optionalLibrary,
  quantityLibrary,
  stringsLibrary,
  setsExtension,
  networkLibrary,
  formatLibrary,
  semverLibrary,
  listsExtension,
];

/** A new base environment, without variables. Make it once and extend it. `more`: libraries of one place only. */
export function newBaseEnvironment(more: readonly Library[] = []): Environment {
  return new Environment({ libraries: [...libraries, ...more], types: [ipType, cidrType] });
}
