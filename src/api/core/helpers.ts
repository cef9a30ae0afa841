/** Pure helpers on core kinds that controllers, scheduler and kubelet share. Nothing here changes its arguments. */
export * from './helpers/pod-references.ts';
export * from './helpers/pod-resources.ts';
export * from './helpers/pod-status.ts';
export * from './helpers/qos.ts';
export * from './helpers/scheduling.ts';
export * from './helpers/services.ts';
export * from './helpers/volume-references.ts';
