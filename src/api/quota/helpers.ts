/** How quotas measure objects: shared by admission, which charges, and by the controller, which recounts. */
export * from './amounts.ts';
export * from './evaluator.ts';
export * from './pods.ts';
export * from './registry.ts';
