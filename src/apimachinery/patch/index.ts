export { checkUnstructured } from './from-unstructured.ts';
export { applyJsonPatch, cloneJson, type JsonPatchOperation, parseJsonPatch } from './json-patch.ts';
export { applyMergePatch, parseMapPatch, parseMergePatch } from './merge-patch.ts';
export { applyStrategicPatch } from './strategic.ts';
