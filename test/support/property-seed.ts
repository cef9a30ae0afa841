/**
 * Imported before the tests: property tests draw from one seed, so that a run is repeatable and a failure is somebody's
 * change. `KOBUNE_SEED=<number>` draws others, `KOBUNE_SEED=random` new ones every time.
 */
import fc from 'fast-check';

const wanted = process.env['KOBUNE_SEED'] ?? '20260101';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
