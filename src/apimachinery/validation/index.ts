export * from './go-url.ts';
export * from './ip.ts';
export * from './names.ts';
export * from './object-meta.ts';
export * from './options.ts';
export * from './qualified.ts';
