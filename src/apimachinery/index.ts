/** The apimachinery layer's face: what all kinds share, and nothing of any one kind. */
export * from './field.ts';
export * from './gvk.ts';
export * from './meta.ts';
export * from './schema/type-node.ts';
export * from './status.ts';
