/** The apimachinery layer's face: what all kinds share, and nothing of any one kind. */
export * from './duration.ts';
export * from './field.ts';
export * from './fields.ts';
export * from './gvk.ts';
export * from './input-error.ts';
export * from './json/index.ts';
export * from './labels.ts';
export * from './meta.ts';
export * from './protobuf/index.ts';
export * from './quantity.ts';
export * from './resource-version.ts';
export * from './schema/build.ts';
export * from './schema/type-node.ts';
export * from './status.ts';
export * from './time.ts';
export * from './validation/index.ts';
export * from './yaml/index.ts';
