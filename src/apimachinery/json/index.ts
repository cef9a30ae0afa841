export { canonicalBase64 } from './bytes.ts';
export { type JsonReadResult, readAnyJson, readExactJson, readJson, setOwn, zeroValue } from './read.ts';
export { maxJsonDepth } from './scanner.ts';
export { readTypeMeta } from './type-meta.ts';
export { escapeHtml, writeJson, writeJsonString, writeOrdered, writeSorted } from './write.ts';
