/**
 * Sizes of values that a schema bounds, for estimates of cost. Upstream: apiextensions-apiserver
 * pkg/apiserver/schema/cel/compilation.go (sizeEstimator).
 */
import type { EstimateSize } from '../cost/estimate.ts';
import type { DeclType } from './decl-type.ts';

/** Sizes below a variable of this type, whatever its name is: all variables of a rule have the same type. */
export function sizesOf(root: DeclType): EstimateSize {
  return path => {
    let current: DeclType | undefined = root;
    for (const step of path.slice(1)) {
      if (step === '@items' || step === '@values') current = current.element;
      else if (step === '@keys') current = current.key;
      else current = current.fields?.get(step);
      if (current === undefined) return undefined;
    }
    return { min: 0, max: current.maxElements };
  };
}
