export { canonicalBase64 } from './bytes.ts';
export { indentJson } from './indent.ts';
export { RawJson } from './raw-json.ts';
export { type JsonReadResult, readAnyJson, readExactJson, readJson } from './read.ts';
export { maxJsonDepth } from './scanner.ts';
export { setOwn } from './set-own.ts';
export { readTypeMeta } from './type-meta.ts';
export { escapeHtml, writeJson, writeJsonString, writeOrdered, writeSorted } from './write.ts';
export { zeroValue } from './zero-values.ts';
