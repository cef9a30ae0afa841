/** The `#api/expressions` face: expressions in built-in kinds, compiled. */
export {
  AdmissionCompiler,
  type AdmissionVariables,
  type CompiledExpression,
  namespaceDecl,
  requestDecl,
  resultTypes,
} from './admission.ts';
export { baseEnvironment } from './base.ts';
export { listDecl, mapDecl, stringDecl, structDecl, typeText } from './declare.ts';
export { type CompiledSelector, compileDeviceSelector } from './device-selector.ts';
export { MadeStruct } from './patch-types.ts';
export { type TypeSource, typeCheckingWarnings } from './type-checking.ts';
export { builtinDecl, customDecl } from './type-schema.ts';
