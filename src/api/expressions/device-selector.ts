/**
 * Selectors of devices: an expression over `device`, whose sizes are bounded, so that its cost is known beforehand.
 * Upstream: k8s.io/dynamic-resource-allocation cel/compile.go.
 */
import { type DeclType, type Environment, type Program, sizesOf, structType, types } from '#apimachinery/cel';
import { baseEnvironment, once } from './base.ts';
import { boolDecl, mapDecl, stringDecl, structDecl, typeText } from './declare.ts';

const bounded = (decl: DeclType, maxElements: number): DeclType => ({ ...decl, maxElements });

const maxEntries = 32;
const domain = bounded(stringDecl, 63);
const identifier = bounded(stringDecl, 32);
/** A bool, an int, a string or a version: known when the expression runs. */
const attribute: DeclType = { type: types.any, minSerializedSize: 1, maxElements: 64 };
const quantity: DeclType = { type: structType('kubernetes.Quantity'), minSerializedSize: 8, maxElements: 0 };

/** The type of `device`. */
const deviceDecl: DeclType = structDecl('kubernetes.DRADevice', {
  driver: bounded(stringDecl, 63),
  allowMultipleAllocations: bounded(boolDecl, 1),
  attributes: mapDecl(domain, mapDecl(identifier, attribute, maxEntries), maxEntries),
  capacity: mapDecl(domain, mapDecl(identifier, quantity, maxEntries), maxEntries),
});

const environment: () => Environment = once(() =>
  baseEnvironment().with({ bindings: true }).extend({ device: deviceDecl }),
);

/** A program with the most that it can cost, or why there is none. */
export type CompiledSelector =
  | { readonly program: Program; readonly maxCost: number; readonly error?: undefined }
  | {
      readonly program?: undefined;
      readonly maxCost?: undefined;
      readonly error: string;
      readonly isInternal?: boolean;
    };

export function compileDeviceSelector(text: string): CompiledSelector {
  const compiled = environment().compile(text);
  if (compiled.failed === 'compilation') return { error: compiled.fault };
  const got = typeText(compiled.resultType);
  if (got !== 'bool' && got !== 'google.protobuf.Any') {
    return { error: `must evaluate to bool or the unknown type, not ${got}` };
  }
  if (compiled.failed) return { error: compiled.fault, isInternal: true };
  const { program } = compiled;
  return { program, maxCost: program.staticCost(sizesOf(deviceDecl)).max };
}
