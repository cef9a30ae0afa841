/** Expressions of admission: checked when a policy is stored, and run by the API server. */
export * from './expressions.ts';
export * from './made-objects.ts';
