/** The `#api/expressions` face: expressions in built-in kinds, compiled. */
export {
  AdmissionCompiler,
  type AdmissionVariables,
  type CompiledExpression,
  namespaceDecl,
  requestDecl,
  resultTypes,
} from './admission.ts';
export { type CompiledSelector, compileDeviceSelector, deviceDecl } from './device-selector.ts';
export { MadeStruct } from './patch-types.ts';
